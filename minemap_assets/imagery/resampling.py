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

_ALIKE = 1.1
"""Up to this ratio source and grid pixels count as equally large, and four source pixels are enough."""

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


@dataclass(frozen=True)
class _View:
    """The part of a file that a grid looks at."""

    source: "rasterio.io.DatasetReader"
    window: "rasterio.windows.Window"
    grid: GeoBox

    def places(self) -> dict[str, Any]:
        """Where source and target lie, as `rasterio.warp.reproject` wants it."""
        return {
            "src_transform": self.source.window_transform(self.window),
            "src_crs": self.source.crs,
            "dst_transform": self.grid.affine,
            "dst_crs": str(self.grid.crs),
            "tolerance": TOLERANCE,
            "num_threads": 1,
        }


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
    shape = (len(indexes), *grid.shape)
    ratio = _sampling_ratio(source, whole or grid)
    detail = math.sqrt(ratio.x * ratio.y)
    window = _window(source, grid, ratio)
    if window is None:
        return Sampled(np.full(shape, np.nan, dtype=np.float32), np.zeros(shape, dtype=np.bool_), detail, 0)
    raw = source.read(list(indexes), window=window)
    data = raw.astype(np.float32)
    zero = np.zeros(data.shape, dtype=np.bool_)
    for place, missing in enumerate(nodata):
        if missing is None:
            zero[place] = data[place] == 0
            data[place][zero[place]] = np.nan
        elif not math.isnan(missing):
            data[place][data[place] == np.float32(missing)] = np.nan
    hidden = _hidden(source, indexes, window)
    if hidden is not None:
        data[:, hidden] = np.nan
        zero[:, hidden] = False
    view = _View(source, window, grid)
    values = _warp(data, view, ratio)
    dark = _nearest(zero, view) & np.isnan(values) if zero.any() else np.zeros(shape, dtype=np.bool_)
    return Sampled(values, dark, detail, raw.nbytes)


def _hidden(
    source: "rasterio.io.DatasetReader", indexes: Sequence[int], window: "rasterio.windows.Window"
) -> npt.NDArray[np.bool_] | None:
    """True where the file's alpha band (one that is not itself asked for) or its mask hides a pixel.

    GDAL itself minds alpha only in files of two or four bands; a basemap quad has five.
    """
    from rasterio.enums import ColorInterp, MaskFlags

    alpha = [i for i, colour in enumerate(source.colorinterp, 1) if colour == ColorInterp.alpha and i not in indexes]
    if alpha:
        return np.asarray(source.read(alpha[-1], window=window) == 0, dtype=np.bool_)
    flags = source.mask_flag_enums[indexes[0] - 1]
    if MaskFlags.per_dataset in flags and MaskFlags.alpha not in flags:
        return np.asarray(source.dataset_mask(window=window) == 0, dtype=np.bool_)
    return None


def _warp(data: npt.NDArray[np.float32], view: _View, ratio: _Ratio) -> npt.NDArray[np.float32]:
    from rasterio.enums import Resampling
    from rasterio.warp import reproject

    average = max(ratio.x, ratio.y) >= AVERAGE_FROM
    kernel = {} if average else {"XSCALE": str(_kernel_scale(ratio.x)), "YSCALE": str(_kernel_scale(ratio.y))}
    values = np.full((data.shape[0], *view.grid.shape), np.nan, dtype=np.float32)
    reproject(
        data,
        values,
        **view.places(),
        src_nodata=np.nan,
        dst_nodata=np.nan,
        resampling=Resampling.average if average else Resampling.bilinear,
        UNIFIED_SRC_NODATA="NO",
        **kernel,
    )
    return values


def _nearest(mask: npt.NDArray[np.bool_], view: _View) -> npt.NDArray[np.bool_]:
    from rasterio.enums import Resampling
    from rasterio.warp import reproject

    target = np.zeros((mask.shape[0], *view.grid.shape), dtype=np.uint8)
    reproject(mask.astype(np.uint8), target, **view.places(), resampling=Resampling.nearest)
    return target.astype(np.bool_)


def _kernel_scale(ratio: float) -> float:
    """GDAL's kernel scale: 1 where pixels are alike or larger in the source, else as many times wider."""
    return 1.0 if ratio < _ALIKE else 1.0 / ratio


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
    """Source columns and rows that one step in the middle of the grid crosses."""
    from rasterio.warp import transform

    column, row = grid.shape[1] / 2.0, grid.shape[0] / 2.0
    corners = [grid.affine @ point for point in ((column, row), (column + 1.0, row), (column, row + 1.0))]
    xs, ys = transform(str(grid.crs), source.crs, [x for x, _ in corners], [y for _, y in corners])
    inverse = ~source.transform
    start, right, down = (inverse @ point for point in zip(xs, ys, strict=True))
    return _Ratio(
        math.hypot(right[0] - start[0], down[0] - start[0]), math.hypot(right[1] - start[1], down[1] - start[1])
    )


def _window(source: "rasterio.io.DatasetReader", grid: GeoBox, ratio: _Ratio) -> "rasterio.windows.Window | None":
    from rasterio.windows import Window

    left, top, right, bottom = _source_bounds(source, grid)
    across, down = (math.ceil(_MARGIN * max(1.0, r)) for r in (ratio.x, ratio.y))
    first_column, last_column = max(0, math.floor(left) - across), min(source.width, math.ceil(right) + across)
    first_row, last_row = max(0, math.floor(top) - down), min(source.height, math.ceil(bottom) + down)
    if first_column >= last_column or first_row >= last_row:
        return None
    return Window(first_column, first_row, last_column - first_column, last_row - first_row)
