"""Polygons in the whole units of a zoom: drawn with as many corners as it shows, cut to tiles, and always valid."""

import numpy as np
import numpy.typing as npt
import shapely

from minemap_assets.publication.tiles.encoding import EXTENT
from minemap_assets.publication.tiles.mercator import places

Objects = npt.NDArray[np.object_]
Ints = npt.NDArray[np.int64]

BUFFER = 64
"""Units around a tile in which polygons go on, so that outlines along its edge are drawn whole."""


def whole_shapes(polygons: Objects, zoom: int, tolerance: float) -> Objects:
    """Valid polygons in EPSG:4326 as valid ones in whole units of the zoom, from its north-western corner.

    Corners move by at most `tolerance` units and the rounding. What is too thin to have an area becomes a small square:
    nothing vanishes.
    """
    units = float(EXTENT << zoom)
    drawn = shapely.transform(polygons, lambda degrees: places(degrees) * units)
    shapes = rounded(shapely.simplify(drawn, tolerance, preserve_topology=True) if tolerance else drawn)
    lost = shapely.is_empty(shapes)
    if lost.any():
        shapes[lost] = _squares(drawn[lost], int(units))
    return shapes


def pieces(shapes: Objects, corners: Ints) -> Objects:
    """What lies of each shape in and around the tile whose north-western corner (n, 2) is given, in units from there.

    Empty where nothing does.
    """
    coordinates, owner = shapely.get_coordinates(shapes, return_index=True)
    moved = shapely.set_coordinates(shapes.copy(), coordinates - corners[owner])
    bounds = shapely.bounds(moved)
    cut = (bounds[:, :2] < -BUFFER).any(axis=1) | (bounds[:, 2:] > EXTENT + BUFFER).any(axis=1)
    if cut.any():
        moved[cut] = _clipped(moved[cut])
    return moved


def rounded(polygons: Objects) -> Objects:
    """Polygons with whole coordinates, valid as the given ones are; those that have no area then are empty."""
    shapes = shapely.transform(polygons, np.rint)
    broken = ~shapely.is_valid(shapes)
    if broken.any():
        shapes[broken] = _areal(shapely.set_precision(_valid(polygons[broken]), 1.0))
    return shapes


def _clipped(shapes: Objects) -> Objects:
    low, high = float(-BUFFER), float(EXTENT + BUFFER)
    cut = shapely.clip_by_rect(shapes, low, low, high, high)
    return rounded(_areal(_valid(cut)))


def _valid(shapes: Objects) -> Objects:
    broken = ~shapely.is_valid(shapes)
    if broken.any():
        shapes = shapes.copy()
        shapes[broken] = shapely.make_valid(shapes[broken], method="structure")
    return shapes


def _areal(shapes: Objects) -> Objects:
    """Only the polygons of each; empty where it has none."""
    kinds = shapely.get_type_id(shapes)
    mixed = ~np.isin(kinds, (shapely.GeometryType.POLYGON, shapely.GeometryType.MULTIPOLYGON))
    for place in np.flatnonzero(mixed):
        parts = shapely.get_parts(shapes[place])
        shapes[place] = shapely.union_all(parts[shapely.get_dimensions(parts) == 2])
    return shapes


def _squares(drawn: Objects, units: int) -> Objects:
    """Squares two units wide around what has no area in whole units."""
    x, y = np.clip(np.rint(shapely.get_coordinates(shapely.point_on_surface(drawn))), 1, units - 1).T
    return np.asarray(shapely.box(x - 1, y - 1, x + 1, y + 1), dtype=object)
