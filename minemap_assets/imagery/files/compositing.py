"""Several pictures of one place made into one: the median over dates, and mosaics of overlapping tiles.

In uint16 stacks 0 means not observed. All bands of a pixel are observed together or not at all: an observation that
lacks one band does not count.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

BLOCK_BYTES = 1_000_000
"""Working memory of the median: what a processor's cache holds. A stack is sorted in blocks of rows of this size."""

_MISSING = np.uint16(np.iinfo(np.uint16).max)
"""Stands for a missing observation while a stack is sorted: behind all others."""


@dataclass(frozen=True, eq=False)
class Combined:
    """Pixels uint16 (band, row, column) with 0 = not observed, and uint16 (row, column) observations used."""

    pixels: npt.NDArray[np.uint16]
    clear_count: npt.NDArray[np.uint16]


def median(stack: Sequence[npt.NDArray[np.uint16]], *, block_bytes: int = BLOCK_BYTES) -> Combined:
    """The median of each pixel and band over its observations; the mean of the middle two is rounded half up.

    `stack` has one (band, row, column) array a date.
    """
    shape = _common_shape(stack)
    bands, height, width = shape
    pixels = np.zeros(shape, dtype=np.uint16)
    count = np.zeros((height, width), dtype=np.uint16)
    step = max(1, block_bytes // max(1, len(stack) * bands * width * 2))
    for top in range(0, height, step):
        rows = slice(top, top + step)
        _median_of_rows([layer[:, rows] for layer in stack], pixels[:, rows], count[rows])
    return Combined(pixels, count)


def _median_of_rows(
    stack: Sequence[npt.NDArray[np.uint16]], pixels: npt.NDArray[np.uint16], count: npt.NDArray[np.uint16]
) -> None:
    """Fill `pixels` (zeros) and `count` (zeros). All pixels are sorted at a time, by comparing whole layers."""
    layers = []
    for layer in stack:
        observed = np.all(layer > 0, axis=0)
        count += observed
        layers.append(np.where(observed, layer, _MISSING))
    spare = np.empty_like(layers[0])
    for one, other in _comparisons(len(layers)):
        low, high = layers[one], layers[other]
        np.minimum(low, high, out=spare)
        np.maximum(low, high, out=high)
        layers[one], spare = spare, low
    for number in np.unique(count[count > 0]).tolist():
        low, high = layers[(number - 1) // 2], layers[number // 2]
        np.copyto(pixels, low + (high - low + np.uint16(1)) // np.uint16(2), where=count == number)


def _comparisons(size: int) -> Iterator[tuple[int, int]]:
    """Pairs of places that sort a list when each is put in order in turn: Batcher's merge exchange.

    D. E. Knuth, The Art of Computer Programming, volume 3, section 5.2.2, algorithm M.
    """
    top = 1 << max(0, (size - 1).bit_length() - 1)
    step = top
    while step:
        stride, rest, distance = top, 0, step
        while True:
            yield from ((n, n + distance) for n in range(size - distance) if n & step == rest)
            if stride == step:
                break
            distance, stride, rest = stride - step, stride // 2, step
        step //= 2


def mosaic(layers: Iterable[npt.NDArray[np.uint16]]) -> npt.NDArray[np.uint16]:
    """The first observation of each pixel, in the order of the layers, each (band, row, column)."""
    merged: npt.NDArray[np.uint16] | None = None
    for layer in layers:
        whole = np.where((layer > 0).all(axis=0), layer, np.uint16(0))
        merged = whole if merged is None else np.where((merged > 0).all(axis=0), merged, whole)
    if merged is None:
        raise ValueError("a mosaic needs at least one layer")
    return merged


def _common_shape(stack: Sequence[npt.NDArray[np.uint16]]) -> tuple[int, int, int]:
    shapes = {layer.shape for layer in stack}
    if len(shapes) != 1:
        raise ValueError(f"a composite needs arrays of one shape, not {sorted(shapes)}")
    bands, height, width = shapes.pop()
    return bands, height, width
