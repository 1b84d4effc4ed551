"""Bands of raster files brought onto a grid, whatever their CRS and pixel size.

Files that are pieces of one picture, cut along the edges of its pixels, are put together before they are resampled:
a pixel of the grid that lies across a seam is made from the source pixels on both sides of it.

Where a source pixel is at least half as large as a grid pixel, values are interpolated bilinearly; where it is
smaller, the grid pixel is the area-weighted mean of the source pixels under it. Both leave out missing source pixels
and share their weight among the others.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from odc.geo.geobox import GeoBox

from minemap_assets.imagery.files.band_names import validity_band
from minemap_assets.imagery.files.warping import (
    Window,
    hidden_onto,
    onto,
    sampling_ratio,
    shared_lattice,
    source_window,
    wide_window,
)

if TYPE_CHECKING:
    import rasterio.io

Hide = Callable[["rasterio.io.DatasetReader", GeoBox], npt.NDArray[np.bool_] | None]
"""Where, on a grid, masks beside a file hide its pixels: True (row, column); None where there are no masks."""

Guard = Callable[["rasterio.io.DatasetReader"], AbstractContextManager[object]]
"""Says what is read, so that an error can name it."""


@dataclass(frozen=True, eq=False)
class Sampled:
    """Raw values of some bands of one file on a grid.

    `values` is float32 (band, row, column), NaN where there is no value; `bytes_read` counts uncompressed bytes; `used`
    says for each file whether it gave any value.
    """

    values: npt.NDArray[np.float32]
    bytes_read: int
    used: tuple[bool, ...]


def sample(
    sources: Sequence["rasterio.io.DatasetReader"],
    indexes: Sequence[int],
    missing: Sequence[Sequence[float]],
    grid: GeoBox,
    whole: GeoBox | None = None,
    *,
    limits: Sequence[tuple[float, float]] = (),
    guard: Guard = nullcontext,
    hide: Hide = lambda _, __: None,
) -> Sampled:
    """Bands (1-based `indexes`) of an open file on a grid, or of several that are pieces of one picture (`are_pieces`).

    `missing` gives for each band the numbers that mean no value: none of them enters a mean. `whole` is the grid of
    which `grid` is a block of rows, so that all blocks are resampled alike. Pixels that a file's mask, alpha band or
    `hide` hides have no value, and none in any band where a number lies outside `limits` (lowest and highest number of
    each band); where pieces overlap the first lies on top. `guard` is entered with a file around every reading of it.
    Raises `rasterio.errors.RasterioError` where a file cannot be read.
    """
    grounds = [ground_of(source) for source in sources]
    ratio = sampling_ratio(grounds[0], whole or grid)
    window = _window(grounds, grid, whole or grid)
    if window is None:
        empty = np.full((len(indexes), *grid.shape), np.nan, dtype=np.float32)
        return Sampled(empty, 0, (False,) * len(sources))
    joined = _joined(sources, grounds, _Wanted(indexes, missing, limits, hide), window, guard)
    return Sampled(onto(joined.values, window.of(grounds[0]), grid, ratio), joined.bytes_read, joined.used)


def sample_hidden(
    source: "rasterio.io.DatasetReader",
    index: int,
    hides: Callable[[npt.NDArray[Any]], npt.NDArray[np.bool_]],
    grid: GeoBox,
) -> npt.NDArray[np.bool_]:
    """Where the numbers of a mask (band `index` from 1) hide a pixel of a grid, and where the mask ends.

    The nearest pixel of the mask decides, or any of those under the grid's pixel where they are much smaller.
    """
    ground = ground_of(source)
    window = source_window(ground, grid)
    if window is None:
        return np.ones(grid.shape, dtype=np.bool_)
    return hidden_onto(hides(source.read(index, window=_rows_columns(window))), window.of(ground), grid)


def ground_of(source: "rasterio.io.DatasetReader") -> GeoBox:
    """The ground that a file shows."""
    return GeoBox((source.height, source.width), source.transform, str(source.crs))


def are_pieces(one: "rasterio.io.DatasetReader", other: "rasterio.io.DatasetReader") -> bool:
    """True where the pixels of two files lie on one lattice: same CRS, size and edges."""
    return shared_lattice(ground_of(one), ground_of(other)) is not None


@dataclass(frozen=True)
class _Wanted:
    """Which bands are read, and which of their numbers are none."""

    indexes: Sequence[int]
    missing: Sequence[Sequence[float]]
    limits: Sequence[tuple[float, float]]
    hide: Hide


@dataclass(frozen=True, eq=False)
class _Raw:
    """Source pixels of a window (band, row, column): values, NaN where there is none."""

    values: npt.NDArray[np.float32]
    bytes_read: int
    used: tuple[bool, ...] = (True,)


def _joined(
    sources: Sequence["rasterio.io.DatasetReader"],
    grounds: Sequence[GeoBox],
    wanted: _Wanted,
    window: Window,
    guard: Guard,
) -> _Raw:
    """The pieces of a window, which counts the first source's pixels, as one."""
    if len(sources) == 1:
        with guard(sources[0]):
            return _read(sources[0], grounds[0], wanted, window)
    shape = (len(wanted.indexes), window.height, window.width)
    whole = np.full(shape, np.nan, dtype=np.float32)
    read, used = 0, []
    for source, ground in zip(sources, grounds, strict=True):
        column, row = shared_lattice(grounds[0], ground) or (0, 0)
        part = Window(window.column - column, window.row - row, window.width, window.height).within(ground)
        if part is None:
            used.append(False)
            continue
        with guard(source):
            piece = _read(source, ground, wanted, part)
        there = Window(part.column + column - window.column, part.row + row - window.row, part.width, part.height)
        under = whole[:, *there.slices]
        free = ~np.isfinite(under).all(axis=0) & np.isfinite(piece.values).any(axis=0)
        np.copyto(under, piece.values, where=free)
        read += piece.bytes_read
        used.append(bool(np.isfinite(piece.values[:, free]).any()))
    return _Raw(whole, read, tuple(used))


def _read(source: "rasterio.io.DatasetReader", ground: GeoBox, wanted: _Wanted, window: Window) -> _Raw:
    indexes = wanted.indexes
    raw = source.read(list(indexes), window=_rows_columns(window))
    data = raw.astype(np.float32)
    for band, missing in zip(data, wanted.missing, strict=True):
        for number in missing:
            band[band == np.float32(number)] = np.nan
    absurd = _outside(data, wanted.limits)
    for hidden in (_hidden(source, indexes, window), wanted.hide(source, window.of(ground)), absurd):
        if hidden is not None:
            data[:, hidden] = np.nan
    return _Raw(data, raw.nbytes)


def _outside(data: npt.NDArray[np.float32], limits: Sequence[tuple[float, float]]) -> npt.NDArray[np.bool_] | None:
    """Where (row, column) any band has a number that is no observation; None without limits."""
    if not limits:
        return None
    found = np.zeros(data.shape[1:], dtype=np.bool_)
    for band, (lowest, highest) in zip(data, limits, strict=True):
        found |= (band < lowest) | (band > highest)
    return found


def _hidden(
    source: "rasterio.io.DatasetReader", indexes: Sequence[int], window: Window
) -> npt.NDArray[np.bool_] | None:
    """True where the file's band of validity (one that is not itself asked for) or its mask hides a pixel.

    GDAL itself minds alpha only in files of two or four bands; a basemap quad has five.
    """
    from rasterio.enums import MaskFlags

    validity = validity_band(source, indexes)
    if validity is not None:
        return np.asarray(source.read(validity, window=_rows_columns(window)) == 0, dtype=np.bool_)
    flags = source.mask_flag_enums[indexes[0] - 1]
    if MaskFlags.per_dataset in flags and MaskFlags.alpha not in flags:
        return np.asarray(source.dataset_mask(window=_rows_columns(window)) == 0, dtype=np.bool_)
    return None


def _window(grounds: Sequence[GeoBox], grid: GeoBox, whole: GeoBox) -> Window | None:
    """What to read, in pixels of the first file; None where no file has any of it."""
    if len(grounds) == 1:
        return source_window(grounds[0], grid, whole)
    wide = wide_window(grounds[0], grid, sampling_ratio(grounds[0], whole))
    places = [shared_lattice(grounds[0], ground) or (0, 0) for ground in grounds]
    first_column, first_row = min(c for c, _ in places), min(r for _, r in places)
    last_column = max(c + int(ground.shape[1]) for (c, _), ground in zip(places, grounds, strict=True))
    last_row = max(r + int(ground.shape[0]) for (_, r), ground in zip(places, grounds, strict=True))
    left, top = max(first_column, wide.column), max(first_row, wide.row)
    right, bottom = min(last_column, wide.column + wide.width), min(last_row, wide.row + wide.height)
    return Window(left, top, right - left, bottom - top) if left < right and top < bottom else None


def _rows_columns(window: Window) -> tuple[tuple[int, int], tuple[int, int]]:
    rows, columns = window.slices
    return (rows.start, rows.stop), (columns.start, columns.stop)
