"""Mines: outlines as formulas of the year.

Coordinates are metres in the world's own equal-area frame. Growth scales each part about its own centre, so the outline
of a year holds the outline of every year before it until closing; afterwards forest closes in from the edge.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import shapely
from shapely.geometry import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from minemap_assets.simulation.noise import uniform
from minemap_assets.simulation.rivers import River, stretch_of

FIRST_SIZE = 0.6
"""Share of the final radius in the opening year."""

SMALLEST_PART_M2 = 2_500.0
"""Parts smaller than this (100 pixels of 5 m) count as grown over."""


@dataclass(frozen=True)
class Life:
    """Years of a part: opens in `opening`, is full grown after `growing` years, and from `closing` on is grown over."""

    opening: int
    growing: int = 6
    closing: int | None = None
    pauses: tuple[int, ...] = ()

    def size(self, year: int) -> float:
        """Share of the full size, 0 before opening; it stands still in the pause years and after closing."""
        if year < self.opening:
            return 0.0
        last = year if self.closing is None else min(year, self.closing)
        age = last - self.opening - sum(self.opening < p <= last for p in self.pauses)
        return FIRST_SIZE + (1.0 - FIRST_SIZE) * min(age / self.growing, 1.0)

    def years_closed(self, year: int) -> int:
        """Years since closing, 0 while at work."""
        return 0 if self.closing is None else max(0, year - self.closing)


@dataclass(frozen=True)
class Blob:
    """A star-shaped pit of some mean radius around (x, y), metres."""

    x: float
    y: float
    radius: float
    life: Life
    shape: int = 0


@dataclass(frozen=True)
class Strip:
    """Workings along a river: from its middle at `along` metres downstream, `length` long and about `width` wide."""

    river: River
    along: float
    length: float
    width: float
    life: Life
    shape: int = 0


@dataclass(frozen=True)
class Mine:
    """One mine: a `kind` for people ("pit", "strip" or "cluster") and the parts it is the union of."""

    mine_id: str
    kind: str
    region: str
    parts: tuple[Blob | Strip, ...]

    @property
    def opening(self) -> int:
        """First year with mining."""
        return min(p.life.opening for p in self.parts)

    def outline(self, year: int) -> Polygon | MultiPolygon | None:
        """What is mined in a year, in the world's frame; None where nothing is."""
        return _outline(self, year)


@lru_cache(maxsize=4096)
def _outline(mine: Mine, year: int) -> Polygon | MultiPolygon | None:
    parts = [p for p in (part_outline(part, year) for part in mine.parts) if p is not None]
    if not parts:
        return None
    union = shapely.union_all(parts)
    return union if isinstance(union, Polygon | MultiPolygon) and not union.is_empty else None


def part_outline(part: Blob | Strip, year: int) -> Polygon | MultiPolygon | None:
    """Outline of one part in a year, after growth and regrowth; None where nothing is left."""
    size = part.life.size(year)
    if size == 0.0:
        return None
    full = _blob(part, size) if isinstance(part, Blob) else _strip(part, size)
    closed = part.life.years_closed(year)
    if closed:
        half_width = part.radius if isinstance(part, Blob) else part.width / 2.0
        full = full.buffer(-0.13 * half_width * closed)
    return _without_crumbs(full)


def _without_crumbs(geometry: BaseGeometry) -> Polygon | MultiPolygon | None:
    kept = [p for p in shapely.get_parts(geometry) if p.area >= SMALLEST_PART_M2]
    if not kept:
        return None
    return kept[0] if len(kept) == 1 else MultiPolygon(kept)


def _blob(blob: Blob, size: float) -> BaseGeometry:
    """Radius = mean x (1 + harmonics 2 to 7 of the angle), with phases from the blob's position and shape number."""
    angle = np.linspace(0.0, 2.0 * math.pi, 96, endpoint=False)
    radius = np.ones_like(angle)
    for k in range(2, 8):
        phase = 2.0 * math.pi * uniform("phase", k, blob.x, blob.y, blob.shape)
        swing = 0.30 * (0.5 + uniform("swing", k, blob.x, blob.y, blob.shape)) / k
        radius += swing * np.cos(k * angle + phase)
    radius *= blob.radius * size
    return Polygon(np.column_stack([blob.x + radius * np.cos(angle), blob.y + radius * np.sin(angle)]))


def _strip(strip: Strip, size: float) -> BaseGeometry:
    """Discs of changing radius along the river, tapering towards both ends."""
    points = stretch_of(strip.river, strip.along, strip.length * size, step=15.0)
    place = np.linspace(-1.0, 1.0, len(points))
    wave = np.zeros(len(points))
    # The waves hang on the place along the river, not on the length so far: a strip keeps its bulges while it grows.
    metres = place * strip.length * size / 2.0
    for k, length in enumerate((620.0, 340.0, 190.0)):
        wave += 0.16 * np.sin(2 * math.pi * (metres / length + uniform("bulge", k, strip.along, strip.shape)))
    width = strip.width / 2.0 * (0.55 + 0.45 * size) * (1.0 + wave) * (1.0 - 0.45 * np.abs(place) ** 3)
    discs = shapely.buffer(shapely.points(points), width, quad_segs=6)
    return shapely.simplify(shapely.union_all(discs), 1.0)
