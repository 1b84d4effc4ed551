"""Bands of raster files brought onto a grid, whatever their CRS and pixel size.

Files that are pieces of one picture, cut along the edges of its pixels, are put together before they are resampled:
a pixel of the grid that lies across a seam is made from the source pixels on both sides of it.

Where a source pixel is at least half as large as a grid pixel, values are interpolated bilinearly; where it is
smaller, the grid pixel is the area-weighted mean of the source pixels under it. Both leave out missing source pixels
and share their weight among the others.
"""

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
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

_ALIGNED = 0.01
"""Largest distance, in pixels, between the pixel edges of two files that count as pieces of one picture."""


Hide = Callable[["rasterio.io.DatasetReader", GeoBox], npt.NDArray[np.bool_] | None]
"""Where, on a grid, masks beside a file hide its pixels: True (row, column); None where there are no masks."""

Guard = Callable[["rasterio.io.DatasetReader"], AbstractContextManager[object]]
"""Says what is read, so that an error can name it."""


@dataclass(frozen=True, eq=False)
class Sampled:
    """Raw values of some bands of one file on a grid.

    `values` is float32 (band, row, column), NaN where there is no value; `dark` is True where the file covers the
    pixel but says 0 without calling that nodata; `detail` is the number of source pixels per grid pixel along one
    side; `bytes_read` counts uncompressed bytes; `used` says for each file whether it gave any value.
    """

    values: npt.NDArray[np.float32]
    dark: npt.NDArray[np.bool_]
    detail: float
    bytes_read: int
    used: tuple[bool, ...]


@dataclass(frozen=True)
class _Ratio:
    """Source pixels per grid pixel along the columns and the rows."""

    x: float
    y: float


@dataclass(frozen=True)
class _View:
    """The part of a picture that a grid looks at; `source` is any of its files, `window` counts that one's pixels."""

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
    sources: Sequence["rasterio.io.DatasetReader"],
    indexes: Sequence[int],
    nodata: Sequence[float | None],
    grid: GeoBox,
    whole: GeoBox | None = None,
    *,
    limits: Sequence[tuple[float, float]] = (),
    guard: Guard = nullcontext,
    hide: Hide = lambda _, __: None,
) -> Sampled:
    """Bands (1-based `indexes`) of an open file on a grid, or of several that are pieces of one picture (`are_pieces`).

    `nodata` gives for each band the number that means no value; where it is None a 0 is reported as `dark`. `whole`
    is the grid of which `grid` is a block of rows, so that all blocks are resampled alike. Pixels that a file's mask,
    alpha band or `hide` hides have no value, and none in any band where a number lies outside `limits` (lowest and
    highest number of each band); where pieces overlap the first lies on top. `guard` is entered with a
    file around every reading of it. Raises `rasterio.errors.RasterioError` where a file cannot be read.
    """
    shape = (len(indexes), *grid.shape)
    first = sources[0]
    ratio = _sampling_ratio(first, whole or grid)
    detail = math.sqrt(ratio.x * ratio.y)
    window = _window(sources, grid, ratio)
    if window is None:
        empty = np.full(shape, np.nan, dtype=np.float32)
        return Sampled(empty, np.zeros(shape, dtype=np.bool_), detail, 0, (False,) * len(sources))
    wanted = _Wanted(indexes, nodata, limits, hide)
    joined = _joined(sources, wanted, window, guard)
    view = _View(first, window, grid)
    values = _warp(joined.values, view, ratio)
    zero = joined.zero
    dark = _nearest(zero, view) & np.isnan(values) if zero.any() else np.zeros(shape, dtype=np.bool_)
    return Sampled(values, dark, detail, joined.bytes_read, joined.used)


def sample_hidden(
    source: "rasterio.io.DatasetReader",
    index: int,
    hides: Callable[[npt.NDArray[Any]], npt.NDArray[np.bool_]],
    grid: GeoBox,
) -> npt.NDArray[np.bool_]:
    """Where the numbers of a mask (band `index` from 1) hide a pixel of a grid, and where the mask ends.

    The nearest pixel of the mask decides, or any of those under the grid's pixel where they are much smaller.
    """
    from rasterio.enums import Resampling
    from rasterio.warp import reproject

    ratio = _sampling_ratio(source, grid)
    states = np.zeros(grid.shape, dtype=np.uint8)
    window = _window([source], grid, ratio)
    if window is not None:
        found = np.where(hides(source.read(index, window=window)), np.uint8(2), np.uint8(1))
        how = Resampling.max if max(ratio.x, ratio.y) >= AVERAGE_FROM else Resampling.nearest
        view = _View(source, window, grid)
        reproject(found, states, **view.places(), src_nodata=0, dst_nodata=0, resampling=how)
    return np.asarray(states != 1, dtype=np.bool_)


def are_pieces(one: "rasterio.io.DatasetReader", other: "rasterio.io.DatasetReader") -> bool:
    """True where the pixels of two files lie on one lattice: same CRS, size and edges."""
    if one.crs != other.crs:
        return False
    between = ~one.transform @ other.transform
    size = max(other.width, other.height)
    alike = all(
        abs(value - expected) * size < _ALIGNED
        for value, expected in ((between.a, 1.0), (between.b, 0.0), (between.d, 0.0), (between.e, 1.0))
    )
    return alike and all(abs(value - round(value)) < _ALIGNED for value in (between.c, between.f))


@dataclass(frozen=True)
class _Wanted:
    """Which bands are read, and which of their numbers are none."""

    indexes: Sequence[int]
    nodata: Sequence[float | None]
    limits: Sequence[tuple[float, float]]
    hide: Hide


@dataclass(frozen=True, eq=False)
class _Raw:
    """Source pixels of a window (band, row, column): values, NaN where there is none, and where a 0 may be one."""

    values: npt.NDArray[np.float32]
    zero: npt.NDArray[np.bool_]
    bytes_read: int
    used: tuple[bool, ...] = (True,)

    @property
    def known(self) -> npt.NDArray[np.bool_]:
        """(row, column), True where every band says something, and one of them more than 0."""
        seen = np.isfinite(self.values)
        return np.asarray((seen | self.zero).all(axis=0) & seen.any(axis=0), dtype=np.bool_)


def _joined(
    sources: Sequence["rasterio.io.DatasetReader"], wanted: _Wanted, window: "rasterio.windows.Window", guard: Guard
) -> _Raw:
    """The pieces of a window, which counts the first source's pixels, as one."""
    from rasterio.windows import Window

    if len(sources) == 1:
        with guard(sources[0]):
            return _read(sources[0], wanted, window)
    shape = (len(wanted.indexes), int(window.height), int(window.width))
    whole = _Raw(np.full(shape, np.nan, dtype=np.float32), np.zeros(shape, dtype=np.bool_), 0)
    read, used = 0, []
    for source in sources:
        column, row = _place(source, sources[0])
        left, top = max(0, window.col_off - column), max(0, window.row_off - row)
        right = min(source.width, window.col_off + window.width - column)
        bottom = min(source.height, window.row_off + window.height - row)
        if left >= right or top >= bottom:
            used.append(False)
            continue
        with guard(source):
            piece = _read(source, wanted, Window(left, top, right - left, bottom - top))
        rows = slice(row + top - window.row_off, row + bottom - window.row_off)
        columns = slice(column + left - window.col_off, column + right - window.col_off)
        under = _Raw(whole.values[:, rows, columns], whole.zero[:, rows, columns], 0)
        free = ~under.known & (np.isfinite(piece.values) | piece.zero).any(axis=0)
        np.copyto(under.values, piece.values, where=free)
        np.copyto(under.zero, piece.zero, where=free)
        read += piece.bytes_read
        used.append(bool(np.isfinite(piece.values[:, free]).any()))
    return _Raw(whole.values, whole.zero, read, tuple(used))


def _read(source: "rasterio.io.DatasetReader", wanted: _Wanted, window: "rasterio.windows.Window") -> _Raw:
    indexes = wanted.indexes
    raw = source.read(list(indexes), window=window)
    data = raw.astype(np.float32)
    zero = np.zeros(data.shape, dtype=np.bool_)
    for place, missing in enumerate(wanted.nodata):
        if missing is None:
            zero[place] = data[place] == 0
            data[place][zero[place]] = np.nan
        elif not math.isnan(missing):
            data[place][data[place] == np.float32(missing)] = np.nan
    absurd = _outside(data, wanted.limits)
    pixels = GeoBox(data.shape[1:], source.window_transform(window), str(source.crs))
    for hidden in (_hidden(source, indexes, window), wanted.hide(source, pixels), absurd):
        if hidden is not None:
            data[:, hidden] = np.nan
            zero[:, hidden] = False
    return _Raw(data, zero, raw.nbytes)


def _outside(data: npt.NDArray[np.float32], limits: Sequence[tuple[float, float]]) -> npt.NDArray[np.bool_] | None:
    """Where (row, column) any band has a number that is no observation; None without limits."""
    if not limits:
        return None
    found = np.zeros(data.shape[1:], dtype=np.bool_)
    for band, (lowest, highest) in zip(data, limits, strict=True):
        found |= (band < lowest) | (band > highest)
    return found


def _place(source: "rasterio.io.DatasetReader", first: "rasterio.io.DatasetReader") -> tuple[int, int]:
    """Column and row of the first pixel of a piece among the first piece's."""
    between = ~first.transform @ source.transform
    return round(between.c), round(between.f)


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
    """Left, top, right, bottom of the grid in source pixels; all its columns where it crosses the antimeridian."""
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


def _window(
    sources: Sequence["rasterio.io.DatasetReader"], grid: GeoBox, ratio: _Ratio
) -> "rasterio.windows.Window | None":
    """What to read, in pixels of the first source; None where no source has any of it."""
    from rasterio.windows import Window

    bounds = [_source_bounds(sources[0], grid)]
    places = [(0, 0)]
    for source in sources[1:]:
        column, row = _place(source, sources[0])
        left, top, right, bottom = _source_bounds(source, grid)
        bounds.append((left + column, top + row, right + column, bottom + row))
        places.append((column, row))
    across, down = (math.ceil(_MARGIN * max(1.0, r)) for r in (ratio.x, ratio.y))
    first_column = max(min(c for c, _ in places), math.floor(min(b[0] for b in bounds)) - across)
    first_row = max(min(r for _, r in places), math.floor(min(b[1] for b in bounds)) - down)
    ends = [(c + s.width, r + s.height) for (c, r), s in zip(places, sources, strict=True)]
    last_column = min(max(c for c, _ in ends), math.ceil(max(b[2] for b in bounds)) + across)
    last_row = min(max(r for _, r in ends), math.ceil(max(b[3] for b in bounds)) + down)
    if first_column >= last_column or first_row >= last_row:
        return None
    return Window(first_column, first_row, last_column - first_column, last_row - first_row)
