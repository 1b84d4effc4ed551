"""Ground that was gained and lost against the year before, on sites that both years saw."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from shapely.geometry.base import BaseGeometry

from minemap_assets.geo.differences import without
from minemap_assets.geo.vector import WGS84, areas_km2

GAIN, LOSS = "gain", "loss"

SEEN = 0.5
"""Share of a site's ground from which a year counts as having seen it, as in `site_history`."""

_COLUMNS = ("year", "kind", "region", "site", "km2")
_LEAST_KM2 = 1e-9
"""A square millimetre more than rounding: below it two outlines are the same."""

SMALLEST_PIECE_KM2 = 0.001
"""Three pixels of a map at zoom 12. Outlines of two years differ in very many smaller pieces, which count and are not
drawn beside larger ones.
"""

_WORKERS = 2

Objects = npt.NDArray[np.object_]


@dataclass(frozen=True)
class _Year:
    """Polygons of a year, and which of them lie on sites that this and the other year saw."""

    regions: Objects
    sites: Objects
    polygons: Objects
    compared: npt.NDArray[np.bool_]


def gained_and_lost(polygons: gpd.GeoDataFrame, panel: pd.DataFrame) -> gpd.GeoDataFrame:
    """What each site gained and lost from one year to the next, in EPSG:4326.

    `polygons` has columns of the table `polygons`, `panel` those of `site_panel`, both of all years. A row is all that
    a site gained (`kind` gain) or lost (loss) in a `year` against the year before, with `region`, `site` and `km2`
    (EPSG:6933) of all of it; its geometry has the pieces that are no smaller than `SMALLEST_PIECE_KM2`, or the largest.
    A polygon counts only where every one of its sites was seen in both years: ground that was not observed is no loss,
    and ground that had not been observed is no gain.
    """
    seen = panel.loc[panel["observed_share"] >= SEEN, ["site_id", "year"]]
    by_year = {int(year): frozenset(seen.loc[seen["year"] == year, "site_id"]) for year in seen["year"].unique()}
    compared = [(year, kind) for year in sorted(by_year) if year - 1 in by_year for kind in (GAIN, LOSS)]

    def changes(year: int, kind: str) -> gpd.GeoDataFrame:
        sites = by_year[year] & by_year[year - 1]
        now, before = _year(polygons, year, sites), _year(polygons, year - 1, sites)
        return _rows(now, before, year, kind) if kind == GAIN else _rows(before, now, year, kind)

    with ThreadPoolExecutor(_WORKERS) as pool:
        found = list(pool.map(lambda one: changes(*one), compared))
    rows = pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=[*_COLUMNS, "geometry"])
    frame = gpd.GeoDataFrame(rows, geometry="geometry", crs=WGS84)
    kept = frame[frame["km2"].astype(float) > _LEAST_KM2].sort_values(["year", "region", "site", "kind"], kind="stable")
    return gpd.GeoDataFrame(kept[[*_COLUMNS, "geometry"]].reset_index(drop=True))


def _year(polygons: gpd.GeoDataFrame, year: int, sites: frozenset[str]) -> _Year:
    rows = polygons[polygons["year"] == year]
    first = np.array([ids[0] if len(ids) else "" for ids in rows["site_ids"]], dtype=object)
    compared = np.array([sites.issuperset(ids) for ids in rows["site_ids"]], dtype=bool)
    return _Year(rows["region"].to_numpy(object), first, np.asarray(rows.geometry, dtype=object), compared)


def _rows(of: _Year, against: _Year, year: int, kind: str) -> gpd.GeoDataFrame:
    """What `of` has and `against` does not, one row a site; each region by itself."""
    pieces = np.full(len(of.polygons), None, dtype=object)
    for region in np.unique(of.regions[of.compared].astype(str)):
        mine = np.flatnonzero(of.compared & (of.regions == region))
        pieces[mine] = without(of.polygons[mine], against.polygons[against.regions == region])
    kept = of.compared & ~shapely.is_empty(pieces)
    frame = pd.DataFrame({"region": of.regions[kept], "site": of.sites[kept], "geometry": pieces[kept]})
    grouped = frame.groupby(["region", "site"], sort=True)["geometry"]
    joined = grouped.agg(_union).reset_index()
    shapes, km2 = _visible(np.asarray(joined["geometry"], dtype=object))
    told = joined.assign(year=year, kind=kind, km2=km2, geometry=shapes)
    return gpd.GeoDataFrame(told, geometry="geometry", crs=WGS84)


def _visible(shapes: Objects) -> tuple[Objects, npt.NDArray[np.float64]]:
    """The larger pieces of each shape, and the area of all of it."""
    parts, owner = shapely.get_parts(shapes, return_index=True)
    km2 = np.asarray(areas_km2(gpd.GeoSeries(parts, crs=WGS84)), dtype=np.float64)
    order = np.lexsort((km2, owner))
    largest = order[np.append(owner[order][1:] != owner[order][:-1], True)[: len(order)]]
    keep = km2 >= SMALLEST_PIECE_KM2
    keep[largest] = True
    fewer = np.bincount(owner[keep], minlength=len(shapes)) < shapely.get_num_geometries(shapes)
    changed = keep & fewer[owner]
    drawn = shapes.copy()
    if changed.any():
        places, numbers = np.unique(owner[changed], return_inverse=True)
        drawn[places] = shapely.multipolygons(parts[changed], indices=numbers)
    whole: npt.NDArray[np.float64] = np.bincount(owner, weights=km2, minlength=len(shapes)).astype(np.float64)
    return drawn, whole


def _union(geometries: "pd.Series[Any]") -> BaseGeometry:
    parts = np.asarray(geometries, dtype=object)
    whole: BaseGeometry = parts[0] if len(parts) == 1 else shapely.union_all(parts)
    return whole
