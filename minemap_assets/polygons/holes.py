"""Holes: which enclosed land counts as mine."""

from typing import Literal

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import shapely

from minemap_assets.geo.vector import WGS84, areas_km2


def fill_holes(
    polygons: npt.NDArray[np.object_], mode: Literal["small", "all", "none"], min_hole_km2: float
) -> npt.NDArray[np.object_]:
    """Polygons (EPSG:4326) without their holes below `min_hole_km2` ("small"), any hole ("all"), or as they are.

    The published rule fills every hole, so that a village inside a mine counts as mine; ours keeps large holes.
    """
    filled = polygons.copy()
    holed = np.flatnonzero(shapely.get_num_interior_rings(polygons) > 0)
    if mode == "none" or not len(holed):
        return filled
    if mode == "all":
        filled[holed] = shapely.polygons(shapely.get_exterior_ring(polygons[holed]))
        return filled
    rings, owner = shapely.get_rings(polygons[holed], return_index=True)
    keep = np.diff(owner, prepend=-1) > 0
    holes = np.flatnonzero(~keep)
    keep[holes] = areas_km2(gpd.GeoSeries(shapely.polygons(rings[holes]), crs=WGS84)) >= min_hole_km2
    filled[holed] = shapely.polygons(rings[keep], indices=owner[keep])
    return filled
