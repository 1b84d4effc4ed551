"""Noise of position: numbers that depend on where a point lies and on a key, never on who asks.

One table of random numbers serves every field: a key only moves the place where the table is read, so a field costs a
few array look-ups, and the same point gives the same number on every grid.
"""

import math
import zlib
from functools import lru_cache

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

_BITS = 10
_SIZE = 1 << _BITS
_MASK = _SIZE - 1
_STRIDE = _SIZE + 1


@lru_cache(maxsize=1)
def _table() -> Floats:
    """Uniform numbers 0 to 1, one row and column wrapped round so that the next cell is always the next entry."""
    inner = np.random.default_rng(20160101).random((_SIZE, _SIZE), dtype=np.float32)
    return np.ascontiguousarray(np.pad(inner, ((0, 1), (0, 1)), mode="wrap").ravel())


def as_floats(values: npt.ArrayLike) -> Floats:
    """Values as float32, not copied where they are already."""
    return np.asarray(values, dtype=np.float32)


def noise_key(*parts: object) -> int:
    """A number for a list of words and numbers, the same in every process."""
    return zlib.crc32(":".join(str(p) for p in parts).encode())


def uniform(*parts: object) -> float:
    """One number from 0 to 1 for a list of words and numbers."""
    return zlib.crc32(f"u:{noise_key(*parts)}:{len(parts)}".encode()) / 2**32


def cell_value(column: Ints, row: Ints, key: int) -> Floats:
    """A uniform number 0 to 1 for each cell."""
    i = (column + (key & 0xFFFF)) & _MASK
    j = (row + (key >> 16)) & _MASK
    return np.take(_table(), j * _STRIDE + i)


def value_noise(x: Floats, y: Floats, wavelength: float, key: int) -> Floats:
    """Smooth noise 0 to 1 (mean 0.5) whose bumps are about `wavelength` metres wide, for points in metres.

    Each key turns the lattice by another angle, so that no two fields line up.
    """
    angle = (key % 997) / 997.0 * math.pi / 2.0
    c, s = np.float32(math.cos(angle) / wavelength), np.float32(math.sin(angle) / wavelength)
    u = x * c + y * s
    v = y * c - x * s
    i, j = np.floor(u), np.floor(v)
    u -= i
    v -= j
    u *= u * (np.float32(3.0) - np.float32(2.0) * u)
    v *= v * (np.float32(3.0) - np.float32(2.0) * v)
    index = (j.astype(np.int64) + (key >> 16)) & _MASK
    index *= _STRIDE
    index += (i.astype(np.int64) + (key & 0xFFFF)) & _MASK
    table = _table()
    low = np.take(table, index)
    low += u * (np.take(table, index + 1) - low)
    index += _STRIDE
    high = np.take(table, index)
    high += u * (np.take(table, index + 1) - high)
    return np.asarray(low + (high - low) * v, dtype=np.float32)


def stretch(knots: npt.NDArray[np.floating], step: int, centre: float) -> npt.NDArray[np.floating]:
    """Linear interpolation of knots (rows + 1, columns + 1) to (rows * step, columns * step) points.

    Point p of a cell lies at (p + `centre`) / `step` of its side: 0.5 for pixel centres, 0 for a finer lattice.
    """
    share = ((np.arange(step) + centre) / step).astype(knots.dtype)
    left, right = knots[:, :-1, None], knots[:, 1:, None]
    wide = (left + (right - left) * share).reshape(knots.shape[0], -1)
    top, bottom = wide[:-1, None, :], wide[1:, None, :]
    return np.asarray((top + (bottom - top) * share[:, None]).reshape(-1, wide.shape[1]))


def gaussian_tile(key: int, column: int, row: int, width: int, height: int) -> Floats:
    """Normal deviates (height, width) for pixels counted from an absolute corner: overlapping tiles agree."""
    table = _gaussian_table()
    columns = (np.arange(column, column + width) + (key & 0xFFFF)) & _MASK
    rows = (np.arange(row, row + height) + (key >> 16)) & _MASK
    return np.asarray(table[np.ix_(rows, columns)])


@lru_cache(maxsize=1)
def _gaussian_table() -> Floats:
    return np.random.default_rng(20160102).standard_normal((_SIZE, _SIZE), dtype=np.float32)
