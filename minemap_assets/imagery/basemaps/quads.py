"""The quads of a mosaic: squares of web Mercator, numbered from the west and from the south.

A quad's id is `x-y`. In a NICFI mosaic there are 2048 quads on a side, each 19,568 m wide at the equator; other mosaics
state another pixel size or number of pixels a quad, so nothing is taken for granted but the square world.
"""

import math
import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely
from odc.geo.geobox import GeoBox
from shapely.geometry import Polygon
from shapely.geometry.base import BaseGeometry

from minemap_assets.errors import PermanentError
from minemap_assets.geo.grid import footprint_wgs84

CRS = "EPSG:3857"
RADIUS = 6_378_137.0
"""Radius of the web Mercator sphere, metres."""

WORLD = 2.0 * math.pi * RADIUS
"""Length of a side of the square world, metres."""

_TOLERANCE = 1e-4
"""Largest share of a quad by which a whole number of quads may miss the world's side."""

_ID = re.compile(r"(\d+)-(\d+)")


@dataclass(frozen=True, order=True)
class QuadId:
    """Number of a quad, `x` from the west and `y` from the south, both from 0."""

    x: int
    y: int

    def __str__(self) -> str:
        return f"{self.x}-{self.y}"


@dataclass(frozen=True, order=True)
class QuadGrid:
    """A world of `side` x `side` quads."""

    side: int

    @property
    def metres(self) -> float:
        """Length of a quad's side in EPSG:3857."""
        return WORLD / self.side

    def box(self, quad: QuadId) -> Polygon:
        """Outline of a quad in EPSG:3857."""
        left, bottom = (n * self.metres - WORLD / 2.0 for n in (quad.x, quad.y))
        return shapely.box(left, bottom, left + self.metres, bottom + self.metres)

    def box_wgs84(self, quad: QuadId) -> Polygon:
        """Outline of a quad in EPSG:4326."""
        left, bottom, right, top = self.box(quad).bounds
        return shapely.box(_longitude(left), _latitude(bottom), _longitude(right), _latitude(top))

    def touching(self, grid: GeoBox) -> tuple[QuadId, ...]:
        """Quads that share ground with a grid in any CRS, sorted; a grid may cross the antimeridian."""
        return self.touching_area(footprint_wgs84(grid))

    def touching_area(self, area: BaseGeometry) -> tuple[QuadId, ...]:
        """Quads that share ground with an area in EPSG:4326, sorted.

        An area that spans more than 180 degrees is one that crosses the antimeridian.
        """
        outline = _mercator(area)
        left, bottom, right, top = ((v + WORLD / 2.0) / self.metres for v in outline.bounds)
        rows = range(max(0, math.floor(bottom)), min(self.side, math.floor(top) + 1))
        shapely.prepare(outline)
        found = {
            QuadId(x % self.side, y)
            for x in range(math.floor(left), math.floor(right) + 1)
            for y in rows
            if outline.intersects(self.box(QuadId(x, y)))
        }
        return tuple(sorted(found))


def mercator_bounds(grid: GeoBox) -> tuple[float, float, float, float]:
    """Left, bottom, right, top of a grid in EPSG:3857 metres; right lies beyond the world's edge where the grid crosses
    the antimeridian.
    """
    left, bottom, right, top = _mercator(footprint_wgs84(grid)).bounds
    return left, bottom, right, top


def quad_grid(pixels: int, resolution: float, mosaic: str) -> QuadGrid:
    """The grid of a mosaic whose quads have `pixels` on a side of `resolution` metres. Raises `PermanentError`."""
    side = WORLD / (pixels * resolution) if pixels > 0 and resolution > 0 else 0.0
    if side < 0.5 or abs(side - round(side)) > _TOLERANCE * max(1.0, side / 1000.0):
        raise PermanentError(
            f"the mosaic {mosaic} states quads of {pixels} pixels of {resolution} m, which do not tile the world; "
            "leave it out with another name_contains under [sources.planet_basemaps]"
        )
    return QuadGrid(round(side))


def parse_quad(text: str) -> QuadId:
    """The number written as `x-y`. Raises `PermanentError`."""
    match = _ID.fullmatch(text)
    if match is None:
        raise PermanentError(f"the basemaps service answered with a quad called {text!r}, which is not x-y")
    return QuadId(int(match[1]), int(match[2]))


def _mercator(area: BaseGeometry) -> BaseGeometry:
    """An area in EPSG:4326 on the web Mercator plane, east of 180 degrees where it crosses the antimeridian."""
    west, _, east, _ = area.bounds
    crosses = east - west > 180.0

    def project(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        longitude = np.where(crosses & (points[:, 0] < 0), points[:, 0] + 360.0, points[:, 0])
        latitude = np.radians(np.clip(points[:, 1], -89.9, 89.9))
        return np.column_stack([np.radians(longitude) * RADIUS, np.arctanh(np.sin(latitude)) * RADIUS])

    return shapely.transform(area, project)


def _longitude(x: float) -> float:
    return math.degrees(x / RADIUS)


def _latitude(y: float) -> float:
    return math.degrees(math.asin(math.tanh(y / RADIUS)))
