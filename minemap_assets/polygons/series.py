"""Series: yearly polygons that were made elsewhere, through the temporal rule, merged, filled and named by country.

Years are read one after another, and no more of them are held than the window of the rule needs. The order is that of
the published rule: polygons without a neighbour in time go first, what is left is merged and filled then.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from minemap_assets.geo.vector import WGS84, areas_km2
from minemap_assets.polygons.countries import UNASSIGNED, Borders, CountryName, largest_share
from minemap_assets.polygons.holes import fill_holes
from minemap_assets.polygons.merge import Merged, absorb, merge_touching
from minemap_assets.polygons.temporal.window_rule import Verdict, YearView, window_rule
from minemap_assets.sites.geohash import position_ids

YearSource = Callable[[], gpd.GeoDataFrame]
"""Reads a year: [source_id, geometry], valid areas in EPSG:4326, a row for each polygon of the file."""

_NOTHING_HIDDEN = np.zeros(0, dtype=object)


@dataclass(frozen=True)
class SeriesRules:
    """What is done to the polygons of a series; the defaults are the published rule.

    With the `rule` intersect a polygon stays where the nearest year on either side that the series has, of up to
    `window` years, has one that intersects it, or comes within `buffer_m` metres. `holes` are as in `fill_holes`.
    """

    rule: Literal["intersect", "none"] = "intersect"
    window: int = 1
    buffer_m: float = 0.0
    holes: Literal["small", "all", "none"] = "all"
    min_hole_km2: float = 0.01

    @property
    def name(self) -> str:
        """The temporal rule in one word: `intersect-1`, `intersect-1+100m`, `none`."""
        if self.rule == "none":
            return "none"
        return f"intersect-{self.window}" + (f"+{self.buffer_m:g}m" if self.buffer_m else "")


@dataclass(frozen=True, eq=False)
class SeriesYear:
    """One year of a series as its tables hold it (`series_tables.py`), and how many polygons it is made of.

    `sources` were in the files, `dropped` had no neighbour in time, `unjudged` stayed because no year of the window
    could say anything.
    """

    year: int
    polygons: pd.DataFrame
    country_area: pd.DataFrame
    summary: pd.DataFrame
    sources: int
    dropped: int
    unjudged: int


@dataclass(frozen=True, eq=False)
class SeriesFrame:
    """What every year of a series shares: its name, the countries, the rules, and the years it has."""

    series: str
    borders: Borders
    names: Mapping[str, CountryName]
    rules: SeriesRules
    years: frozenset[int]

    def status(self, year: int) -> str:
        """`final` where the series has every year of the window that lies within its span."""
        reach = 0 if self.rules.rule == "none" else self.rules.window
        window = range(max(year - reach, min(self.years)), min(year + reach, max(self.years)) + 1)
        return "final" if all(y in self.years for y in window) else "provisional"


def postprocess(frame: SeriesFrame, sources: Mapping[int, YearSource], sink: Callable[[SeriesYear], None]) -> None:
    """Hand every year of a series to `sink`, in order; `sources` reads each of `frame.years`, once."""
    reach = frame.rules.window if frame.rules.rule != "none" else 0
    held: dict[int, _Held] = {}

    def view(year: int) -> YearView | None:
        if year not in sources:
            return None
        if year not in held:
            held[year] = _hold(sources[year]())
        return held[year].view

    for year in sorted(sources):
        for gone in [y for y in held if y < year - reach]:
            del held[gone]
        view(year)
        sink(postprocess_year(frame, year, held[year].ids, held[year].view, view))


def postprocess_year(
    frame: SeriesFrame,
    year: int,
    source_ids: npt.NDArray[np.object_],
    own: YearView,
    view: Callable[[int], YearView | None],
) -> SeriesYear:
    """One year: `source_ids` name the polygons of `own`; `view` gives other years, None for one that there is not."""
    verdict = _verdict(own, year, view, frame.rules)
    kept = np.flatnonzero(verdict.keep)
    parts, origin = shapely.get_parts(own.polygons[kept], return_index=True)
    merged = merge_touching(parts)
    merged = absorb(merged.with_polygons(fill_holes(merged.polygons, frame.rules.holes, frame.rules.min_hole_km2)))
    ids = source_ids[kept][origin]
    polygons, areas = _tables(frame, year, merged, ids)
    return SeriesYear(
        year,
        polygons,
        areas,
        _summary(frame, year, polygons, areas),
        sources=len(source_ids),
        dropped=len(source_ids) - len(kept),
        unjudged=int(np.count_nonzero(~verdict.judged)) if frame.rules.rule != "none" else 0,
    )


@dataclass(frozen=True, eq=False)
class _Held:
    """A year in memory."""

    ids: npt.NDArray[np.object_]
    view: YearView


def _hold(frame: gpd.GeoDataFrame) -> _Held:
    polygons = np.asarray(frame.geometry.array, dtype=object)
    return _Held(frame["source_id"].to_numpy(dtype=object), YearView(polygons, _NOTHING_HIDDEN))


def _verdict(own: YearView, year: int, view: Callable[[int], YearView | None], rules: SeriesRules) -> Verdict:
    if rules.rule == "none":
        every = np.ones(len(own.polygons), dtype=bool)
        return Verdict(every, every)
    return window_rule(own.polygons, year, view, rules.window, rules.buffer_m)


def _tables(
    frame: SeriesFrame, year: int, merged: Merged, ids: npt.NDArray[np.object_]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows of the polygons, sorted by id, and of their split by country."""
    shapes = merged.polygons
    area = areas_km2(gpd.GeoSeries(shapes, crs=WGS84)) if len(shapes) else np.zeros(0)
    points = shapely.get_coordinates(shapely.point_on_surface(shapes))
    split = frame.borders.split(shapes)
    codes = largest_share(split, len(shapes))
    told = [frame.names[code] for code in codes]
    polygons = pd.DataFrame(
        {
            "polygon_id": position_ids(f"{frame.series}-{year}-", points[:, 0], points[:, 1], area),
            "series": frame.series,
            "year": year,
            "country_iso3": codes,
            "country_name": [country.name for country in told],
            "continent": [country.continent for country in told],
            "area_km2": area,
            "temporal_rule": frame.rules.name,
            "status": frame.status(year),
            "source_ids": [[ids[rows[0]]] if len(rows) == 1 else sorted(set(ids[rows])) for rows in merged.members],
            "geometry": shapes,
        }
    )
    number = split["polygon"].to_numpy(dtype=np.int64)
    areas = pd.DataFrame(
        {
            "polygon_id": polygons["polygon_id"].to_numpy(dtype=object)[number],
            "year": year,
            "iso3": split["iso3"].to_numpy(dtype=object),
            "area_km2": split["share"].to_numpy() * area[number],
        }
    )
    return polygons.sort_values("polygon_id"), areas.sort_values(["polygon_id", "iso3"])


def _summary(frame: SeriesFrame, year: int, polygons: pd.DataFrame, areas: pd.DataFrame) -> pd.DataFrame:
    """A row for every country with ground in the year, and one for ground of no country."""
    km2 = areas.groupby("iso3")["area_km2"].sum()
    counts = polygons["country_iso3"].value_counts()
    codes = sorted({UNASSIGNED, *km2.index, *counts.index})
    return pd.DataFrame(
        {
            "series": frame.series,
            "iso3": codes,
            "country_name": [frame.names[code].name for code in codes],
            "continent": [frame.names[code].continent for code in codes],
            "year": year,
            "polygons": [int(counts.get(code, 0)) for code in codes],
            "area_km2": [float(km2.get(code, 0.0)) for code in codes],
            "temporal_rule": frame.rules.name,
            "status": frame.status(year),
        }
    )
