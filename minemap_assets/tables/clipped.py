"""What is mapped beyond a region's border: ground that a mine gains there and no other region observes."""

from collections.abc import Iterable

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from minemap_assets.geo.vector import WGS84
from minemap_assets.tables.counted import NOTHING_KM2, Shapes, areal, measured, meets
from minemap_assets.tables.parts import RegionPart, by_slug

_COLUMNS = ["region", "site_id", "area_km2"]


def clipped_ground(parts: Iterable[RegionPart]) -> gpd.GeoDataFrame:
    """[region, site_id, area_km2, geometry] of each site's clipped ground without what other made regions observe."""
    made = [part for part in by_slug(parts) if part.mining is not None]
    clipping = [part for part in made if part.mining is not None and part.mining.clips]
    frames = [_beyond(part, [other for other in made if other is not part]) for part in clipping]
    filled = [frame for frame in frames if len(frame)]
    if not filled:
        return gpd.GeoDataFrame({name: [] for name in _COLUMNS}, geometry=[], crs=WGS84)
    return gpd.GeoDataFrame(pd.concat(filled, ignore_index=True), geometry="geometry", crs=WGS84)


def clipped_once(ground: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """The same, where ground that several regions clip stays with the first of them."""
    shapes = np.array(ground.geometry, dtype=object)
    regions = ground["region"].to_numpy(dtype=object)
    later, earlier = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    shared = (regions[later] != regions[earlier]) & (earlier < later)
    if not shared.any():
        return ground
    for row in np.unique(later[shared]):
        others = shapely.union_all(shapes[earlier[shared & (later == row)]])
        shapes[row] = shapely.difference(shapes[row], others)
    return _remeasured(ground, areal(shapes))


def _beyond(part: RegionPart, others: Iterable[RegionPart]) -> gpd.GeoDataFrame:
    if part.mining is None:
        raise ValueError(f"{part.region.slug} was not made")
    clipped = part.mining.clipped
    rows = clipped[clipped["site_id"].isin(part.seen) & ~clipped.geometry.is_empty].reset_index(drop=True)
    rows = gpd.GeoDataFrame(rows.assign(region=part.region.slug)[[*_COLUMNS, "geometry"]], crs=WGS84)
    if not len(rows):
        return rows
    shapes = np.array(rows.geometry, dtype=object)
    touched = False
    for other in others:
        near = meets(other.region.geometry, shapes)
        ground = other.observed_ground(shapely.union_all(shapely.envelope(shapes[near]))) if near.any() else None
        if ground is not None:
            shapes = np.asarray(shapely.difference(shapes, ground), dtype=object)
            touched = True
    return _remeasured(rows, areal(shapes)) if touched else rows


def _remeasured(rows: gpd.GeoDataFrame, shapes: Shapes) -> gpd.GeoDataFrame:
    """The rows that still have ground, with its area."""
    size = measured(shapes)
    kept = size > NOTHING_KM2
    left = rows.loc[kept].assign(area_km2=size[kept])
    return gpd.GeoDataFrame(left.set_geometry(gpd.GeoSeries(shapes[kept], index=left.index, crs=WGS84))).reset_index(
        drop=True
    )
