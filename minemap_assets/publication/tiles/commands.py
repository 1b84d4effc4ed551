"""Geometries as the commands of a vector tile (Mapbox Vector Tile Specification 2.1, section 4.3), many at once."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely

from minemap_assets.publication.tiles.varints import zigzag

Ints = npt.NDArray[np.int64]

POINT, POLYGON = 1, 3
"""Types of geometry, by the numbers of the specification."""

_MOVE_TO, _LINE_TO, _CLOSE = 1, 2, 15


@dataclass(frozen=True)
class Commands:
    """The commands of n features after each other; those of feature i begin at `starts[i]` (n + 1 numbers)."""

    kind: int
    numbers: Ints
    starts: Ints


def point_commands(xy: Ints) -> Commands:
    """Single points (n, 2) in units of their tiles."""
    numbers = np.empty((len(xy), 3), dtype=np.int64)
    numbers[:, 0] = (1 << 3) | _MOVE_TO
    numbers[:, 1:] = zigzag(xy)
    return Commands(POINT, numbers.ravel(), np.arange(len(xy) + 1, dtype=np.int64) * 3)


def polygon_commands(polygons: npt.NDArray[np.object_]) -> Commands:
    """Valid polygons and multipolygons whose coordinates are whole units of their tiles, y downward.

    Shells are written clockwise as seen on the map, holes the other way.
    """
    if not len(polygons):
        return Commands(POLYGON, np.zeros(0, dtype=np.int64), np.zeros(1, dtype=np.int64))
    # with y downward, what turns left in mathematics turns right on the map
    turned = shapely.orient_polygons(polygons, exterior_cw=False)
    _, coordinates, (rings, *groups) = shapely.to_ragged_array(turned)
    xy, ring_starts = _open_rings(np.rint(coordinates).astype(np.int64), np.asarray(rings, dtype=np.int64))
    # rings by polygon, and where there is a multipolygon, polygons by feature
    by_feature = groups[0] if len(groups) == 1 else groups[0][groups[1]]
    return _written(xy, ring_starts, np.asarray(by_feature, dtype=np.int64))


def _open_rings(xy: Ints, starts: Ints) -> tuple[Ints, Ints]:
    """Rings without the closing point and without a point that repeats the one before it."""
    ring = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    keep = np.ones(len(xy), dtype=bool)
    keep[1:] = (xy[1:] != xy[:-1]).any(axis=1) | (ring[1:] != ring[:-1])
    xy, ring = xy[keep], ring[keep]
    last = np.append(ring[1:] != ring[:-1], True)
    counts = np.bincount(ring[~last], minlength=len(starts) - 1)
    return xy[~last], np.concatenate([[0], np.cumsum(counts)])


def _written(xy: Ints, starts: Ints, features: Ints) -> Commands:
    """Commands of rings; feature i has the rings from `features[i]` to `features[i + 1]`."""
    counts = np.diff(starts)
    ring = np.repeat(np.arange(len(counts)), counts)
    before = np.zeros_like(xy)
    before[1:] = xy[:-1]
    before[starts[features[:-1]]] = 0
    steps = zigzag(xy - before)
    # move to, x, y, line to, then x and y of every further point, close
    ring_starts = np.concatenate([[0], np.cumsum(2 * counts + 3)])
    numbers = np.empty(int(ring_starts[-1]), dtype=np.int64)
    numbers[ring_starts[:-1]] = (1 << 3) | _MOVE_TO
    numbers[ring_starts[:-1] + 3] = ((counts - 1) << 3) | _LINE_TO
    numbers[ring_starts[1:] - 1] = _CLOSE
    place = np.arange(len(xy)) - starts[ring]
    into = ring_starts[ring] + np.where(place == 0, 1, 2 + 2 * place)
    numbers[into], numbers[into + 1] = steps[:, 0], steps[:, 1]
    return Commands(POLYGON, numbers, ring_starts[features])
