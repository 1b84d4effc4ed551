"""Features: everything with an outline (rivers, sandbars, roads, mines of now and before), burned into a grid."""

import math
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import shapely
from affine import Affine
from shapely.geometry.base import BaseGeometry

from minemap_assets.simulation.noise import uniform
from minemap_assets.simulation.rivers import channel, sandbars
from minemap_assets.simulation.world import FRAME, World, reproject

NOTHING, SANDBAR, RIVER, ROAD, MINE, MINE_CHANNEL, REGROWTH = 0, 1, 2, 3, 4, 5, 10
"""Codes of the feature raster; REGROWTH + n means mined until n years ago (1 to 9)."""

MEMORY_YEARS = 9
ROAD_WIDTH = 13.0


@dataclass(frozen=True)
class Feature:
    """An outline and its code, in the order in which they are painted."""

    geometry: BaseGeometry
    code: int


@dataclass(frozen=True, eq=False)
class FeatureSet:
    """Features in one CRS with a spatial index."""

    features: tuple[Feature, ...]
    tree: shapely.STRtree

    def burn(self, width: int, height: int, transform: Affine) -> npt.NDArray[np.uint8]:
        """Codes (height, width): a pixel takes the last painted outline that holds its centre."""
        from rasterio.features import rasterize

        west, north = transform.c, transform.f
        box = shapely.box(west, north + height * transform.e, west + width * transform.a, north)
        rows = np.sort(self.tree.query(box))
        if len(rows) == 0:
            return np.zeros((height, width), dtype=np.uint8)
        shapes = [(self.features[r].geometry, self.features[r].code) for r in rows]
        return np.asarray(rasterize(shapes, (height, width), fill=NOTHING, transform=transform, dtype="uint8"))


@lru_cache(maxsize=64)
def features_of(world: World, year: int, crs: str) -> FeatureSet:
    """All features of a year in a projected CRS."""
    listed = [*_lasting(world, crs), *_mines(world, year, crs)]
    return FeatureSet(tuple(listed), shapely.STRtree([f.geometry for f in listed]))


@lru_cache(maxsize=8)
def _lasting(world: World, crs: str) -> tuple[Feature, ...]:
    bars = [Feature(g, SANDBAR) for river in world.rivers for g in sandbars(river)]
    water = [Feature(g, RIVER) for river in world.rivers for g in channel(river)]
    tracks = [Feature(g, ROAD) for g in roads(world)]
    return tuple(Feature(reproject(f.geometry, FRAME, crs), f.code) for f in (*bars, *water, *tracks))


def _mines(world: World, year: int, crs: str) -> list[Feature]:
    """Former outlines from old to young, the present ones, and the river that still runs through them."""
    listed: list[Feature] = []
    now = world.outlines(year)
    for age in range(MEMORY_YEARS, 0, -1):
        closed = (m.outline(year - age) for m in world.mines if any(p.life.years_closed(year) for p in m.parts))
        listed += [Feature(g, REGROWTH + age) for g in closed if g is not None]
    listed += [Feature(g, MINE) for g in now.values()]
    cores = [core for river in world.rivers for core in channel(river, 0.55)]
    tree = shapely.STRtree(cores)
    for outline in now.values():
        hits = [shapely.intersection(cores[i], outline) for i in np.sort(tree.query(outline, predicate="intersects"))]
        listed += [Feature(g, MINE_CHANNEL) for g in hits if g.area > 0]
    return [Feature(reproject(f.geometry, FRAME, crs), f.code) for f in listed]


@lru_cache(maxsize=4)
def roads(world: World) -> tuple[BaseGeometry, ...]:
    """Winding roads from each town to the next one east, and from each mine to its nearest town."""
    towns = sorted(world.towns, key=lambda t: t.x)
    joints = [((a.x, a.y), (b.x, b.y)) for a, b in pairwise(towns)]
    for mine in world.mines:
        outline = next(o for o in map(mine.outline, range(mine.opening, world.years[-1] + 1)) if o is not None)
        middle = outline.representative_point()
        near = min(towns, key=lambda t: math.hypot(t.x - middle.x, t.y - middle.y))
        joints.append(((near.x, near.y), (middle.x, middle.y)))
    pieces: list[BaseGeometry] = []
    for start, end in joints:
        points = _winding(start, end)
        for first in range(0, len(points) - 1, 40):
            line = shapely.LineString(points[first : first + 41])
            pieces.append(line.buffer(ROAD_WIDTH / 2.0, quad_segs=2))
    return tuple(pieces)


def _winding(start: tuple[float, float], end: tuple[float, float]) -> npt.NDArray[np.float64]:
    """Points (n, 2) about 40 m apart from start to end, swaying by up to a tenth of the way."""
    a, b = np.asarray(start), np.asarray(end)
    length = float(np.hypot(*(b - a)))
    place = np.linspace(0.0, 1.0, max(3, math.ceil(length / 40.0)))
    sway = np.zeros_like(place)
    for k in (1, 2, 3, 5):
        sway += (uniform("sway", k, *start, *end) - 0.5) * length * 0.12 / k * np.sin(math.pi * k * place)
    across = np.asarray([-(b - a)[1], (b - a)[0]]) / length
    return np.asarray(a + place[:, None] * (b - a) + sway[:, None] * across)
