"""Grids: which square of ground a raster covers, in which CRS and at which pixel size."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import shapely
from affine import Affine
from odc.geo.geobox import GeoBox
from shapely.geometry import Polygon

SNAP_METRES = 10.0
"""Origins of site grids are multiples of this, so that 10 m pixels nest exactly in 5 m ones."""


@dataclass(frozen=True)
class GridColumns:
    """A `GeoBox` as plain values, the form in which tables store it."""

    crs: str
    transform: tuple[float, float, float, float, float, float]
    width: int
    height: int


def utm_epsg(longitude: float, latitude: float) -> int:
    """EPSG code of the UTM zone around a point in degrees (326xx north, 327xx south)."""
    zone = min(int((longitude + 180.0) // 6.0) + 1, 60)
    return (32600 if latitude >= 0 else 32700) + zone


def square_grid(easting: float, northing: float, pixels: int, epsg: int, resolution: float = 5.0) -> GeoBox:
    """Square grid of `pixels` x `pixels` centred near a projected point, origin snapped to 10 m.

    `pixels` must be even, so that the nested 10 m grid has whole pixels.
    """
    if pixels % 2:
        raise ValueError(f"a site grid needs an even number of pixels, not {pixels}")
    half = pixels * resolution / 2.0
    west = math.floor((easting - half) / SNAP_METRES + 0.5) * SNAP_METRES
    north = math.floor((northing + half) / SNAP_METRES + 0.5) * SNAP_METRES
    transform = Affine(resolution, 0.0, west, 0.0, -resolution, north)
    return GeoBox((pixels, pixels), transform, f"EPSG:{epsg}")


def at_resolution(grid: GeoBox, resolution: float) -> GeoBox:
    """The grid over the same ground at another pixel size (metres); the extent must divide exactly."""
    size = abs(grid.affine.a)
    height, width = (round(n * size / resolution) for n in grid.shape)
    if not math.isclose(height * resolution, grid.shape[0] * size) or not math.isclose(
        width * resolution, grid.shape[1] * size
    ):
        raise ValueError(f"{resolution} m pixels do not nest in a {grid.shape} grid of {size} m")
    affine = Affine(resolution, 0.0, grid.affine.c, 0.0, -resolution, grid.affine.f)
    return GeoBox((height, width), affine, grid.crs)


def to_columns(grid: GeoBox) -> GridColumns:
    """Plain values of a grid."""
    a = grid.affine
    return GridColumns(
        crs=f"EPSG:{grid.crs.epsg}" if grid.crs is not None and grid.crs.epsg else str(grid.crs),
        transform=(a.a, a.b, a.c, a.d, a.e, a.f),
        width=int(grid.shape[1]),
        height=int(grid.shape[0]),
    )


def from_columns(crs: str, transform: Sequence[float], width: int, height: int) -> GeoBox:
    """The grid that `to_columns` took apart."""
    return GeoBox((int(height), int(width)), Affine(*(float(v) for v in transform)), crs)


def footprint(grid: GeoBox) -> Polygon:
    """The grid's outline in its own CRS."""
    left, bottom, right, top = grid.boundingbox.bbox
    return shapely.box(left, bottom, right, top)


def footprint_wgs84(grid: GeoBox) -> Polygon:
    """The grid's outline in EPSG:4326, with points along its sides so that curved edges stay within a pixel."""
    outline = grid.extent.to_crs("EPSG:4326", resolution=500.0).geom
    if not isinstance(outline, Polygon):
        raise ValueError(f"a grid outline became a {outline.geom_type} in EPSG:4326")
    return outline
