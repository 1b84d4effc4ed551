"""Tiles of a mosaic in full depth: squares of 256 pixels of web Mercator, numbered from the west and from the north.

At a mosaic's own zoom level (15 for pixels of 4.78 m) its tiles have its quads' very pixels. A quad of 2^n tiles a side
is one tile, seen n levels further out.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from odc.geo.geobox import GeoBox

from minemap_assets.errors import PermanentError
from minemap_assets.imagery.basemaps.mosaics import TILE, Mosaic
from minemap_assets.imagery.basemaps.quads import CRS, WORLD, QuadId, mercator_bounds

MARGIN = 4
"""Pixels of a mosaic around a grid that are fetched too, so that kernels at its edge are whole."""


@dataclass(frozen=True, order=True)
class TileId:
    """Number of a tile at a zoom level: `x` from the west, `y` from the north, both from 0."""

    zoom: int
    x: int
    y: int

    def __str__(self) -> str:
        return f"{self.zoom}-{self.x}-{self.y}"


@dataclass(frozen=True)
class TileBlock:
    """A rectangle of tiles of one zoom level, `across` x `down` from the north-western one."""

    first: TileId
    across: int
    down: int

    @property
    def tiles(self) -> Iterator[tuple[TileId, slice, slice]]:
        """Each tile with the rows and columns of the block's pixels that it fills."""
        for row in range(self.down):
            for column in range(self.across):
                tile = TileId(self.first.zoom, self.first.x + column, self.first.y + row)
                yield tile, slice(row * TILE, (row + 1) * TILE), slice(column * TILE, (column + 1) * TILE)

    @property
    def grid(self) -> GeoBox:
        """Its pixels."""
        from affine import Affine

        size = WORLD / 2**self.first.zoom / TILE
        left = self.first.x * TILE * size - WORLD / 2.0
        top = WORLD / 2.0 - self.first.y * TILE * size
        return GeoBox((self.down * TILE, self.across * TILE), Affine(size, 0.0, left, 0.0, -size, top), CRS)


def overview(mosaic: Mosaic, quad: QuadId) -> TileId:
    """The tile that shows a whole quad. Raises `PermanentError` where no tile does."""
    zoom = own_zoom(mosaic) - _steps(mosaic)
    return TileId(zoom, quad.x, mosaic.quads.side - 1 - quad.y)


def under(mosaic: Mosaic, quad: QuadId, grid: GeoBox) -> TileBlock | None:
    """The mosaic's own tiles of a quad that a grid needs; None where it needs none.

    Raises `PermanentError` where the mosaic has none of its own.
    """
    zoom, a_side = own_zoom(mosaic), 2 ** _steps(mosaic)
    size = WORLD / 2**zoom
    margin = MARGIN * size / TILE
    left, bottom, right, top = mercator_bounds(grid)
    columns = range(
        math.floor((left - margin + WORLD / 2.0) / size), math.floor((right + margin + WORLD / 2.0) / size) + 1
    )
    rows = range(
        math.floor((WORLD / 2.0 - top - margin) / size), math.floor((WORLD / 2.0 - bottom + margin) / size) + 1
    )
    west, north = quad.x * a_side, (mosaic.quads.side - 1 - quad.y) * a_side
    # a grid across the antimeridian goes on east of the last tile
    xs = sorted({x % 2**zoom for x in columns} & set(range(west, west + a_side)))
    ys = sorted(set(rows) & set(range(north, north + a_side)))
    if not xs or not ys:
        return None
    return TileBlock(TileId(zoom, xs[0], ys[0]), xs[-1] - xs[0] + 1, ys[-1] - ys[0] + 1)


def own_zoom(mosaic: Mosaic) -> int:
    """The zoom level with a mosaic's own pixels. Raises `PermanentError` where there is none."""
    if mosaic.zoom is None or mosaic.pixels & (mosaic.pixels - 1):
        raise PermanentError(
            f"the pixels of {mosaic.name} are of no zoom level, so its tiles would be resampled; set reads to "
            '"quads" under [sources.planet_basemaps]'
        )
    return mosaic.zoom


def _steps(mosaic: Mosaic) -> int:
    """Zoom levels from a quad's own tiles to the one that shows all of it."""
    return (mosaic.pixels // TILE).bit_length() - 1
