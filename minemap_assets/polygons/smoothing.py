"""Smoothing: outlines along pixel edges become slanted lines with fewer points, at unchanged area.

Corners are cut half a pixel from their point; at the end of a single step, where a slanted boundary was drawn as a
stair, as far as the middle of the pixel edges on both sides. Where a smooth boundary was compared with the centres of
pixels, it passes within half a pixel of these middles. Points that the line hardly needs are left out. Then every ring
moves outwards or inwards by a constant, some hundredths of a pixel, until it encloses what it did before.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely

BOUNDARY_ERROR = 0.5
"""Pixels that a point of a smoothed outline may lie away from the outline it was made of."""

_HALF = 0.5
_STEP = 1.01
"""Edges up to this many pixels are single steps of a stair."""

_NEGLIGIBLE = 0.01
"""Pixels within which corners are taken to lie on a line already."""

_Geometries = npt.NDArray[np.object_]
_Numbers = npt.NDArray[np.float64]
_Offsets = npt.NDArray[np.int64]


@dataclass(frozen=True)
class _Way:
    """How to smooth, in pixels: how far from a corner stairs are cut, and within what points are left out."""

    reach: float
    tolerance: float

    @property
    def allowance(self) -> float:
        """Pixels that a ring may move for its area: what the other steps leave of `BOUNDARY_ERROR`.

        A cut at distances a and b from a corner lies at most a b / (a + b) away from its sides.
        """
        cut = self.reach * _STEP / 2.0 / (self.reach + _STEP / 2.0)
        return BOUNDARY_ERROR - cut - self.tolerance - _NEGLIGIBLE


_WAYS = (_Way(2.0, 0.05), _Way(_HALF, 0.03))
"""Small shapes need more room to keep their area, so that less of it is left for cutting their stairs."""


@dataclass(frozen=True, eq=False)
class _Rings:
    """Rings of polygons: points (N, 2) without the repeated last one, where rings begin, where polygons begin."""

    points: _Numbers
    rings: _Offsets
    polygons: _Offsets

    def after(self, values: _Numbers) -> _Numbers:
        """For each point, the value of the next point of its ring."""
        last = self.rings[1:] - 1
        shifted = np.roll(values, -1, axis=0)
        shifted[last] = values[self.rings[:-1]]
        return shifted

    def before(self, values: _Numbers) -> _Numbers:
        """For each point, the value of the point before it in its ring."""
        shifted = np.roll(values, 1, axis=0)
        shifted[self.rings[:-1]] = values[self.rings[1:] - 1]
        return shifted

    def crossed(self, left: _Numbers, right: _Numbers) -> _Numbers:
        """Half the sum of the cross products left x right of each ring's points."""
        product = left[:, 0] * right[:, 1] - left[:, 1] * right[:, 0]
        return np.asarray(np.add.reduceat(product, self.rings[:-1]) / 2.0, dtype=np.float64)

    def centred(self) -> _Numbers:
        """Points from the first one of their ring on, so that areas keep all their digits."""
        first = self.points[self.rings[:-1]]
        return self.points - np.repeat(first, np.diff(self.rings), axis=0)

    def areas(self) -> _Numbers:
        """Signed area of each ring."""
        local = self.centred()
        return self.crossed(local, self.after(local))


def smoothed(polygons: _Geometries, pixel_m: float) -> _Geometries:
    """Smooth polygons or multipolygons of a projected CRS in metres that follow edges of pixels of `pixel_m` metres.

    Each result is valid, every ring encloses the area it enclosed before, and no point of a ring lies further than
    `BOUNDARY_ERROR` pixels from where the ring was. A polygon that cannot be smoothed so stays as it is.
    """
    done = polygons.copy()
    if not len(polygons):
        return done
    parts, owner = shapely.get_parts(polygons, return_index=True)
    smooth = _smoothed_parts(parts, pixel_m)
    single = shapely.get_type_id(polygons) == shapely.GeometryType.POLYGON
    done[single] = smooth[single[owner]]
    for number in np.flatnonzero(~single):
        whole = shapely.multipolygons(smooth[owner == number])
        done[number] = whole if whole.is_valid else polygons[number]
    return done


def _smoothed_parts(polygons: _Geometries, pixel_m: float) -> _Geometries:
    """Simple polygons smoothed in the first way that keeps the promise, else as they are."""
    done = polygons.copy()
    left = np.arange(len(polygons))
    for way in _WAYS:
        simple = shapely.simplify(polygons[left], _NEGLIGIBLE * pixel_m)
        cut = _polygons(_without_corners(_rings(simple), pixel_m, way.reach * pixel_m))
        cut = shapely.simplify(cut, way.tolerance * pixel_m)
        restored, moved = _with_areas(_rings(cut), _rings(polygons[left]).areas())
        good = (moved <= way.allowance * pixel_m) & shapely.is_valid(restored)
        done[left[good]] = restored[good]
        left = left[~good]
        if not len(left):
            break
    return done


def _rings(polygons: _Geometries) -> _Rings:
    _, points, (rings, shells) = shapely.to_ragged_array(polygons, include_z=False)
    open_ended = np.ones(len(points), dtype=bool)
    open_ended[rings[1:] - 1] = False
    return _Rings(points[open_ended], rings - np.arange(len(rings)), np.asarray(shells, dtype=np.int64))


def _polygons(rings: _Rings) -> _Geometries:
    lengths = np.diff(rings.rings)
    offsets = rings.rings + np.arange(len(rings.rings))
    places = np.arange(offsets[-1]) - np.repeat(np.arange(len(lengths)), lengths + 1)
    places[offsets[1:] - 1] = rings.rings[:-1]
    made = shapely.from_ragged_array(shapely.GeometryType.POLYGON, rings.points[places], (offsets, rings.polygons))
    return np.asarray(made, dtype=object)


def _without_corners(rings: _Rings, pixel_m: float, reach_m: float) -> _Rings:
    """Each edge shortened at both ends; one that is used up becomes a point in its middle."""
    edge = rings.after(rings.points) - rings.points
    length = np.hypot(edge[:, 0], edge[:, 1])
    previous = rings.before(edge)
    turn = previous[:, 0] * edge[:, 1] - previous[:, 1] * edge[:, 0]
    in_stair = (turn > 0.0) != (rings.after(turn) > 0.0)
    half = length / 2.0
    usual, far = np.minimum(half, _HALF * pixel_m), np.minimum(half, reach_m)
    step = _STEP * pixel_m
    start = np.where(in_stair & (rings.before(length) <= step), far, usual)
    stop = np.where(in_stair & (rings.after(length) <= step), far, usual)
    along = edge / length[:, None]
    ends = np.stack([rings.points + along * start[:, None], rings.points + along * (length - stop)[:, None]], axis=1)
    kept = np.ones((len(length), 2), dtype=bool)
    kept[:, 1] = length - start - stop > _NEGLIGIBLE * pixel_m
    counts = np.concatenate([[0], np.cumsum(kept.sum(axis=1))])
    return _Rings(ends[kept], counts[rings.rings], rings.polygons)


def _with_areas(rings: _Rings, areas: _Numbers) -> tuple[_Geometries, _Numbers]:
    """The polygons of rings moved along their normals to signed `areas`, and how far a ring of each moved at most.

    The area is a polynomial of second degree in the distance; where it never gets there, the distance is infinite.
    """
    along = rings.after(rings.points) - rings.before(rings.points)
    length = np.hypot(along[:, 0], along[:, 1])
    normal = np.column_stack([along[:, 1], -along[:, 0]]) / np.where(length > 0.0, length, 1.0)[:, None]
    local = rings.centred()
    linear = rings.crossed(local, rings.after(normal)) + rings.crossed(normal, rings.after(local))
    square = rings.crossed(normal, rings.after(normal))
    missing = rings.areas() - areas
    root = linear**2 - 4.0 * square * missing
    below = linear + np.copysign(np.sqrt(np.maximum(root, 0.0)), linear)
    reached = (root >= 0.0) & (below != 0.0)
    distance = np.where(reached, -2.0 * missing / np.where(reached, below, 1.0), np.inf)
    shift = np.repeat(np.where(reached, distance, 0.0), np.diff(rings.rings))
    moved = _Rings(rings.points + shift[:, None] * normal, rings.rings, rings.polygons)
    return _polygons(moved), np.maximum.reduceat(np.abs(distance), rings.polygons[:-1])
