"""Whether a file shows anything at all, found without reading more of it at a time than a few windows.

A corner may be all that is stored of a large image, and a file of a few kilobytes may say that it is larger than
any machine's memory.
"""

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from minemap_assets.geo.raster_files import FORMAT
from minemap_assets.imagery.files.images import Asset
from minemap_assets.imagery.files.reading import opened
from minemap_assets.imagery.products import Product

if TYPE_CHECKING:
    import rasterio.io
    import rasterio.windows

_PLACE = 64
"""Pixels along a side of each place where values are looked for first."""

_STEP = 2**20
"""Pixels that are looked at together."""

_MOST = 2**29
"""Stored pixels in which values are looked for before an image counts as empty; more than any scene has."""

_MOST_STEPS = 2**18
_MOST_BLOCKS = 64
"""Tiles or strips together of which each is looked up; more are read without asking."""

_CACHED = 16
"""Steps after which what GDAL keeps of a file is given back."""


def _shows_value(source: "rasterio.io.DatasetReader", assets: Sequence[Asset], kind: Product) -> bool:
    """Whether a pixel has a value in one of a few places."""
    from rasterio.windows import Window

    # a row of a place takes whole strips, however wide they are
    rows = max(1, min(_PLACE, _STEP // int(source.block_shapes[0][1])))
    height, width = min(rows, source.height), min(_PLACE, source.width)
    return any(
        _any_value(
            source,
            Window(int((source.width - width) * x), int((source.height - height) * y), width, height),
            assets,
            kind,
        )
        for x, y in ((0.5, 0.5), (0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75))
    )


def is_empty(whole: str, assets: Sequence[Asset], kind: Product) -> bool:
    """Whether no pixel of some bands of a file has a value that its product can hold.

    A few places are looked at first, then all that are stored, or as many as can be afforded. `whole` is the file's
    address for GDAL. Raises as `opened` does.
    """
    with opened(whole) as source:
        if _shows_value(source, assets, kind):
            return False
        steps = list(_steps(source, [asset.index for asset in assets]))
    for start in range(0, len(steps), _CACHED):
        with opened(whole) as source:
            if any(_any_value(source, window, assets, kind) for window in steps[start : start + _CACHED]):
                return False
    return True


def _any_value(
    source: "rasterio.io.DatasetReader", window: "rasterio.windows.Window", assets: Sequence[Asset], kind: Product
) -> bool:
    pixels = source.read([asset.index for asset in assets], window=window)
    return any(_has_value(band, asset, kind) for band, asset in zip(pixels, assets, strict=True))


def _has_value(band: npt.NDArray[Any], asset: Asset, kind: Product) -> bool:
    lowest, highest = kind.limits(asset.scale, asset.offset)
    # what is not finite is not between the limits
    return bool((~np.isin(band, asset.missing(kind)) & (band >= lowest) & (band <= highest)).any())


def _steps(source: "rasterio.io.DatasetReader", indexes: Sequence[int]) -> "Iterator[rasterio.windows.Window]":
    """Windows of whole tiles or strips that are stored, in an order that spreads the first of them over all the image,
    until they hold `_MOST` pixels.
    """
    from rasterio.windows import Window

    tile_height, tile_width = source.block_shapes[0]
    width = _multiple(tile_width, source.width, _STEP // max(1, min(tile_height, math.isqrt(_STEP))))
    height = _multiple(tile_height, source.height, _STEP // width)
    across, down = -(-source.width // width), -(-source.height // height)
    count, left_over = across * down, _MOST
    # the golden section: each next place lies in the widest gap that the ones before it left
    stride = next(s for s in range(max(1, round(count * 0.618)), count + 2) if math.gcd(s, count) == 1)
    for step in range(min(count, _MOST_STEPS)):
        row, column = divmod(step * stride % count, across)
        left, top = column * width, row * height
        window = Window(left, top, min(width, source.width - left), min(height, source.height - top))
        if _is_stored(source, window, indexes):
            yield window
            left_over -= width * height
        if left_over <= 0:
            return


def _is_stored(source: "rasterio.io.DatasetReader", window: "rasterio.windows.Window", indexes: Sequence[int]) -> bool:
    """False where a TIFF leaves out all of a window's tiles or strips, because nothing is in them."""
    from rasterio.enums import Interleaving

    tile_height, tile_width = source.block_shapes[0]
    rows = range(window.row_off // tile_height, -(-(window.row_off + window.height) // tile_height))
    columns = range(window.col_off // tile_width, -(-(window.col_off + window.width) // tile_width))
    bands = indexes if source.interleaving == Interleaving.band else indexes[:1]
    if source.driver != FORMAT or len(rows) * len(columns) * len(bands) > _MOST_BLOCKS:
        return True
    return any(
        source.get_tag_item(f"BLOCK_OFFSET_{column}_{row}", "TIFF", bidx=band) is not None
        for band in bands
        for row in rows
        for column in columns
    )


def _multiple(block: int, whole: int, wanted: int) -> int:
    """About as many pixels as wanted along a side of whole blocks: at least a pixel, and at most the whole image's."""
    return max(1, min(whole, max(1, wanted // block) * block if block <= wanted else wanted))
