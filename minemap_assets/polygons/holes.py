"""Holes: which enclosed land counts as mine."""

from typing import Literal

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry import Polygon

from minemap_assets.geo.vector import WGS84, areas_km2


def fill_holes(
    polygons: npt.NDArray[np.object_], mode: Literal["small", "all", "none"], min_hole_km2: float
) -> npt.NDArray[np.object_]:
    """Polygons (EPSG:4326) without their holes below `min_hole_km2` ("small"), any hole ("all"), or as they are.

    The published rule fills every hole, so that a village inside a mine counts as mine; ours keeps large holes.
    """
    filled = polygons.copy()
    if mode == "none":
        return filled
    for index in np.flatnonzero(shapely.get_num_interior_rings(polygons) > 0):
        polygon = polygons[index]
        if mode == "all":
            filled[index] = Polygon(polygon.exterior)
            continue
        rings = [Polygon(ring) for ring in polygon.interiors]
        large = areas_km2(gpd.GeoSeries(rings, crs=WGS84)) >= min_hole_km2
        filled[index] = Polygon(polygon.exterior, [r.exterior for r, keep in zip(rings, large, strict=True) if keep])
    return filled
