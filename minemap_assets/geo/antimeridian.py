"""Projected outlines to EPSG:4326, also where they cross the antimeridian.

What belongs here: the way into degrees. What does not: any other change of CRS.
"""

from collections.abc import Sequence

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry.base import BaseGeometry

from minemap_assets.geo.vector import WGS84

_HALF_TURN = 180.0


def to_wgs84(geometries: Sequence[BaseGeometry], crs: str) -> npt.NDArray[np.object_]:
    """Geometries of a local CRS in degrees; one that crosses the antimeridian is cut there into parts on both sides."""
    degrees = np.array(gpd.GeoSeries(list(geometries), crs=crs).to_crs(WGS84), dtype=object)
    bounds = shapely.bounds(degrees).reshape(-1, 4)
    # nothing local is half the world wide: its vertices lie on both sides of the line
    for number in np.flatnonzero(bounds[:, 2] - bounds[:, 0] > _HALF_TURN):
        degrees[number] = _cut(degrees[number])
    return degrees


def _cut(geometry: BaseGeometry) -> BaseGeometry:
    def unwrapped(xy: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.column_stack([np.where(xy[:, 0] < 0.0, xy[:, 0] + 2 * _HALF_TURN, xy[:, 0]), xy[:, 1]])

    whole = shapely.transform(geometry, unwrapped)
    east = shapely.intersection(whole, shapely.box(0.0, -90.0, _HALF_TURN, 90.0))
    west = shapely.intersection(whole, shapely.box(_HALF_TURN, -90.0, 2 * _HALF_TURN, 90.0))
    west = shapely.transform(west, lambda xy: xy - np.array([2 * _HALF_TURN, 0.0]))
    return shapely.union_all([east, west])
