"""Bands of one raster file brought onto a grid, whatever their CRS and pixel size.

What belongs here: reading a window and resampling it. What does not: which file to read and what its numbers mean
(`sources/`).

Where a source pixel is at least half as large as a grid pixel, values are interpolated bilinearly; where it is
smaller, the grid pixel is the area-weighted mean of the source pixels under it. Both leave out missing source pixels
and share their weight among the others.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from odc.geo.geobox import GeoBox

if TYPE_CHECKING:
    import rasterio.io
    import rasterio.windows

AVERAGE_FROM = 2.0
"""Source pixels per grid pixel, along one side, from which values are averaged by area."""

TOLERANCE = 0.01
"""Largest error of a position, in source pixels (GDAL's own default is 0.125)."""

_MARGIN = 3
"""Source pixels read around the grid, times the sampling ratio, so that kernels at the edge are whole."""


@dataclass(frozen=True, eq=False)
class Sampled:
    """Raw values of some bands of one file on a grid.

    `values` is float32 (band, row, column), NaN where there is no value; `dark` is True where the file covers the
    pixel but says 0 without calling that nodata; `detail` is the number of source pixels per grid pixel along one
    side; `bytes_read` counts uncompressed bytes.
    """

    values: npt.NDArray[np.float32]
    dark: npt.NDArray[np.bool_]
    detail: float
    bytes_read: int


@dataclass(frozen=True)
class _Ratio:
    """Source pixels per grid pixel along the columns and the rows."""

    x: float
    y: float


def sample(
    source: "rasterio.io.DatasetReader",
    indexes: Sequence[int],
    nodata: Sequence[float | None],
    grid: GeoBox,
    whole: GeoBox | None = None,
) -> Sampled:
    """Bands (1-based `indexes`) of an open file on a grid.

    `nodata` gives for each band the number that means no value; where it is None a 0 is reported as `dark`. `whole`
    is the grid of which `grid` is a block of rows, so that all blocks are resampled alike. Pixels that the file's
    mask or alpha band hides have no value. Raises `rasterio.errors.RasterioError` where the file cannot be read.
    """
    from rasterio.enums import MaskFlags

    count, shape = len(indexes), tuple(grid.shape)
    values = np.full((count, *shape), np.nan, dtype=np.float32)
    dark = np.zeros((count, *shape), dtype=np.bool_)
    ratio = _sampling_ratio(source, whole or grid)
    detail = math.sqrt(ratio.x * ratio.y)
    window = _window(source, grid, ratio)
    if window is None:
        return Sampled(values, dark, detail, 0)
    raw = source.read(list(indexes), window=window)
    data = raw.astype(np.float32)
    zero = np.zeros(data.shape, dtype=np.bool_)
    for place, missing in enumerate(nodata):
        if missing is None:
            zero[place] = data[place] == 0
            data[place][zero[place]] = np.nan
        elif not math.isnan(missing):
            data[place][data[place] == np.float32(missing)] = np.nan
    if any(MaskFlags.per_dataset in source.mask_flag_enums[i - 1] for i in indexes):
        hidden = source.dataset_mask(window=window) == 0
        data[:, hidden] = np.nan
        zero[:, hidden] = False
    _warp(data, values, source, window, grid, ratio)
    if zero.any():
        dark = _nearest(zero, source, window, grid) & np.isnan(values)
    return Sampled(values, dark, detail, raw.nbytes)


def _warp(
    data: npt.NDArray[np.float32],
    values: npt.NDArray[np.float32],
    source: "rasterio.io.DatasetReader",
    window: "rasterio.windows.Window",
    grid: GeoBox,
    ratio: _Ratio,
) -> None:
    from rasterio.enums import Resampling
    from rasterio.warp import reproject

    average = max(ratio.x, ratio.y) >= AVERAGE_FROM
    kernel = {} if average else {"XSCALE": str(_kernel_scale(ratio.x)), "YSCALE": str(_kernel_scale(ratio.y))}
    reproject(
        data,
        values,
        **_places(source, window, grid),
        src_nodata=np.nan,
        dst_nodata=np.nan,
        resampling=Resampling.average if average else Resampling.bilinear,
        UNIFIED_SRC_NODATA="NO",
        **kernel,
    )


def _nearest(
    mask: npt.NDArray[np.bool_], source: "rasterio.io.DatasetReader", window: "rasterio.windows.Window", grid: GeoBox
) -> npt.NDArray[np.bool_]:
    from rasterio.enums import Resampling
    from rasterio.warp import reproject

    target = np.zeros((mask.shape[0], *grid.shape), dtype=np.uint8)
    reproject(mask.astype(np.uint8), target, **_places(source, window, grid), resampling=Resampling.nearest)
    return target.astype(np.bool_)


def _places(
    source: "rasterio.io.DatasetReader", window: "rasterio.windows.Window", grid: GeoBox
) -> dict[str, Any]:
    return {
        "src_transform": source.window_transform(window),
        "src_crs": source.crs,
        "dst_transform": grid.affine,
        "dst_crs": str(grid.crs),
        "tolerance": TOLERANCE,
        "num_threads": 1,
    }


def _kernel_scale(ratio: float) -> float:
    """GDAL's kernel scale: 1 where pixels are alike or larger in the source, else as many times wider."""
    return 1.0 if ratio < 1.05 else 1.0 / ratio


def _source_bounds(source: "rasterio.io.DatasetReader", grid: GeoBox) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of the grid in source pixels; all columns where it crosses the antimeridian."""
    from rasterio.warp import transform_bounds

    left, bottom, right, top = transform_bounds(str(grid.crs), source.crs, *grid.boundingbox.bbox, densify_pts=21)
    inverse = ~source.transform
    wraps = right < left
    if wraps:
        left, right = source.bounds.left, source.bounds.right
    corners = [inverse @ point for point in ((left, top), (right, top), (left, bottom), (right, bottom))]
    columns = [c for c, _ in corners]
    rows = [r for _, r in corners]
    return min(columns), min(rows), max(columns), max(rows)


def _sampling_ratio(source: "rasterio.io.DatasetReader", grid: GeoBox) -> _Ratio:
    left, top, right, bottom = _source_bounds(source, grid)
    return _Ratio((right - left) / grid.shape[1], (bottom - top) / grid.shape[0])


def _window(
    source: "rasterio.io.DatasetReader", grid: GeoBox, ratio: _Ratio
) -> "rasterio.windows.Window | None":
    from rasterio.windows import Window

    left, top, right, bottom = _source_bounds(source, grid)
    across, down = (math.ceil(_MARGIN * max(1.0, r)) for r in (ratio.x, ratio.y))
    first_column, last_column = max(0, math.floor(left) - across), min(source.width, math.ceil(right) + across)
    first_row, last_row = max(0, math.floor(top) - down), min(source.height, math.ceil(bottom) + down)
    if first_column >= last_column or first_row >= last_row:
        return None
    return Window(first_column, first_row, last_column - first_column, last_row - first_row)
