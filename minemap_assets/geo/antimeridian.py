"""Geometries in EPSG:4326 that cross the antimeridian: cut there, into parts on both sides of it."""

from collections.abc import Sequence

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry import Polygon
from shapely.geometry.base import BaseGeometry

from minemap_assets.geo.vector import WGS84

_HALF_TURN = 180.0
_WHOLE_TURN = 360.0
_AT_THE_LINE = 1e-7
"""Degrees, a centimetre at the equator: coordinates nearer to the antimeridian than this lie on it. One that was cut
there, projected and rounded to the millimetre comes back on either side, and would be cut again into slivers.
"""


def to_wgs84(geometries: Sequence[BaseGeometry], crs: str) -> npt.NDArray[np.object_]:
    """Geometries of a local CRS in degrees; one that crosses the antimeridian is cut there into parts on both sides."""
    degrees = np.array(gpd.GeoSeries(list(geometries), crs=crs).to_crs(WGS84), dtype=object)
    for number in _at_the_line(degrees):
        degrees[number] = _on_the_line(degrees[number])
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
    return _cut(shapely.transform(geometry, _unwrapped))


def sides(degrees: npt.NDArray[np.object_]) -> npt.NDArray[np.object_]:
    """Local geometries in EPSG:4326, those that were cut at the antimeridian as two: what lies on either side of it."""
    cut = crossing(degrees)
    if not len(cut):
        return degrees
    parts = [shapely.get_parts(degrees[number]) for number in cut]
    east = [shapely.get_x(shapely.centroid(some)) > 0.0 for some in parts]
    halved = [shapely.union_all(some[half]) for some, e in zip(parts, east, strict=True) for half in (~e, e)]
    return np.concatenate([np.delete(degrees, cut), np.array(halved, dtype=object)])


def short_way(degrees: npt.NDArray[np.object_]) -> npt.NDArray[np.object_]:
    """Areas in EPSG:4326 with every side drawn the short way round the Earth, cut at the antimeridian.

    A polygon across it whose file writes 179.9 and -179.9, or 180 and -180, for neighbouring vertices seems to go
    around the world the other way. One around a pole is closed there. What needs neither stays the very same.
    """
    drawn = degrees
    bounds = shapely.bounds(degrees).reshape(-1, 4)
    for number in np.flatnonzero(bounds[:, 2] - bounds[:, 0] > _HALF_TURN):
        parts = shapely.get_parts(degrees[number])
        short = [_short(part) if isinstance(part, Polygon) else part for part in parts]
        if any(new is not old for new, old in zip(short, parts, strict=True)):
            drawn = degrees.copy() if drawn is degrees else drawn
            drawn[number] = shapely.union_all([_valid(part) for part in short])
    return drawn


def _short(polygon: Polygon) -> BaseGeometry:
    """A polygon with its rings unrolled along their short sides, brought back to a turn; itself where none is long."""
    rings = [polygon.exterior, *polygon.interiors]
    long = [np.abs(np.diff(shapely.get_coordinates(ring)[:, 0])) > _HALF_TURN for ring in rings]
    if not any(sides.any() for sides in long):
        return polygon
    shell, *holes = [_unrolled(shapely.get_coordinates(ring), sides) for ring, sides in zip(rings, long, strict=True)]
    west, east = shell[:, 0].min(), shell[:, 0].max()
    if west == east:
        # a box from -180 to 180: it is the whole turn
        return polygon
    for hole in holes:
        hole[:, 0] += _WHOLE_TURN * (float(hole[:, 0].min() < west) - float(hole[:, 0].max() > east))
    turns = -np.floor((west + _HALF_TURN) / _WHOLE_TURN) * _WHOLE_TURN
    flat = _moved(_valid(Polygon(shell, holes)), float(turns))
    return flat if east + turns <= _HALF_TURN else shapely.union_all(_cut(flat, west=-_HALF_TURN))


def _unrolled(ring: npt.NDArray[np.float64], long: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Coordinates of a closed ring, longitudes going on past 180 degrees; closed over the pole it goes around."""
    if long.any():
        start = int(np.flatnonzero(long)[0]) + 1
        ring = np.concatenate([ring[start:], ring[1 : start + 1]])
    steps = (np.diff(ring[:, 0]) + _HALF_TURN) % _WHOLE_TURN - _HALF_TURN
    open_ring = np.column_stack([ring[0, 0] + np.concatenate([[0.0], np.cumsum(steps)]), ring[:, 1]])
    if abs(open_ring[-1, 0] - open_ring[0, 0]) < _HALF_TURN:
        open_ring[-1] = open_ring[0]
        return open_ring
    pole = np.copysign(90.0, ring[:, 1].mean())
    over = [[open_ring[-1, 0], pole], [open_ring[0, 0], pole], open_ring[0]]
    return np.concatenate([open_ring, over])


def within_a_turn(degrees: npt.NDArray[np.object_]) -> npt.NDArray[np.object_]:
    """Geometries in degrees, longitudes from -360 to 360, brought to between -180 and 180; cut where they cross."""
    found = degrees.copy()
    bounds = shapely.bounds(degrees).reshape(-1, 4)
    for number in np.flatnonzero((bounds[:, 0] < -_HALF_TURN) | (bounds[:, 2] > _HALF_TURN)):
        turn = _WHOLE_TURN if bounds[number, 0] < -_HALF_TURN else 0.0
        west, east = bounds[number, 0] + turn, bounds[number, 2] + turn
        if east <= _HALF_TURN or west >= _HALF_TURN:
            found[number] = _moved(degrees[number], turn if east <= _HALF_TURN else turn - _WHOLE_TURN)
        else:
            found[number] = shapely.union_all(_cut(_valid(_moved(degrees[number], turn)), west=-_HALF_TURN))
    return found


def _moved(geometry: BaseGeometry, degrees: float) -> BaseGeometry:
    return shapely.transform(geometry, lambda xy: xy + np.array([degrees, 0.0]))


def _unwrapped(xy: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Western longitudes as 180 to 360."""
    return np.column_stack([np.where(xy[:, 0] < 0.0, xy[:, 0] + _WHOLE_TURN, xy[:, 0]), xy[:, 1]])


def _cut(unwrapped: BaseGeometry, west: float = 0.0) -> tuple[BaseGeometry, BaseGeometry]:
    """A geometry with longitudes from `west` to 540: what lies before 180 degrees, and what lies behind it as western
    longitudes.
    """
    before = shapely.intersection(unwrapped, shapely.box(west, -90.0, _HALF_TURN, 90.0))
    behind = shapely.intersection(unwrapped, shapely.box(_HALF_TURN, -90.0, _WHOLE_TURN + _HALF_TURN, 90.0))
    return before, _moved(behind, -_WHOLE_TURN)


def _valid(geometry: BaseGeometry) -> BaseGeometry:
    return geometry if geometry.is_valid else shapely.make_valid(geometry, method="structure")


def _at_the_line(degrees: npt.NDArray[np.object_]) -> npt.NDArray[np.intp]:
    """Places of geometries with coordinates at the antimeridian."""
    bounds = shapely.bounds(degrees).reshape(-1, 4)
    reach = _HALF_TURN - _AT_THE_LINE
    return np.flatnonzero((bounds[:, 0] < -reach) | (bounds[:, 2] > reach))


def _on_the_line(geometry: BaseGeometry) -> BaseGeometry:
    """A local geometry in degrees, its coordinates at the antimeridian exactly on it, on the side where it lies."""

    def snapped(xy: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        near = np.abs(xy[:, 0]) > _HALF_TURN - _AT_THE_LINE
        far = xy[~near, 0]
        side = -_HALF_TURN if len(far) and far.max() < 0.0 else _HALF_TURN
        return np.column_stack([np.where(near, side, xy[:, 0]), xy[:, 1]])

    return shapely.transform(geometry, snapped)
