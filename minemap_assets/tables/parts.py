"""Parts: what one region gives to a year's tables, whether or not it was made."""

from collections.abc import Sequence
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from shapely.geometry.base import BaseGeometry

from minemap_assets.geo.vector import WGS84, areas_km2, polygons_only
from minemap_assets.lake.partitions import Partition
from minemap_assets.polygons.countries import Borders, largest_share
from minemap_assets.polygons.schemas import MINING_POLYGONS, POLYGON_COUNTRY_AREA, SITE_AREA, read_table
from minemap_assets.project.regions import Region

_NOTHING_KM2 = 1e-9


@dataclass(frozen=True, eq=False)
class MiningTables:
    """The three tables of one mining_polygons partition."""

    polygons: gpd.GeoDataFrame
    country_areas: pd.DataFrame
    site_area: pd.DataFrame


@dataclass(frozen=True, eq=False)
class RegionPart:
    """A region that is expected in a year: its sites, and its mining polygons, None where they were not made."""

    region: Region
    sites: gpd.GeoDataFrame
    mining: MiningTables | None


@dataclass(frozen=True, eq=False)
class CountedOnce:
    """Mapped ground of a year without what regions share.

    `polygons` has [polygon_id, country_iso3, area_km2, status], a row for each polygon that still has ground; `areas`
    has [polygon_id, iso3, area_km2]: its split at borders, which adds up to the same total.
    """

    polygons: pd.DataFrame
    areas: pd.DataFrame


def read_part(region: Region, sites: gpd.GeoDataFrame, mining: Partition | None) -> RegionPart:
    """A region's part from its published partitions."""
    if mining is None:
        return RegionPart(region, sites, None)
    tables = MiningTables(
        *(read_table(mining.file(s.file), s) for s in (MINING_POLYGONS, POLYGON_COUNTRY_AREA, SITE_AREA))
    )
    return RegionPart(region, sites, tables)


def by_slug(parts: Sequence[RegionPart]) -> list[RegionPart]:
    """Parts in the order of their regions' slugs."""
    return sorted(parts, key=lambda part: part.region.slug)


def count_once(parts: Sequence[RegionPart], borders: Borders) -> CountedOnce:
    """Take from each region, in order of slugs, the ground of those before it that were made this year."""
    taken: list[BaseGeometry] = []
    polygons: list[pd.DataFrame] = []
    areas: list[pd.DataFrame] = []
    for part in by_slug(parts):
        if part.mining is None:
            continue
        whole, cut = _without(part.mining, taken, borders)
        polygons.extend((whole.polygons, cut.polygons))
        areas.extend((whole.areas, cut.areas))
        taken.append(part.region.geometry)
    return CountedOnce(_stacked(polygons, _POLYGON_COLUMNS), _stacked(areas, _AREA_COLUMNS))


_POLYGON_COLUMNS = ["polygon_id", "country_iso3", "area_km2", "status"]
_AREA_COLUMNS = ["polygon_id", "iso3", "area_km2"]


def _stacked(frames: Sequence[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    filled = [frame for frame in frames if len(frame)]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=columns)


def _without(mining: MiningTables, taken: Sequence[BaseGeometry], borders: Borders) -> tuple[CountedOnce, CountedOnce]:
    """Polygons that no earlier region touches, as they are; and what is left of the others, measured anew."""
    frame = mining.polygons
    geometries = np.asarray(frame.geometry, dtype=object)
    shared = np.zeros(len(frame), dtype=bool)
    for area in taken:
        shapely.prepare(area)
        shared |= shapely.intersects(area, geometries)
    ids = set(frame["polygon_id"][~shared])
    whole = CountedOnce(
        pd.DataFrame(frame.loc[~shared, _POLYGON_COLUMNS]),
        mining.country_areas[mining.country_areas["polygon_id"].isin(ids)],
    )
    rest = frame.loc[shared, ["polygon_id", "status"]].reset_index(drop=True)
    if not len(rest):
        return whole, CountedOnce(pd.DataFrame(columns=_POLYGON_COLUMNS), pd.DataFrame(columns=_AREA_COLUMNS))
    ground = shapely.union_all(list(taken))
    left = [polygons_only(g) for g in shapely.difference(geometries[shared], ground)]
    kept = [n for n, geometry in enumerate(left) if geometry is not None]
    return whole, _measured(rest.iloc[kept], np.array([left[n] for n in kept], dtype=object), borders)


def _measured(
    rows: pd.DataFrame, geometries: "np.ndarray[tuple[int], np.dtype[np.object_]]", borders: Borders
) -> CountedOnce:
    size = areas_km2(gpd.GeoSeries(list(geometries), crs=WGS84))
    real = size > _NOTHING_KM2
    rows, geometries, size = rows.loc[real].reset_index(drop=True), geometries[real], size[real]
    split = borders.split(geometries)
    number = split["polygon"].to_numpy(dtype=np.int64)
    return CountedOnce(
        rows.assign(country_iso3=largest_share(split, len(rows)), area_km2=size)[_POLYGON_COLUMNS],
        pd.DataFrame(
            {
                "polygon_id": rows["polygon_id"].to_numpy(dtype=object)[number],
                "iso3": split["iso3"].to_numpy(dtype=object),
                "area_km2": split["share"].to_numpy(dtype=np.float64) * size[number],
            }
        ),
    )
