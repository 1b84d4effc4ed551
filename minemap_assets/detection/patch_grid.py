"""Where patches lie: one grid of equal squares in each UTM zone, the same for every region, year and source.

Tiles of 23 x 23 patches are what is fetched at a time. A patch belongs to the zone in which its centre lies, and the
regions whose outlines it touches; regions that overlap share patches to the pixel.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
import pyproj
import shapely
from affine import Affine
from odc.geo.geobox import GeoBox
from shapely.geometry.base import BaseGeometry

from minemap_assets.errors import BadInputError
from minemap_assets.geo.antimeridian import to_wgs84
from minemap_assets.geo.vector import WGS84

PIXEL = 10.0
"""Metres."""

PATCH = 48
"""Pixels on a side of a patch (mining-detector, commit bbbcb2d)."""

STRIDE = 24
"""Pixels from one patch to the next (as above): each overlaps half of its neighbours."""

TILE_PATCHES = 23
"""Patches on a side of a tile (as above)."""

TILE_PIXELS = (TILE_PATCHES - 1) * STRIDE + PATCH
"""Pixels on a side of what is fetched for a tile: the outermost patches reach into its neighbours."""

_STEP = STRIDE * PIXEL
_TILE_STEP = TILE_PATCHES * _STEP

HIGHEST_LATITUDE = 84.0
"""As far north and south as UTM is used."""


@dataclass(frozen=True, order=True)
class Tile:
    """23 x 23 patches of a zone (1 to 60), `column` tiles east of its central meridian and `row` tiles north of the
    equator; in the south rows are negative, in the coordinates of the northern zone.
    """

    zone: int
    column: int
    row: int

    @property
    def name(self) -> str:
        """Such as `20_e012_s0034`."""
        east, north = ("e" if self.column >= 0 else "w"), ("n" if self.row >= 0 else "s")
        return f"{self.zone:02}_{east}{abs(self.column):03}_{north}{abs(self.row):04}"

    @property
    def grid(self) -> GeoBox:
        """What is fetched: 576 x 576 pixels of 10 m."""
        west, north = corner(self)
        transform = Affine(PIXEL, 0.0, west, 0.0, -PIXEL, north)
        return GeoBox((TILE_PIXELS, TILE_PIXELS), transform, crs_of(self.zone))


_NAME = re.compile(r"(\d{2})_([ew])(\d{3})_([ns])(\d{4})")


def tile_named(name: str) -> Tile:
    """The tile of that name. Raises `ValueError` where there is none."""
    found = _NAME.fullmatch(name)
    if found is None:
        raise ValueError(f"{name!r} names no tile")
    zone, east, column, north, row = found.groups()
    return Tile(int(zone), int(column) * (1 if east == "e" else -1), int(row) * (1 if north == "n" else -1))


def crs_of(zone: int) -> str:
    """The northern coordinates of a UTM zone, which go on south of the equator."""
    return f"EPSG:{32600 + zone}"


def corner(tile: Tile) -> tuple[float, float]:
    """Easting and northing of a tile's north-western corner."""
    return 500_000.0 + tile.column * _TILE_STEP, (tile.row + 1) * _TILE_STEP


@dataclass(frozen=True, eq=False)
class Patches:
    """Patches of a tile that belong to its zone and touch a region, row by row from the north-west.

    `rows` and `columns` (n) count from 0 to 22; `outlines` (n) are squares of the zone in EPSG:4326, `longitudes` and
    `latitudes` (n) their centres.
    """

    tile: Tile
    rows: npt.NDArray[np.int64]
    columns: npt.NDArray[np.int64]
    outlines: npt.NDArray[np.object_]
    longitudes: npt.NDArray[np.float64]
    latitudes: npt.NDArray[np.float64]

    @property
    def ids(self) -> list[str]:
        """Such as `20_e012_s0034_05_17`: the same for every region, year and source."""
        return [f"{self.tile.name}_{r:02}_{c:02}" for r, c in zip(self.rows, self.columns, strict=True)]


def patches_of(tile: Tile, region: BaseGeometry) -> Patches:
    """The patches of a tile of which a region (EPSG:4326) holds some ground."""
    rows, columns = (axis.ravel() for axis in np.indices((TILE_PATCHES, TILE_PATCHES)))
    outlines = patch_outlines(tile, rows, columns)
    west, north = corner(tile)
    half = PATCH * PIXEL / 2
    longitudes, latitudes = _to_degrees(tile.zone).transform(west + columns * _STEP + half, north - rows * _STEP - half)
    shapely.prepare(region)
    chosen = np.flatnonzero((zones_of(longitudes) == tile.zone) & shapely.intersects(region, outlines))
    return Patches(tile, rows[chosen], columns[chosen], outlines[chosen], longitudes[chosen], latitudes[chosen])


def patch_outlines(tile: Tile, rows: npt.NDArray[np.int64], columns: npt.NDArray[np.int64]) -> npt.NDArray[np.object_]:
    """Squares of patches (n) of a tile in EPSG:4326, cut at the antimeridian."""
    west, north = corner(tile)
    x, y, side = west + columns * _STEP, north - rows * _STEP, PATCH * PIXEL
    return to_wgs84(list(shapely.box(x, y - side, x + side, y)), crs_of(tile.zone))


def zones_of(longitudes: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """The UTM zone of each longitude; 180 degrees belongs to zone 1, where -180 does."""
    zones: npt.NDArray[np.int64] = np.floor((longitudes + 180.0) / 6.0).astype(np.int64) % 60 + 1
    return zones


def tiles_of(region: BaseGeometry) -> Iterator[Tile]:
    """The tiles that hold patches of a region (EPSG:4326), in order.

    Raises `BadInputError` for a region beyond 84 degrees north or south, where UTM ends.
    """
    _, south, _, north = region.bounds
    if max(abs(south), abs(north)) > HIGHEST_LATITUDE:
        raise BadInputError(
            f"the region reaches to {max(abs(south), abs(north)):.1f} degrees of latitude; scans end at 84 degrees"
        )
    for zone in range(1, 61):
        west = -180.0 + 6.0 * (zone - 1)
        part = shapely.intersection(region, shapely.box(west - _OVER, -90.0, west + 6.0 + _OVER, 90.0))
        if not part.is_empty:
            candidates = _candidates(zone, part)
            yield from (
                tile for tile in candidates if _middle_lies_in(tile, region) or len(patches_of(tile, region).rows)
            )


def _middle_lies_in(tile: Tile, region: BaseGeometry) -> bool:
    """Whether its middle patch belongs to it and to a region, so that the others need not be looked at."""
    west, north = corner(tile)
    half = (TILE_PATCHES // 2) * _STEP + PATCH * PIXEL / 2
    longitude, latitude = _to_degrees(tile.zone).transform(west + half, north - half)
    shapely.prepare(region)
    mine = int(zones_of(np.array([longitude]))[0]) == tile.zone
    return mine and bool(shapely.intersects_xy(region, longitude, latitude))


@cache
def _to_degrees(zone: int) -> pyproj.Transformer:
    return pyproj.Transformer.from_crs(crs_of(zone), WGS84, always_xy=True)


_OVER = 0.05
"""Degrees around a zone in which its patches may reach: half of one is 240 m, 0.002 degrees at the equator and 0.02 at
84 degrees.
"""


def _candidates(zone: int, part: BaseGeometry) -> Iterator[Tile]:
    """Tiles that touch the bounds of each piece of a region in a zone's coordinates."""
    found: set[Tile] = set()
    to_metres = pyproj.Transformer.from_crs(WGS84, crs_of(zone), always_xy=True)
    for piece in shapely.get_parts(part):
        dense = shapely.segmentize(piece, 0.05)
        xy = shapely.get_coordinates(dense)
        projected = shapely.set_coordinates(dense, np.column_stack(to_metres.transform(xy[:, 0], xy[:, 1])))
        west, south, east, north = projected.bounds
        columns = range(_index(west - 500_000.0 - _OVERLAP), _index(east - 500_000.0) + 1)
        rows = range(_index(south), _index(north + _OVERLAP) + 1)
        squares = {
            Tile(zone, c, r): shapely.box(*Tile(zone, c, r).grid.boundingbox.bbox) for c in columns for r in rows
        }
        shapely.prepare(projected)
        found.update(tile for tile, square in squares.items() if shapely.intersects(projected, square))
    yield from sorted(found)


_OVERLAP = TILE_PIXELS * PIXEL - _TILE_STEP
"""Metres that a tile reaches into the one east and the one south of it."""


def _index(metres: float) -> int:
    return math.floor(metres / _TILE_STEP)
