"""Ground around polygons: a region where a person named none."""

import math
from collections.abc import Sequence

import shapely
from shapely.geometry import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from minemap_assets.geo.vector import polygons_only

KILOMETRES = 3.0
"""From a polygon to the border of the region around it: a window of the usual size lies within."""

_DEGREE_KM = 111.32
_FARTHEST_NORTH = 85.0
_DIGITS = 6


def around(polygons: Sequence[BaseGeometry], kilometres: float = KILOMETRES) -> Polygon | MultiPolygon:
    """The union of the boxes that reach so many kilometres beyond each polygon (EPSG:4326, on its own side of the
    antimeridian). Raises `ValueError` without any polygon.
    """
    boxes = [_box(polygon.bounds, kilometres) for polygon in polygons]
    union = polygons_only(shapely.set_precision(shapely.union_all(boxes), 10.0**-_DIGITS)) if boxes else None
    if union is None:
        raise ValueError("there is nothing to draw a region around")
    return union


def _box(bounds: tuple[float, float, float, float], kilometres: float) -> Polygon:
    west, south, east, north = bounds
    tall = kilometres / _DEGREE_KM
    wide = tall / math.cos(math.radians(min(max(abs(south), abs(north)), _FARTHEST_NORTH)))
    return shapely.box(
        max(-180.0, west - wide), max(-90.0, south - tall), min(180.0, east + wide), min(90.0, north + tall)
    )
