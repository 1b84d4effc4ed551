"""The grid of the change table: squares of 10 km in EPSG:6933, so that every cell has the same area, but for those that
180 degrees of longitude or a pole cuts short.

Cell (row, column) runs from x = 10,000 column and y = 10,000 row metres, eastward and northward; (0, 0) has its south
west corner at longitude 0, latitude 0. On the equator a cell is 10 km wide and high; at 60 degrees of latitude about
17.3 km high and 5.8 km wide, as that CRS keeps areas and not shapes.
"""

from dataclasses import dataclass
from functools import cache

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pyproj
import shapely

from minemap_assets.geo.vector import EQUAL_AREA, WGS84

CELL_METRES = 10_000.0

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class GridPieces:
    """Shapes cut along the grid: of each piece the shape's number, its cell, and its share of the shape's area."""

    shape: Numbers
    row: Numbers
    column: Numbers
    share: npt.NDArray[np.float64]


@cache
def _metres() -> pyproj.Transformer:
    return pyproj.Transformer.from_crs(WGS84, EQUAL_AREA, always_xy=True)


def cells_of(longitude: npt.NDArray[np.float64], latitude: npt.NDArray[np.float64]) -> tuple[Numbers, Numbers]:
    """Rows and columns of the cells in which points lie."""
    x, y = _metres().transform(longitude, latitude)
    return _numbered(np.asarray(y)), _numbered(np.asarray(x))


def outlines(row: Numbers, column: Numbers) -> gpd.GeoSeries:
    """Outlines of cells in EPSG:4326, where they are rectangles too, as far as the world goes."""
    corner = np.array(_metres().transform(180.0, 90.0))
    low, high = np.stack([column, row], axis=-1) * CELL_METRES, np.stack([column + 1, row + 1], axis=-1) * CELL_METRES
    low, high = np.clip(low, -corner, corner), np.clip(high, -corner, corner)
    west, south = _metres().transform(low[:, 0], low[:, 1], direction="INVERSE")
    east, north = _metres().transform(high[:, 0], high[:, 1], direction="INVERSE")
    return gpd.GeoSeries(shapely.box(west, south, np.where(east < west, 180.0, east), north), crs=WGS84)


def cut(shapes: npt.NDArray[np.object_]) -> GridPieces:
    """Cut geometries in EPSG:4326 along the grid; the shares of each add up to 1."""
    metric = np.asarray(gpd.GeoSeries(shapes, crs=WGS84).to_crs(EQUAL_AREA), dtype=object)
    parts, origin = shapely.get_parts(metric, return_index=True)
    first = _numbered(shapely.bounds(parts)[:, :2])
    last = _numbered(shapely.bounds(parts)[:, 2:])
    wide = last - first + 1
    count = wide[:, 0] * wide[:, 1]
    part = np.repeat(np.arange(len(parts)), count)
    place = np.arange(len(part)) - np.repeat(np.cumsum(count) - count, count)
    column = first[part, 0] + place % wide[part, 0]
    row = first[part, 1] + place // wide[part, 0]
    area = shapely.area(parts)[part]
    several = count[part] > 1
    boxes = _squares(row[several], column[several])
    area[several] = shapely.area(shapely.intersection(parts[part[several]], boxes))
    kept = area > 0.0
    number = np.asarray(origin[part], dtype=np.int64)[kept]
    whole = np.bincount(number, weights=area[kept], minlength=len(shapes))
    return GridPieces(number, row[kept], column[kept], area[kept] / whole[number])


def _squares(row: Numbers, column: Numbers) -> npt.NDArray[np.object_]:
    west, south = column * CELL_METRES, row * CELL_METRES
    return np.asarray(shapely.box(west, south, west + CELL_METRES, south + CELL_METRES), dtype=object)


def _numbered(metres: npt.NDArray[np.float64]) -> Numbers:
    return np.floor(metres / CELL_METRES).astype(np.int64)
