"""Strata: the ground of known sites by what the maps of two years say of it, cut by country.

The frame is the ground that the sites of the regions own. Near an outline of either year a map is least certain, so
that such ground is a stratum of its own, whatever the map says there (Olofsson et al. 2020, "Mitigating the effects of
omission errors on area and area change estimates", Remote Sensing of Environment 236).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry import Polygon
from shapely.geometry.base import BaseGeometry

from minemap_assets.geo.antimeridian import to_wgs84
from minemap_assets.geo.grid import utm_epsg
from minemap_assets.geo.vector import WGS84, polygons_only
from minemap_assets.polygons.countries import Borders
from minemap_assets.validation.map_reading import Points, RegionGround, RegionMap

STABLE_MINE, STABLE_OTHER, GAIN, LOSS = "stable mine", "stable other", "gain", "loss"
MINE, OTHER = "mine", "other"
NEAR, UNSEEN = "near boundary", "not observed"

_DEGREE_METRES = 110_000.0
_HALF_TURN = 180.0
_NOWHERE = Polygon()


@dataclass(frozen=True, eq=False)
class Piece:
    """Ground of a site in one country that both maps say the same of (EPSG:4326).

    `kind` is the stratum without its country. `mine_start`, `mine_end` and `mine_both` are the parts of it that are
    mapped in the first year, in the last and in both.
    """

    region: str
    site_id: str
    iso3: str
    kind: str
    geometry: BaseGeometry
    mine_start: BaseGeometry
    mine_end: BaseGeometry
    mine_both: BaseGeometry


@dataclass(frozen=True, eq=False)
class TwoMaps:
    """A region's maps of the first and the last year; of one year alone they are the same."""

    start: RegionMap
    end: RegionMap

    @property
    def single(self) -> bool:
        """True for one year alone."""
        return self.start is self.end


@dataclass(frozen=True, eq=False)
class Countries:
    """Country boundaries by code, and whose ground is whose."""

    borders: Borders
    shapes: Mapping[str, BaseGeometry]

    @classmethod
    def of(cls, boundaries: gpd.GeoDataFrame, tolerance_km: float) -> "Countries":
        """From the table of `country_boundaries`; what lies off all coasts goes to the nearest one within so far."""
        shapes = {str(iso3): shapely.union_all(list(rows.geometry)) for iso3, rows in boundaries.groupby("iso3")}
        return cls(Borders(boundaries, tolerance_km), shapes)

    def cut(self, cells: Points) -> Iterator[list[tuple[str, BaseGeometry]]]:
        """Each cell as parts by country."""
        split = self.borders.split(cells)
        codes = split.groupby("polygon")["iso3"].agg(list)
        for number, cell in enumerate(cells):
            yield [(codes[number][0], cell)] if len(codes[number]) == 1 else list(self._parts(cell, codes[number]))

    def _parts(self, cell: BaseGeometry, codes: Sequence[str]) -> Iterator[tuple[str, BaseGeometry]]:
        rest = cell
        for iso3 in codes:
            shape = self.shapes.get(iso3, _NOWHERE)
            yield iso3, _areal(shapely.intersection(rest, shape))
            rest = _areal(shapely.difference(rest, shape))
        if not rest.is_empty:
            yield self.borders.of_points(np.array([shapely.point_on_surface(rest)], dtype=object))[0], rest


def pieces(
    grounds: Sequence[RegionGround], maps: Mapping[str, TwoMaps], countries: Countries, near_m: float
) -> Iterator[Piece]:
    """The frame in pieces: every ground point of a site inside its region once, in order of regions and sites.

    Where the windows of two regions overlap, the first in the alphabet has the ground.
    """
    taken: list[BaseGeometry] = []
    for ground in sorted(grounds, key=lambda g: g.slug):
        if ground.slug not in maps:
            continue
        cells = _cells(ground, taken)
        layers = _Layers(maps[ground.slug], near_m)
        real = np.flatnonzero(~shapely.is_empty(cells))
        for number, parts in zip(real.tolist(), countries.cut(cells[real]), strict=True):
            for iso3, part in parts:
                for side in _sides(part):
                    yield from layers.of(ground.slug, str(ground.site_ids[number]), iso3, side)
        taken.extend(cells[real])


def _sides(cell: BaseGeometry) -> list[BaseGeometry]:
    """A cell that was cut at the antimeridian as its two sides."""
    west, _, east, _ = cell.bounds if not cell.is_empty else (0.0, 0.0, 0.0, 0.0)
    if east - west <= _HALF_TURN:
        return [cell]
    parts = shapely.get_parts(cell)
    left = shapely.get_x(shapely.centroid(parts)) < 0.0
    return [shapely.union_all(parts[left]), shapely.union_all(parts[~left])]


def _cells(ground: RegionGround, taken: Sequence[BaseGeometry]) -> Points:
    """Owned ground of every site inside its region, without what earlier regions have."""
    shapely.prepare(ground.outline)
    cells = ground.grounds.copy()
    for number in np.flatnonzero(~shapely.covers(ground.outline, cells)):
        cells[number] = _areal(shapely.intersection(cells[number], ground.outline))
    if len(taken):
        earlier = np.array(taken, dtype=object)
        pairs = shapely.STRtree(earlier).query(cells, predicate="intersects")
        for number in np.unique(pairs[0]):
            others = shapely.union_all(earlier[pairs[1][pairs[0] == number]])
            cells[number] = _areal(shapely.difference(cells[number], others))
    return cells


class _Layers:
    """Two maps of a region made ready for many cells."""

    def __init__(self, maps: TwoMaps, near_m: float) -> None:
        self._maps = maps
        self._near_m = near_m
        layers = (maps.start.polygons, maps.end.polygons, maps.start.unobserved, maps.end.unobserved)
        self._layers = [(polygons, shapely.STRtree(polygons)) for polygons in layers]

    def of(self, region: str, site: str, iso3: str, cell: BaseGeometry) -> Iterator[Piece]:
        if cell.is_empty:
            return
        start, end, unseen_start, unseen_end = (self._inside(cell, layer) for layer in range(4))
        unseen = _areal(shapely.union(unseen_start, unseen_end))
        seen = _areal(shapely.difference(cell, unseen))
        near = _areal(shapely.intersection(self._near(cell), seen))
        rest = _areal(shapely.difference(seen, near))
        both = shapely.intersection(start, end)
        kinds = {UNSEEN: unseen, NEAR: near} | (
            {MINE: start, OTHER: shapely.difference(cell, start)}
            if self._maps.single
            else {
                STABLE_MINE: both,
                STABLE_OTHER: shapely.difference(cell, shapely.union(start, end)),
                GAIN: shapely.difference(end, start),
                LOSS: shapely.difference(start, end),
            }
        )
        for kind, shape in kinds.items():
            geometry = shape if kind in (UNSEEN, NEAR) else _areal(shapely.intersection(shape, rest))
            if not geometry.is_empty:
                mapped = (_areal(shapely.intersection(mine, geometry)) for mine in (start, end, both))
                yield Piece(region, site, iso3, kind, geometry, *mapped)

    def _inside(self, cell: BaseGeometry, layer: int) -> BaseGeometry:
        polygons, tree = self._layers[layer]
        found = polygons[np.sort(tree.query(cell, predicate="intersects"))]
        return _areal(shapely.intersection(shapely.union_all(found), cell)) if len(found) else _NOWHERE

    def _near(self, cell: BaseGeometry) -> BaseGeometry:
        """Ground within so many metres of an outline, as wide on the ground everywhere."""
        if self._near_m <= 0.0:
            return _NOWHERE
        reach = self._near_m / _DEGREE_METRES / max(np.cos(np.radians(cell.centroid.y)), 0.02)
        box = shapely.box(*shapely.bounds(cell) + np.array([-reach, -reach, reach, reach]))
        found = [layer[np.sort(tree.query(box, predicate="intersects"))] for layer, tree in self._layers[:2]]
        lines = shapely.boundary(np.concatenate(found))
        if not len(lines):
            return _NOWHERE
        zone = f"EPSG:{utm_epsg(cell.centroid.x, cell.centroid.y)}"
        local = gpd.GeoSeries([shapely.intersection(shapely.union_all(lines), box)], crs=WGS84).to_crs(zone)
        return _areal(to_wgs84([local.iloc[0].buffer(self._near_m)], zone)[0])


def _areal(geometry: BaseGeometry) -> BaseGeometry:
    found = polygons_only(geometry)
    return _NOWHERE if found is None else found


def projected_parts(shapes: Sequence[BaseGeometry], crs: str) -> tuple[Points, npt.NDArray[np.int64]]:
    """Single polygons of some shapes (EPSG:4326) in another CRS, and the shape that each is of."""
    local = np.asarray(gpd.GeoSeries(list(shapes), crs=WGS84).to_crs(crs), dtype=object)
    parts, origin = shapely.get_parts(local, return_index=True)
    return parts, np.asarray(origin, dtype=np.int64)
