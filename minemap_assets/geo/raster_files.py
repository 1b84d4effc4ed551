"""Raster files as people hand them over: GeoTIFF and JPEG 2000 alone, and nothing but the file itself.

GDAL knows formats that are only pointers to other files and to web servers, and looks for further files beside the one
it opens, in any format. Who reads another's file must not be sent elsewhere by it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from minemap_assets.errors import BadInputError

if TYPE_CHECKING:
    import rasterio.io

FORMAT = "GTiff"
"""The driver of GDAL that opens rasters; Cloud Optimized GeoTIFFs are such files too."""

JPEG2000 = "JP2OpenJPEG"
"""The driver that opens files whose name ends in `JPEG2000_SUFFIX`, and no others."""

JPEG2000_SUFFIX = ".jp2"

MOST_JPEG2000 = 2**27
"""Pixels of a JPEG 2000 image, which may be one block; a band of Sentinel-2 has 10,980 x 10,980."""

MOST_BANDS = 1_000
MOST_BLOCK_BYTES = 2**28
"""Uncompressed size of one tile or strip, which is the least that can be read at a time."""

_ALONE = {"GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR"}
"""GDAL looks for no files beside the one that is opened: overviews, masks, statistics, georeferences."""

_MASK_SUFFIX = ".msk"
_WIDEST_NUMBER = 16
"""Bytes of the largest type of number."""


@contextmanager
def alone(**options: str) -> Iterator[None]:
    """GDAL reads files by themselves inside; `options` are further ones of GDAL."""
    import rasterio

    with rasterio.Env(**_ALONE, **options):
        yield


def open_raster(path: str) -> "rasterio.io.DatasetReader":
    """A GeoTIFF, or a JPEG 2000 file by its name, at an absolute path or one of GDAL's virtual ones, open for reading;
    inside `alone` only.

    Raises `rasterio.errors.RasterioError` where it is neither, and `BadInputError` where it has too many bands or too
    large blocks to be read, or refers to other files for what is its own.
    """
    import rasterio

    if path.lower().endswith(JPEG2000_SUFFIX):
        # A world file or PAM file beside it does not say where it lies.
        source = rasterio.open(path, driver=JPEG2000, GEOREF_SOURCES="INTERNAL")
    else:
        source = rasterio.open(path, driver=FORMAT)
    try:
        _check(source, path)
    except BaseException:
        source.close()
        raise
    return source


def _check(source: "rasterio.io.DatasetReader", path: str) -> None:
    if source.count > MOST_BANDS:
        raise BadInputError(f"{path} has {source.count:,} bands, more than the {MOST_BANDS:,} that are read; split it")
    pixels = source.width * source.height
    if source.driver == JPEG2000 and pixels > MOST_JPEG2000:
        raise BadInputError(
            f"{path} has {pixels:,} pixels, more than the {MOST_JPEG2000:,} of a JPEG 2000 file that are read; store "
            "it as GeoTIFF (gdal_translate -of COG)"
        )
    size = _block_bytes(source)
    if size > MOST_BLOCK_BYTES:
        raise BadInputError(
            f"{path} has tiles or strips of {size / 1e6:,.0f} MB each, more than the {MOST_BLOCK_BYTES / 1e6:,.0f} MB "
            "that are read at a time; store it in tiles of 512 x 512 pixels (gdal_translate -of COG)"
        )
    if source.tags(ns="OVERVIEWS"):
        raise BadInputError(f"{path} names another file for its overviews; store them in the file itself")
    if not path.startswith("/vsi") and Path(path + _MASK_SUFFIX).exists():
        raise BadInputError(
            f"{path} has its mask in a file beside it, {Path(path + _MASK_SUFFIX).name}, which is not read; store the "
            "mask in the file itself (gdal_translate -of COG)"
        )


def _block_bytes(source: "rasterio.io.DatasetReader") -> int:
    """Uncompressed bytes of the largest tile or strip, of all bands that it holds."""
    from rasterio.enums import Interleaving

    together = source.count if source.interleaving == Interleaving.pixel else 1
    height, width = source.block_shapes[0]
    return int(height) * int(width) * together * _bytes(source.dtypes[0])


def _bytes(kind: str) -> int:
    try:
        return np.dtype(kind).itemsize
    except TypeError:
        # GDAL has types that numpy has not
        return _WIDEST_NUMBER
