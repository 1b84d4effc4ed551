"""Changes between a series that was made elsewhere and our own maps, measured on the years that both have.

A series may reach far beyond our regions: only what lies inside them is compared.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import shapely
from shapely.geometry.base import BaseGeometry

from minemap_assets.geo.vector import WGS84, areas_km2
from minemap_assets.lake.partitions import Partition
from minemap_assets.polygons.series_tables import SERIES_COUNTRY_AREA, SERIES_POLYGONS, SERIES_SUMMARY
from minemap_assets.segmentation.evaluation.intervals import FEWEST_PLACES, Interval, bootstrap
from minemap_assets.segmentation.metrics import Confusion
from minemap_assets.validation.series_breaks import Break, Measure

OURS = "our maps"
"""What our own maps are called beside a series."""

SEED = 0
_SQUARE_METRES = 1e6

YearlyAreas = Mapping[int, Mapping[str, float]]
"""Square kilometres by year and country code; a country that was not observed in a year has none."""


@dataclass(frozen=True)
class Change:
    """The year in which one of two takes over from the other, and the one before it."""

    year: int
    previous_year: int
    to_ours: bool


def series_changes(
    series: Mapping[str, Partition], ours: Mapping[int, Partition], regions: Sequence[BaseGeometry]
) -> list[Break]:
    """The change between each series and our maps, by country.

    `series` are partitions of `polygons/series_<name>` by name, `ours` those of `country_summary` by year, `regions`
    the boundaries of our regions (EPSG:4326). Polygons of one year are in memory at a time.
    """
    mine = our_areas(ours)
    found: list[Break] = []
    for name, partition in sorted(series.items()):
        years = sorted(set(pd.read_parquet(partition.file(SERIES_SUMMARY.file), columns=["year"])["year"].tolist()))
        change = change_between(years, list(mine))
        if change is None:
            continue
        read = {year for year in years if year in mine or year in (change.year, change.previous_year)}
        theirs = {year: _areas_of(partition, year, regions) if year in read else {} for year in years}
        found += series_breaks_of(name, theirs, mine)
    return found


def our_areas(ours: Mapping[int, Partition]) -> dict[int, dict[str, float]]:
    """Areas by country of every year in which anything was observed, from partitions of `country_summary` by year."""
    found = {}
    for year, partition in sorted(ours.items()):
        frame = pd.read_parquet(partition.file("country_summary.parquet"), columns=["iso3", "area_km2"])
        known = frame[frame["area_km2"].notna()]
        areas = {str(code): float(area) for code, area in zip(known["iso3"], known["area_km2"], strict=True)}
        if areas:
            found[year] = areas
    return found


def _areas_of(partition: Partition, year: int, regions: Sequence[BaseGeometry]) -> dict[str, float]:
    of_year = [("year", "=", year)]
    table = pq.read_table(partition.file(SERIES_POLYGONS.file), columns=["polygon_id", "geometry"], filters=of_year)
    shapes = shapely.from_wkb(table.column("geometry").to_numpy(zero_copy_only=False))
    polygons = gpd.GeoDataFrame({"polygon_id": table.column("polygon_id").to_pandas()}, geometry=shapes, crs=WGS84)
    split = pd.read_parquet(partition.file(SERIES_COUNTRY_AREA.file), filters=of_year)
    return areas_inside(polygons, split, regions)


def areas_inside(polygons: gpd.GeoDataFrame, split: pd.DataFrame, regions: Sequence[BaseGeometry]) -> dict[str, float]:
    """Area by country, in square kilometres, of a year's polygons inside some regions (EPSG:4326).

    `polygons` has [polygon_id, geometry] and `split` [polygon_id, iso3, area_km2]: its exact split at borders. A
    polygon that lies in part inside counts in each country with that share.
    """
    if not len(polygons) or not regions:
        return {}
    ground = shapely.union_all(list(regions))
    shapely.prepare(ground)
    shapes = np.asarray(polygons.geometry, dtype=object)
    share = shapely.covers(ground, shapes).astype(np.float64)
    crossing = np.flatnonzero((share == 0.0) & shapely.intersects(ground, shapes))
    if len(crossing):
        cut = gpd.GeoSeries(shapely.intersection(shapes[crossing], ground), crs=polygons.crs)
        whole = areas_km2(gpd.GeoSeries(shapes[crossing], crs=polygons.crs))
        share[crossing] = np.divide(areas_km2(cut), whole, out=np.zeros(len(crossing)), where=whole > 0.0)
    inside = dict(zip(polygons["polygon_id"], share, strict=True))
    areas = split["area_km2"] * split["polygon_id"].map(inside).fillna(0.0)
    found = areas.groupby(split["iso3"]).sum()
    return {str(code): float(area) for code, area in found.items() if area > 0.0}


def change_between(series: Sequence[int], ours: Sequence[int]) -> Change | None:
    """Where a series goes over into our maps, or they into it; None where one of them has no year of its own.

    Ours take over in the first year that the series does not reach, else in our first year; where the series alone goes
    on after our last year, it takes over from us.
    """
    theirs, mine = sorted(set(series)), sorted(set(ours))
    if not theirs or not mine:
        return None
    later = [year for year in mine if year > theirs[-1]]
    if later:
        return Change(later[0], theirs[-1], to_ours=True)
    if mine[0] < theirs[0]:
        return Change(theirs[0], max(year for year in mine if year < theirs[0]), to_ours=False)
    earlier = [year for year in theirs if year < mine[0]]
    if earlier:
        return Change(mine[0], earlier[-1], to_ours=True)
    after = [year for year in theirs if year > mine[-1]]
    return Change(after[0], mine[-1], to_ours=False) if after else None


def series_breaks_of(name: str, series: YearlyAreas, ours: YearlyAreas) -> Iterator[Break]:
    """A row for each country in which either of them has any area, with the step over the years that both have."""
    change = change_between(list(series), list(ours))
    if change is None:
        return
    before, after = (name, OURS) if change.to_ours else (OURS, name)
    for code in sorted({code for year in (*series.values(), *ours.values()) for code, area in year.items() if area}):
        measure = _measured(code, series, ours)
        if measure is not None and not change.to_ours:
            measure = measure.reversed
        yield Break("", code, change.year, change.previous_year, "series", before, after, measure=measure)


def _measured(code: str, series: YearlyAreas, ours: YearlyAreas) -> Measure | None:
    """Our area over that of the series in a country; None without a year of both in which the series has any."""
    years = [year for year in sorted(set(series) & set(ours)) if code in ours[year]]
    theirs = sum(series[year].get(code, 0.0) for year in years)
    if theirs <= 0.0:
        return None
    counts = [_confusion(ours[year][code], series[year].get(code, 0.0)) for year in years]
    interval = bootstrap(counts, SEED).area_ratio if len(years) >= FEWEST_PLACES else Interval(math.nan, math.nan)
    span = f"{years[0]}" if len(years) == 1 else f"{len(years)} years from {years[0]} to {years[-1]}"
    return Measure(sum(ours[year][code] for year in years) / theirs, interval, f"{span}, inside our regions")


def _confusion(ours: float, series: float) -> Confusion:
    """Only the two areas matter: their ratio is that of predicted to true."""
    return Confusion(0, round(ours * _SQUARE_METRES), round(series * _SQUARE_METRES), 0)
