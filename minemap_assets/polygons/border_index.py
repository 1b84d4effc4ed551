"""An index of borders: which zone holds a geometry, and the ground of zones around it, without looking at all of it.

Most polygons lie far from any border, many of them side by side: the box around a group of them is tested first, and
only groups that no zone holds are taken apart. What is cut is cut with the ground around it alone.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry.base import BaseGeometry

from minemap_assets.geo.grid import utm_epsg
from minemap_assets.geo.vector import WGS84

_GROUPS = (2.0, 0.5, 0.125)
"""Sides in degrees of the cells by whose polygons boxes are made, coarse to fine."""

_TILES = (16.0, 1.0)
"""Sides in degrees of the tiles to which ground is cut, coarse to fine."""

_AROUND = 0.5
"""Degrees by which ground reaches over the sides of its finest tile; over a coarser one's it reaches twice as far."""

_DEGREE_KM = 110.0
_HALF_TURN = 180.0

Objects = npt.NDArray[np.object_]
Numbers = npt.NDArray[np.int64]
Degrees = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Piece:
    """Ground of one zone, or a part of it; `zone` is its number."""

    zone: int
    ground: BaseGeometry


class _Ground:
    """Single polygons, the zone of each, and a tree of them; in order of zones."""

    def __init__(self, polygons: Objects, zones: Numbers) -> None:
        self.polygons = polygons
        self.zones = zones
        self.tree = shapely.STRtree(polygons)

    def cut(self, box: BaseGeometry) -> "_Ground":
        """What of it lies in a box."""
        found = np.sort(self.tree.query(box, predicate="intersects"))
        parts, origin = shapely.get_parts(shapely.intersection(self.polygons[found], box), return_index=True)
        areal = shapely.get_type_id(parts) == shapely.GeometryType.POLYGON
        return _Ground(parts[areal], self.zones[found][origin[areal]])

    def around_the_world(self, box: BaseGeometry) -> "_Ground":
        """Like `cut`, with what lies behind the antimeridian in a box that reaches over it."""
        west, south, east, north = box.bounds
        turn = 360.0 * (float(east > _HALF_TURN) - float(west < -_HALF_TURN))
        here = self.cut(box)
        if not turn:
            return here
        there = self.cut(shapely.box(west - turn, south, east - turn, north))
        moved = shapely.transform(there.polygons, lambda xy: xy + np.array([turn, 0.0]))
        zones = np.concatenate([here.zones, there.zones])
        order = np.argsort(zones, kind="stable")
        return _Ground(np.concatenate([here.polygons, moved])[order], zones[order])

    def projected(self, epsg: int) -> "_Ground":
        """The same in metres of a UTM zone."""
        return _Ground(shapely.transform(self.polygons, _utm(epsg)), self.zones)


class BorderIndex:
    """Zones: valid areas in EPSG:4326, numbered from 0. Where they overlap, the smaller number has the ground."""

    def __init__(self, zones: Objects, tolerance_km: float) -> None:
        polygons, origin = shapely.get_parts(zones, return_index=True)
        self._all = _Ground(polygons, origin.astype(np.int64))
        self._tolerance_km = tolerance_km
        self._tiles: dict[tuple[float, int, int], _Ground] = {}
        shapely.prepare(polygons)

    def holding(self, geometries: Objects) -> Numbers:
        """Number of the first zone that covers each geometry; -1 where none does, or only several of its polygons."""
        found = np.full(len(geometries), -1, dtype=np.int64)
        bounds = shapely.bounds(geometries).reshape(-1, 4)
        # the antimeridian cuts geometries in two: their box goes around the world
        left = np.flatnonzero(bounds[:, 2] - bounds[:, 0] <= _HALF_TURN)
        for side in _GROUPS:
            groups = _Groups.of(bounds[left], side)
            if len(groups.boxes) * 2 <= len(left):
                found[left] = self._first(_boxes(groups.boxes))[groups.number]
                left = left[found[left] < 0]
        rest = np.flatnonzero(found < 0)
        found[rest] = self._first(geometries[rest])
        return found

    def remote(self, geometries: Objects) -> npt.NDArray[np.bool_]:
        """Whether no zone comes within the tolerance of a geometry, as far as boxes tell."""
        bounds = shapely.bounds(geometries).reshape(-1, 4)
        wide, high = self._reach(np.abs(bounds[:, [1, 3]]).max(axis=1, initial=0.0))
        grown = bounds + np.column_stack([-wide, -high, wide, high])
        near = np.unique(self._all.tree.query(_boxes(grown))[0])
        # what comes near the antimeridian may have land behind it
        inner = (grown[:, 0] > -_HALF_TURN) & (grown[:, 2] < _HALF_TURN)
        return np.asarray(inner & ~np.isin(np.arange(len(geometries)), near), dtype=bool)

    def pieces(self, geometries: Objects) -> list[list[Piece]]:
        """For each geometry the ground around it that meets it, in the order of zones."""
        found: list[list[Piece]] = [[] for _ in geometries]
        for ground, rows in self._grounds(geometries):
            asked, row = ground.tree.query(geometries[rows], predicate="intersects")
            order = np.lexsort((row, asked))
            for number, one in zip(rows[asked[order]], row[order], strict=True):
                found[number].append(Piece(int(ground.zones[one]), ground.polygons[one]))
        return found

    def nearest(self, geometries: Objects) -> Numbers:
        """Number of the zone nearest to each geometry, within the tolerance and by distance in the UTM zone; else -1.

        Equal distances go to the smaller number; without a tolerance nothing is near.
        """
        found = np.full(len(geometries), -1, dtype=np.int64)
        if self._tolerance_km <= 0.0:
            return found
        middles = shapely.get_coordinates(shapely.centroid(geometries))
        zones = np.array([utm_epsg(x, y) for x, y in middles], dtype=np.int64)
        reach = self._tolerance_km * 1000.0
        for epsg in np.unique(zones):
            chosen = np.flatnonzero(zones == epsg)
            for ground, rows in self._grounds(geometries[chosen]):
                metres = ground.projected(int(epsg))
                here = shapely.transform(geometries[chosen[rows]], _utm(int(epsg)))
                asked, row = metres.tree.query_nearest(here, max_distance=reach)
                order = np.lexsort((row, asked))
                first = np.unique(asked[order], return_index=True)[1]
                found[chosen[rows[asked[order][first]]]] = metres.zones[row[order][first]]
        return found

    def _grounds(self, geometries: Objects) -> Iterator[tuple[_Ground, Numbers]]:
        """Geometries by the ground around them: places of those that share it, none of the empty ones."""
        bounds = shapely.bounds(geometries).reshape(-1, 4)
        filled = np.flatnonzero(~np.isnan(bounds[:, 0]))
        groups = _Groups.of(bounds[filled], _TILES[-1])
        for number, box in enumerate(groups.boxes):
            rows = filled[groups.number == number]
            ground = self._around(box)
            if ground is not None:
                yield ground, rows
                continue
            for row in rows:
                yield self._around(bounds[row]) or self._all, np.array([row])

    def _reach(self, latitude: npt.ArrayLike) -> tuple[Degrees, Degrees]:
        """The tolerance in degrees of longitude and of latitude."""
        high = np.full(np.shape(latitude), self._tolerance_km / _DEGREE_KM)
        wide = high / np.maximum(np.cos(np.radians(np.minimum(np.asarray(latitude) + high, 89.0))), 0.02)
        return wide, high

    def _first(self, geometries: Objects) -> Numbers:
        """Like `holding`, one by one; -1 also where a zone with a smaller number meets one that it does not cover."""
        asked, row = self._all.tree.query(geometries)
        held = shapely.covers(self._all.polygons[row], geometries[asked])
        found = np.full(len(geometries), len(self._all.polygons), dtype=np.int64)
        np.minimum.at(found, asked[held], row[held])
        # of two zones with the same ground the first has it, also where it covers a part only
        rival = ~held & (self._all.zones[row] < self._zone_of(found)[asked]) & (found[asked] < len(self._all.polygons))
        meets = np.flatnonzero(rival)
        meets = meets[shapely.intersects(self._all.polygons[row[meets]], geometries[asked[meets]])]
        zones = self._zone_of(found)
        zones[asked[meets]] = -1
        return zones

    def _zone_of(self, polygons: Numbers) -> Numbers:
        return np.append(self._all.zones, -1)[polygons]

    def _around(self, bounds: Degrees) -> _Ground | None:
        """Ground that reaches over the bounds on all sides, by more than the tolerance; None where no tile does."""
        wide, high = (float(d) for d in self._reach(np.abs(bounds[[1, 3]]).max()))
        ground, beyond = self._all, _AROUND * 2 ** (len(_TILES) - 1)
        for side in _TILES:
            column, row = ((bounds[n] + bounds[n + 2]) / 2 // side for n in (0, 1))
            west, south = column * side - beyond, row * side - beyond
            east, north = west + side + 2 * beyond, south + side + 2 * beyond
            if bounds[0] - wide < west or bounds[1] - high < south:
                return None
            if bounds[2] + wide > east or bounds[3] + high > north:
                return None
            key = (side, int(column), int(row))
            if key not in self._tiles:
                box = shapely.box(west, south, east, north)
                self._tiles[key] = ground.around_the_world(box) if ground is self._all else ground.cut(box)
            ground, beyond = self._tiles[key], beyond / 2
        return ground


@dataclass(frozen=True, eq=False)
class _Groups:
    """The group of each geometry, and the box around each group (west, south, east, north)."""

    number: Numbers
    boxes: Degrees

    @classmethod
    def of(cls, bounds: Degrees, side: float) -> "_Groups":
        """Geometries whose boxes have their middles in one cell of a grid."""
        columns = np.floor((bounds[:, 0] + bounds[:, 2]) / 2 / side).astype(np.int64)
        rows = np.floor((bounds[:, 1] + bounds[:, 3]) / 2 / side).astype(np.int64)
        _, number = np.unique(columns * 1_000_003 + rows, return_inverse=True)
        order = np.argsort(number, kind="stable")
        starts = np.flatnonzero(np.diff(number[order], prepend=-1))
        if not len(starts):
            return cls(number.astype(np.int64), np.zeros((0, 4)))
        low = np.minimum.reduceat(bounds[order, :2], starts, axis=0)
        high = np.maximum.reduceat(bounds[order, 2:], starts, axis=0)
        return cls(number.astype(np.int64), np.hstack([low, high]))


def _boxes(bounds: Degrees) -> Objects:
    """A box for each row of west, south, east, north."""
    return np.asarray(shapely.box(*bounds.T), dtype=object)


@cache
def _utm(epsg: int) -> Callable[[Degrees], Degrees]:
    """Degrees to metres in a UTM zone, as `shapely.transform` asks for."""
    from pyproj import Transformer

    transformer = Transformer.from_crs(WGS84, f"EPSG:{epsg}", always_xy=True)
    return lambda xy: np.column_stack(transformer.transform(xy[:, 0], xy[:, 1]))
