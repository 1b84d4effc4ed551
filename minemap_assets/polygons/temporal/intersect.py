"""The intersect rule: a polygon that no neighbouring year confirms is noise (paper, postprocessing).

Which year is the neighbour is told in `window_rule.py`.
"""

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import shapely

from minemap_assets.geo.grid import utm_epsg
from minemap_assets.geo.vector import WGS84

_METRES_PER_DEGREE = 110_000.0


def confirmed(
    polygons: npt.NDArray[np.object_], others: shapely.STRtree, buffer_m: float = 0.0
) -> npt.NDArray[np.bool_]:
    """True for each polygon that one of `others` (both EPSG:4326) intersects, or comes within `buffer_m` metres of."""
    polygons = np.asarray(polygons, dtype=object)
    found = np.zeros(len(polygons), dtype=bool)
    if not len(polygons) or not len(others):
        return found
    found[others.query(polygons, predicate="intersects")[0]] = True
    if buffer_m > 0.0:
        rest = np.flatnonzero(~found)
        found[rest] = _within_distance(polygons[rest], others, buffer_m)
    return found


def _within_distance(
    polygons: npt.NDArray[np.object_], others: shapely.STRtree, distance_m: float
) -> npt.NDArray[np.bool_]:
    """Like `confirmed`, by distance measured in the polygon's UTM zone (scale within 0.1 %)."""
    found = np.zeros(len(polygons), dtype=bool)
    bounds = shapely.bounds(polygons)
    latitude = np.minimum(np.abs(bounds[:, [1, 3]]).max(axis=1) + 0.1, 89.0) if len(bounds) else np.zeros(0)
    margin = 1.05 * distance_m / _METRES_PER_DEGREE / np.cos(np.radians(latitude))
    boxes = shapely.box(bounds[:, 0] - margin, bounds[:, 1] - margin, bounds[:, 2] + margin, bounds[:, 3] + margin)
    left, right = others.query(boxes)
    middle = (bounds[:, :2] + bounds[:, 2:]) / 2.0
    zones = np.array([utm_epsg(x, y) for x, y in middle], dtype=np.int64)
    for zone in np.unique(zones[left]):
        chosen = zones[left] == zone
        ours = gpd.GeoSeries(polygons[left[chosen]], crs=WGS84).to_crs(int(zone)).values
        theirs = gpd.GeoSeries(others.geometries[right[chosen]], crs=WGS84).to_crs(int(zone)).values
        near = shapely.dwithin(np.asarray(ours, dtype=object), np.asarray(theirs, dtype=object), distance_m)
        found[left[chosen][near]] = True
    return found
