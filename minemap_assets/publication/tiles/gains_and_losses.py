"""Ground that was gained and lost against the year before, on sites that both years saw."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from minemap_assets.geo.differences import without
from minemap_assets.geo.vector import WGS84, areas_km2
from minemap_assets.publication.tiles.mercator import lengths_m

GAIN, LOSS = "gain", "loss"

SEEN = 0.5
"""Share of a site's ground from which a year counts as having seen it, as in `site_history`."""

_COLUMNS = ("year", "kind", "region", "site", "km2", "drawn_km2")
_LEAST_KM2 = 1e-9
"""A square millimetre more than rounding: below it two outlines are the same."""

SMALLEST_PIECE_KM2 = 0.001
"""Three pixels of a map at zoom 12."""

NARROWEST_PIECE_M = 10.0
"""Half a pixel of a map at zoom 12, a pixel of Sentinel-2. Outlines of two years differ along their edges by very many
pieces that are smaller or narrower, most of them from imagery rather than ground: these count, and are not drawn.
"""

_WORKERS = 2

Objects = npt.NDArray[np.object_]
Floats = npt.NDArray[np.float64]


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
    (EPSG:6933) of all of it; its geometry has the pieces that are no smaller than `SMALLEST_PIECE_KM2` and on average
    no narrower than `NARROWEST_PIECE_M`, and `drawn_km2` is their area. Where none is, that is 0, and the geometry is
    the largest piece.
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
    codes, regions = pd.factorize(np.concatenate([of.regions, against.regions]))
    here, there = codes[: len(of.regions)], codes[len(of.regions) :]
    for region in range(len(regions)):
        mine = np.flatnonzero(of.compared & (here == region))
        pieces[mine] = without(of.polygons[mine], against.polygons[there == region])
    kept = of.compared & ~shapely.is_empty(pieces)
    frame = pd.DataFrame({"region": of.regions[kept], "site": of.sites[kept]})
    number = np.asarray(frame.groupby(["region", "site"], sort=True).ngroup(), dtype=np.intp)
    joined = frame.iloc[np.unique(number, return_index=True)[1]].reset_index(drop=True)
    shapes, km2, drawn = _visible(_joined(pieces[kept], number))
    told = joined.assign(year=year, kind=kind, km2=km2, drawn_km2=drawn, geometry=shapes)
    return gpd.GeoDataFrame(told, geometry="geometry", crs=WGS84)


def _visible(shapes: Objects) -> tuple[Objects, Floats, Floats]:
    """The pieces of each shape that are drawn, or its largest; the area of all of it, and of what is drawn."""
    parts, owner = shapely.get_parts(shapes, return_index=True)
    km2 = np.asarray(areas_km2(gpd.GeoSeries(parts, crs=WGS84)), dtype=np.float64)
    # a strip is as wide as twice its area over what goes around it
    wide = km2 * 2e6 >= NARROWEST_PIECE_M * lengths_m(parts)
    keep = wide & (km2 >= SMALLEST_PIECE_KM2)
    whole, drawn = (
        np.bincount(owner, weights=km2 * part, minlength=len(shapes)) for part in (np.ones_like(keep), keep)
    )
    order = np.lexsort((km2, owner))
    largest = order[np.append(owner[order][1:] != owner[order][:-1], True)[: len(order)]]
    keep[largest[drawn[owner[largest]] == 0.0]] = True
    fewer = np.bincount(owner[keep], minlength=len(shapes)) < shapely.get_num_geometries(shapes)
    changed = keep & fewer[owner]
    kept = shapes.copy()
    if changed.any():
        places, numbers = np.unique(owner[changed], return_inverse=True)
        kept[places] = shapely.multipolygons(parts[changed], indices=numbers)
    return kept, whole.astype(np.float64), drawn.astype(np.float64)


def _joined(pieces: Objects, number: npt.NDArray[np.intp]) -> Objects:
    """The union of all pieces with one number, in the order of the numbers, which are 0 to the last without a gap."""
    order = np.argsort(number, kind="stable")
    whole, starts, counts = np.unique(number[order], return_index=True, return_counts=True)
    joined = pieces[order][starts]
    for place in whole[counts > 1]:
        joined[place] = shapely.union_all(pieces[order[starts[place] : starts[place] + counts[place]]])
    return joined
