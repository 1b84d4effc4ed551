"""Numbers of a part of a file brought onto a grid, for every source alike.

Where both lie on one lattice numbers are copied. Else they are interpolated between four pixels, or averaged by area
where source pixels are much smaller. A number that is NaN has no part in any mean.
"""

import math
import warnings
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from affine import Affine
from odc.geo.geobox import GeoBox

AVERAGE_FROM = 2.0
"""Source pixels per grid pixel, along one side, from which values are averaged by area."""

TOLERANCE = 0.01
"""Largest error of a position, in source pixels (GDAL's own default is 0.125)."""

ALIGNED = 0.01
"""Largest distance, in pixels, between the pixel edges of two lattices that count as one."""

_ALIKE = 1.1
"""Up to this ratio source and grid pixels count as equally large, and four source pixels are enough."""

_MARGIN = 3
"""Source pixels read around the grid, times the sampling ratio, so that kernels at the edge are whole."""

_REMEMBERED = 1024

N = TypeVar("N", bound=np.generic)
Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Window:
    """Part of a file: its first column and row, which may lie outside, and how many there are of each."""

    column: int
    row: int
    width: int
    height: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns."""
        return slice(self.row, self.row + self.height), slice(self.column, self.column + self.width)

    def of(self, ground: GeoBox) -> GeoBox:
        """The ground that the part of a file shows."""
        return GeoBox((self.height, self.width), ground.affine @ Affine.translation(self.column, self.row), ground.crs)

    def within(self, ground: GeoBox) -> "Window | None":
        """What of it the file has; None where that is nothing."""
        height, width = (int(n) for n in ground.shape)
        left, top = max(0, self.column), max(0, self.row)
        right, bottom = min(width, self.column + self.width), min(height, self.row + self.height)
        return Window(left, top, right - left, bottom - top) if left < right and top < bottom else None


@dataclass(frozen=True)
class Ratio:
    """Source pixels per grid pixel along the columns and the rows."""

    x: float
    y: float

    @property
    def detail(self) -> float:
        """Source pixels per grid pixel along one side."""
        return math.sqrt(self.x * self.y)

    @property
    def averages(self) -> bool:
        """True where values are averaged by area."""
        return max(self.x, self.y) >= AVERAGE_FROM


def shared_lattice(ground: GeoBox, other: GeoBox) -> tuple[int, int] | None:
    """Column and row of the first pixel of `other` among those of `ground` where both lie on one lattice, which reaches
    as far as they do: same CRS, size and edges of pixels. Else None.
    """
    if ground.crs != other.crs:
        return None
    between = ~ground.affine @ other.affine
    size = max(*ground.shape, *other.shape)
    alike = all(
        abs(value - expected) * size < ALIGNED
        for value, expected in ((between.a, 1.0), (between.b, 0.0), (between.d, 0.0), (between.e, 1.0))
    )
    if not alike or any(abs(value - round(value)) >= ALIGNED for value in (between.c, between.f)):
        return None
    return round(between.c), round(between.f)


@lru_cache(_REMEMBERED)
def source_window(ground: GeoBox, grid: GeoBox, whole: GeoBox | None = None) -> Window | None:
    """What to read of a file on `ground` for a grid; None where it has nothing of it. `whole` is the grid of which
    `grid` is a block of rows.
    """
    shared = shared_lattice(ground, grid)
    if shared is not None:
        return Window(*shared, int(grid.shape[1]), int(grid.shape[0])).within(ground)
    found = wide_window(ground, grid, sampling_ratio(ground, whole or grid))
    return found.within(ground)


def wide_window(ground: GeoBox, grid: GeoBox, ratio: Ratio) -> Window:
    """The pixels of a lattice around a grid, with those that kernels need at its edge; some may lie outside."""
    left, top, right, bottom = source_bounds(ground, grid)
    across, down = (math.ceil(_MARGIN * max(1.0, r)) for r in (ratio.x, ratio.y))
    column, row = math.floor(left) - across, math.floor(top) - down
    return Window(column, row, math.ceil(right) + across - column, math.ceil(bottom) + down - row)


@lru_cache(_REMEMBERED)
def sampling_ratio(ground: GeoBox, grid: GeoBox) -> Ratio:
    """Source columns and rows that one step in the middle of the grid crosses."""
    from rasterio.warp import transform

    column, row = grid.shape[1] / 2.0, grid.shape[0] / 2.0
    corners = [grid.affine @ point for point in ((column, row), (column + 1.0, row), (column, row + 1.0))]
    xs, ys = transform(str(grid.crs), str(ground.crs), [x for x, _ in corners], [y for _, y in corners])
    inverse = ~ground.affine
    start, right, down = (inverse @ point for point in zip(xs, ys, strict=True))
    return Ratio(
        math.hypot(right[0] - start[0], down[0] - start[0]), math.hypot(right[1] - start[1], down[1] - start[1])
    )


def source_bounds(ground: GeoBox, grid: GeoBox) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of the grid in source pixels; all its columns where it crosses the antimeridian."""
    from rasterio.warp import transform_bounds

    left, bottom, right, top = transform_bounds(str(grid.crs), str(ground.crs), *grid.boundingbox.bbox, densify_pts=21)
    inverse = ~ground.affine
    if right < left:
        left, right = ground.boundingbox.left, ground.boundingbox.right
    corners = [inverse @ point for point in ((left, top), (right, top), (left, bottom), (right, bottom))]
    columns = [c for c, _ in corners]
    rows = [r for _, r in corners]
    return min(columns), min(rows), max(columns), max(rows)


def onto(values: Floats, place: GeoBox, grid: GeoBox, ratio: Ratio) -> Floats:
    """Values (band, row, column) of the ground `place` on a grid; NaN where there is none."""
    from rasterio.enums import Resampling

    if shared_lattice(place, grid) is not None:
        return copied(values, place, grid, np.float32(np.nan))
    kernel = {} if ratio.averages else {"XSCALE": str(_kernel_scale(ratio.x)), "YSCALE": str(_kernel_scale(ratio.y))}
    found = np.full((values.shape[0], *grid.shape), np.nan, dtype=np.float32)
    _reproject(
        values,
        found,
        place,
        grid,
        src_nodata=np.nan,
        dst_nodata=np.nan,
        resampling=Resampling.average if ratio.averages else Resampling.bilinear,
        UNIFIED_SRC_NODATA="NO",
        **kernel,
    )
    return found


def hidden_onto(hidden: Bools, place: GeoBox, grid: GeoBox) -> Bools:
    """Where a mask (row, column) of the ground `place` hides a pixel of a grid, and where the mask ends.

    The nearest pixel of the mask decides, or any of those under the grid's pixel where they are much smaller.
    """
    from rasterio.enums import Resampling

    rows, columns = hidden.shape
    for times in (1, 2):
        finer = GeoBox((times * rows, times * columns), place.affine @ Affine.scale(1.0 / times), place.crs)
        if shared_lattice(finer, grid) is not None:
            fine = np.repeat(np.repeat(hidden, times, axis=0), times, axis=1) if times > 1 else hidden
            return np.asarray(copied(fine[np.newaxis], finer, grid, np.bool_(True))[0], dtype=np.bool_)
    how = Resampling.max if sampling_ratio(place, grid).averages else Resampling.nearest
    states = np.zeros(grid.shape, dtype=np.uint8)
    found = np.where(hidden, np.uint8(2), np.uint8(1))
    _reproject(found, states, place, grid, src_nodata=0, dst_nodata=0, resampling=how)
    return np.asarray(states != 1, dtype=np.bool_)


def copied(values: npt.NDArray[N], place: GeoBox, grid: GeoBox, beyond: N) -> npt.NDArray[N]:
    """Values on a grid of the same lattice, `beyond` where they end; a view where they do not."""
    column, row = shared_lattice(place, grid) or (0, 0)
    height, width = (int(n) for n in grid.shape)
    rows, columns = values.shape[1:]
    if row >= 0 and column >= 0 and row + height <= rows and column + width <= columns:
        return values[:, row : row + height, column : column + width]
    found = np.full((values.shape[0], height, width), beyond, dtype=values.dtype)
    there = Window(column, row, width, height).within(place)
    if there is not None:
        top, left = there.row - row, there.column - column
        found[:, top : top + there.height, left : left + there.width] = values[:, *there.slices]
    return found


def _reproject(source: npt.NDArray[Any], target: npt.NDArray[Any], place: GeoBox, grid: GeoBox, **options: Any) -> None:
    """Fill `target`, which lies on a grid, from `source`, which lies on the ground `place`."""
    from rasterio.errors import NotGeoreferencedWarning
    from rasterio.warp import reproject

    # rasterio looks at its arrays before they have a place, and hides that warning in a way that threads undo
    warnings.filterwarnings("ignore", category=NotGeoreferencedWarning)
    reproject(
        source,
        target,
        src_transform=place.affine,
        src_crs=str(place.crs),
        dst_transform=grid.affine,
        dst_crs=str(grid.crs),
        tolerance=TOLERANCE,
        num_threads=1,
        **options,
    )


def _kernel_scale(ratio: float) -> float:
    """GDAL's kernel scale: 1 where pixels are alike or larger in the source, else as many times wider."""
    return 1.0 if ratio < _ALIKE else 1.0 / ratio
