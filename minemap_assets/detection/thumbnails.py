"""Pictures of single patches with the ground around them, as a person needs it to say what a patch shows."""

from minemap_assets.detection.ground import Ground, Square
from minemap_assets.detection.patch_grid import PATCH, PIXEL, STRIDE, corner, tile_named
from minemap_assets.geo.pictures import Picture
from minemap_assets.geo.raster import png_bytes
from minemap_assets.imagery.preview import coloured

AROUND = PATCH
"""Pixels that are shown on each side of a patch."""

ENLARGED = 2
SIDE = ENLARGED * (PATCH + 2 * AROUND)
EDGE = (250, 204, 21)


def thumbnail(ground: Ground, tile: str, row: int, column: int) -> bytes:
    """PNG (`SIDE` on a side) of a patch of a tile and what is around it, the patch's edge in yellow."""
    of = tile_named(tile)
    west, north = corner(of)
    place = Square(
        of.zone, west + (column * STRIDE - AROUND) * PIXEL, north - (row * STRIDE - AROUND) * PIXEL, PATCH + 2 * AROUND
    )
    small = coloured(ground.pixels(place), ground.bands, place.side)
    return png_bytes(_framed(small.repeat(ENLARGED, axis=0).repeat(ENLARGED, axis=1), place.side))


def _framed(image: Picture, across: int) -> Picture:
    """With the edge of the patch in the middle of a picture that shows `across` pixels."""
    scale = image.shape[0] / across
    first, last = round(AROUND * scale), round((AROUND + PATCH) * scale) - 1
    drawn = image.copy()
    drawn[[first, last], first : last + 1] = EDGE
    drawn[first : last + 1, [first, last]] = EDGE
    return drawn
