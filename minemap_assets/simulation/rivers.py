"""Rivers: meandering centrelines, their channels and sandbars."""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry.base import BaseGeometry

from minemap_assets.simulation.noise import uniform

_STEP = 25.0


@dataclass(frozen=True)
class River:
    """A river from one point to another, `width` metres wide, swinging `swing` metres to either side."""

    name: str
    start: tuple[float, float]
    end: tuple[float, float]
    width: float
    swing: float


@lru_cache(maxsize=64)
def centreline(river: River) -> npt.NDArray[np.float64]:
    """Points (n, 2) of the centreline about 25 m apart."""
    start, end = np.asarray(river.start), np.asarray(river.end)
    length = float(np.hypot(*(end - start)))
    along = (end - start) / length
    across = np.asarray([-along[1], along[0]])
    metres = np.arange(0.0, length + _STEP, _STEP)
    offset = np.zeros_like(metres)
    for k, (wave, share) in enumerate(((5200.0, 1.0), (2300.0, 0.45), (1150.0, 0.2), (520.0, 0.06))):
        phase = uniform("meander", river.name, k)
        offset += river.swing * share * np.sin(2 * math.pi * (metres / wave + phase))
    return np.asarray(start + metres[:, None] * along + offset[:, None] * across)


def stretch_of(river: River, along: float, length: float, step: float) -> npt.NDArray[np.float64]:
    """Points (n, 2) every `step` metres of a stretch of the river with its middle at `along` metres downstream."""
    line = shapely.LineString(centreline(river))
    half = max(1, math.ceil(length / 2.0 / step))
    metres = along + np.linspace(-length / 2.0, length / 2.0, 2 * half + 1)
    return np.asarray(shapely.get_coordinates(shapely.line_interpolate_point(line, metres)))


def _widths(river: River, count: int) -> npt.NDArray[np.float64]:
    metres = np.arange(count) * _STEP
    wave = np.sin(2 * math.pi * (metres / 1700.0 + uniform("width", river.name)))
    return np.asarray(river.width * (1.0 + 0.25 * wave))


def _ribbon(points: npt.NDArray[np.float64], widths: npt.NDArray[np.float64]) -> BaseGeometry:
    lines = shapely.linestrings(np.stack([points[:-1], points[1:]], axis=1))
    return shapely.union_all(shapely.buffer(lines, (widths[:-1] + widths[1:]) / 4.0, quad_segs=4))


@lru_cache(maxsize=64)
def channel(river: River, share: float = 1.0) -> tuple[BaseGeometry, ...]:
    """The water surface, in pieces of about 2 km; `share` narrows it to its core."""
    points = centreline(river)
    widths = _widths(river, len(points)) * share
    piece = 80
    starts = range(0, len(points) - 1, piece)
    return tuple(_ribbon(points[s : s + piece + 1], widths[s : s + piece + 1]) for s in starts)


@lru_cache(maxsize=64)
def sandbars(river: River) -> tuple[BaseGeometry, ...]:
    """Crescents of sand on the inner side of the bends."""
    points = centreline(river)
    widths = _widths(river, len(points))
    heading = np.unwrap(np.arctan2(*np.gradient(points, axis=0).T[::-1]))
    turn = np.convolve(np.gradient(heading), np.ones(9) / 9.0, mode="same")
    strength = np.abs(turn)
    bars: list[BaseGeometry] = []
    reach = 12
    for i in range(reach, len(points) - reach):
        nearby = strength[i - reach : i + reach + 1]
        if strength[i] < nearby.max() or strength[i] < 0.02 or uniform("bar", river.name, i) < 0.2:
            continue
        span = slice(i - reach, i + reach + 1)
        normal = np.column_stack([-np.sin(heading[span]), np.cos(heading[span])]) * np.sign(turn[i])
        taper = np.cos(np.linspace(-1.0, 1.0, 2 * reach + 1) * math.pi / 2.0)
        breadth = widths[span] * (0.35 + 0.55 * uniform("breadth", river.name, i)) * taper + 4.0
        middle = points[span] + normal * (widths[span] * 0.5)[:, None]
        bars.append(_ribbon(middle, 2.0 * breadth))
    return tuple(bars)
