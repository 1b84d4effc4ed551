"""Resampling: composites at their product's resolution, brought onto the site's grid."""

import math

import numpy as np
import numpy.typing as npt
from odc.geo.geobox import GeoBox

from minemap_assets.errors import BadInputError
from minemap_assets.geo.grid import at_resolution

Pixels = npt.NDArray[np.uint16]


def resample_tile(pixels: Pixels, source: GeoBox, target: GeoBox) -> Pixels:
    """The part of a (band, row, column) image that lies under `target`, at the target's pixel size.

    Equal sizes pass through; pixels twice as large (10 m to 5 m) are interpolated by `double`; any other ratio, which
    only squeezed sites have, is warped. A pixel is observed where the source pixel under its centre is. Raises
    `BadInputError` where grids of nesting sizes do not lie on each other.
    """
    ratio = source.affine.a / target.affine.a
    if math.isclose(ratio, 1.0):
        row, column = _offset(source, target)
        height, width = target.shape
        return pixels[:, row : row + height, column : column + width]
    if math.isclose(ratio, 2.0):
        row, column = _offset(source, at_resolution(target, source.affine.a))
        return _doubled_tile(pixels, row, column, *target.shape)
    return _warped(pixels, source, target, average=ratio < 1.0)


def double(pixels: Pixels) -> Pixels:
    """Bilinear x2 of a (band, row, column) image; pixel areas nest, so centres lie a quarter pixel apart.

    Pixels that were not observed (0) take no part in their neighbours' values, and stay 0. Values are rounded and at
    least 1 where observed.
    """
    out = np.empty((pixels.shape[0], pixels.shape[1] * 2, pixels.shape[2] * 2), dtype=np.uint16)
    for band, image in enumerate(pixels):
        seen = (image > 0).astype(np.float32)
        weight = _spread(seen)
        value = _spread(image.astype(np.float32))
        observed = np.repeat(np.repeat(image > 0, 2, axis=0), 2, axis=1)
        mean = np.divide(value, weight, out=np.zeros_like(value), where=observed)
        out[band] = np.where(observed, np.maximum(np.rint(mean), 1.0), 0.0)
    return out


def _spread(image: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Sum of the four surrounding values with weights 9, 3, 3, 1 (of 16); outside counts as nothing."""
    for axis in (0, 1):
        padded = np.pad(image, [(1, 1) if a == axis else (0, 0) for a in (0, 1)])
        inner = np.take(padded, np.arange(1, padded.shape[axis] - 1), axis=axis)
        before = np.take(padded, np.arange(0, padded.shape[axis] - 2), axis=axis)
        after = np.take(padded, np.arange(2, padded.shape[axis]), axis=axis)
        pair = np.stack([0.75 * inner + 0.25 * before, 0.75 * inner + 0.25 * after], axis=axis + 1)
        shape = list(image.shape)
        shape[axis] *= 2
        image = pair.reshape(shape)
    return image


def _doubled_tile(pixels: Pixels, row: int, column: int, height: int, width: int) -> Pixels:
    """`double` of a window, with the neighbours it needs, so that a tile equals that part of the whole."""
    top, left = max(row - 1, 0), max(column - 1, 0)
    around = pixels[:, top : row + height // 2 + 1, left : column + width // 2 + 1]
    y, x = 2 * (row - top), 2 * (column - left)
    return double(around)[:, y : y + height, x : x + width]


def _warped(pixels: Pixels, source: GeoBox, target: GeoBox, *, average: bool) -> Pixels:
    from rasterio.enums import Resampling
    from rasterio.warp import reproject

    def to_target(image: npt.NDArray[np.float32], method: Resampling) -> npt.NDArray[np.float32]:
        out = np.zeros((image.shape[0], *target.shape), dtype=np.float32)
        reproject(
            image,
            out,
            src_transform=source.affine,
            dst_transform=target.affine,
            src_crs=str(source.crs),
            dst_crs=str(target.crs),
            src_nodata=0.0,
            dst_nodata=0.0,
            resampling=method,
        )
        return out

    values = to_target(pixels.astype(np.float32), Resampling.average if average else Resampling.bilinear)
    seen = to_target((pixels > 0).astype(np.float32), Resampling.nearest) > 0
    return np.where(seen, np.maximum(np.rint(values), 1.0), 0.0).astype(np.uint16)


def _offset(source: GeoBox, target: GeoBox) -> tuple[int, int]:
    """Row and column of the target's origin inside the source, both of the same pixel size."""
    column = (target.affine.c - source.affine.c) / source.affine.a
    row = (target.affine.f - source.affine.f) / source.affine.e
    whole = abs(row - round(row)) < 1e-6 and abs(column - round(column)) < 1e-6
    inside = (
        0 <= round(row) <= source.shape[0] - target.shape[0] and 0 <= round(column) <= source.shape[1] - target.shape[1]
    )
    if target.crs != source.crs or not whole or not inside:
        raise BadInputError("an image does not lie on its site's grid; make the imagery of this region again")
    return round(row), round(column)
