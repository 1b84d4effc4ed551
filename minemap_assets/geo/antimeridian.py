"""Projected outlines in EPSG:4326, also where they cross the antimeridian."""

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
    for number in crossing(degrees):
        degrees[number] = shapely.union_all(halves(degrees[number]))
    return degrees


def crossing(degrees: npt.NDArray[np.object_]) -> npt.NDArray[np.intp]:
    """Places of the local geometries in EPSG:4326 that cross the antimeridian."""
    bounds = shapely.bounds(degrees).reshape(-1, 4)
    # nothing local is half the world wide: its vertices lie on both sides of the line
    return np.flatnonzero(bounds[:, 2] - bounds[:, 0] > _HALF_TURN)


def halves(geometry: BaseGeometry) -> tuple[BaseGeometry, BaseGeometry]:
    """The parts before and behind the antimeridian of a geometry in EPSG:4326 that crosses it."""

    def unwrapped(xy: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.column_stack([np.where(xy[:, 0] < 0.0, xy[:, 0] + 2 * _HALF_TURN, xy[:, 0]), xy[:, 1]])

    whole = shapely.transform(geometry, unwrapped)
    before = shapely.intersection(whole, shapely.box(0.0, -90.0, _HALF_TURN, 90.0))
    behind = shapely.intersection(whole, shapely.box(_HALF_TURN, -90.0, 2 * _HALF_TURN, 90.0))
    return before, shapely.transform(behind, lambda xy: xy - np.array([2 * _HALF_TURN, 0.0]))
