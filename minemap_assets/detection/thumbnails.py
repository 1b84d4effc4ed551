"""Pictures of single patches with the ground around them, as a person needs it to say what a patch shows."""

import numpy as np
import rasterio
from rasterio.windows import Window

from minemap_assets.detection.patch_grid import PATCH, STRIDE, TILE_PIXELS
from minemap_assets.geo.pictures import Picture
from minemap_assets.geo.raster import png_bytes
from minemap_assets.imagery.preview import channels, coloured
from minemap_assets.imagery.reader import ImagerySet

AROUND = PATCH
"""Pixels that are shown on each side of a patch, as far as its tile goes."""

SIDE = 288
EDGE = (250, 204, 21)


class Thumbnails:
    """Pictures of patches of one region and year; only the pixels that are shown are read."""

    def __init__(self, images: ImagerySet) -> None:
        self._images = images
        self._files = dict(zip(images.index["site_id"], images.index["file"], strict=True))
        self._bands = channels(images.bands)

    def picture(self, tile: str, row: int, column: int) -> bytes:
        """PNG (`SIDE` on a side) of a patch of a tile and what is around it, the patch's edge in yellow."""
        top, left = (max(0, place * STRIDE - AROUND) for place in (row, column))
        bottom, right = (min(TILE_PIXELS, place * STRIDE + PATCH + AROUND) for place in (row, column))
        with rasterio.open(self._images.partition.file(self._files[tile])) as source:
            window = Window(left, top, right - left, bottom - top)
            pixels = source.read([band + 1 for band in self._bands], window=window)
        across = max(bottom - top, right - left)
        square = np.zeros((3, across, across), dtype=np.uint16)
        square[:, : pixels.shape[1], : pixels.shape[2]] = pixels
        names = [self._images.bands[band] for band in self._bands]
        image = coloured(square, names, SIDE)
        return png_bytes(_framed(image, row * STRIDE - top, column * STRIDE - left, across))


def _framed(image: Picture, top: int, left: int, across: int) -> Picture:
    """With the edge of a patch whose north-western pixel is given, of `across` pixels in all."""
    scale = image.shape[0] / across
    north, west = round(top * scale), round(left * scale)
    south, east = (min(round((place + PATCH) * scale), image.shape[0]) - 1 for place in (top, left))
    drawn = image.copy()
    drawn[[north, south], west : east + 1] = EDGE
    drawn[north : south + 1, [west, east]] = EDGE
    return drawn
