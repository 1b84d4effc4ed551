"""Tiling: which squares of a site's grid become chips."""

from dataclasses import dataclass

from odc.geo.geobox import GeoBox

from minemap_assets.errors import BadInputError


@dataclass(frozen=True, order=True)
class Tile:
    """A square of `size` pixels whose upper left pixel is at (row, column) of the site grid."""

    row: int
    column: int
    size: int

    def grid(self, site: GeoBox) -> GeoBox:
        """The tile's own grid."""
        return site[self.row : self.row + self.size, self.column : self.column + self.size]


def tile_offsets(length: int, size: int, overlap: int) -> tuple[int, ...]:
    """First pixels of the tiles that cover `length` pixels; the last tile ends with the grid, so no tile sticks out.

    Neighbours share at least `overlap` pixels. Raises `BadInputError` for a grid shorter than a tile.
    """
    if length < size:
        raise BadInputError(f"a site grid of {length} pixels is smaller than a chip of {size}; lower the chip size")
    step = size - overlap
    count = -(-(length - size) // step) + 1
    return tuple(min(i * step, length - size) for i in range(count))


def tiles(site: GeoBox, size: int, overlap: int) -> tuple[Tile, ...]:
    """Tiles of a site grid, row by row."""
    rows = tile_offsets(int(site.shape[0]), size, overlap)
    columns = tile_offsets(int(site.shape[1]), size, overlap)
    return tuple(Tile(row, column, size) for row in rows for column in columns)
