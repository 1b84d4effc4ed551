"""Several pictures of one place made into one: the median over dates, and mosaics of overlapping tiles.

What belongs here: arithmetic on uint16 stacks in which 0 means not observed. What does not: reading pixels
(`sources/`), and deciding what is cloud.

All bands of a pixel are observed together or not at all: an observation that lacks one band does not count.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Combine = Literal["median", "clearest", "recent"]
"""What becomes of several dates in a season: the median of each pixel, or one date's pixels with the others behind."""

BLOCK_BYTES = 32_000_000
"""Working memory of the median; a stack is sorted in blocks of rows no larger than this."""


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
        block = np.stack([layer[:, rows] for layer in stack])
        observed = np.all(block > 0, axis=1)
        number = observed.sum(axis=0)
        np.copyto(block, np.uint16(np.iinfo(np.uint16).max), where=~observed[:, np.newaxis])
        block.sort(axis=0)
        low = _at(block, (np.maximum(number, 1) - 1) // 2)
        high = _at(block, np.maximum(number, 1) // 2)
        middle = ((low.astype(np.uint32) + high + 1) // 2).astype(np.uint16)
        pixels[:, rows] = np.where(number > 0, middle, np.uint16(0))
        count[rows] = number
    return Combined(pixels, count)


def mosaic(layers: Iterable[npt.NDArray[np.uint16]]) -> npt.NDArray[np.uint16]:
    """The first observation of each pixel, in the order of the layers, each (band, row, column)."""
    merged: npt.NDArray[np.uint16] | None = None
    for layer in layers:
        whole = np.where((layer > 0).all(axis=0), layer, np.uint16(0))
        merged = whole if merged is None else np.where((merged > 0).all(axis=0), merged, whole)
    if merged is None:
        raise ValueError("a mosaic needs at least one layer")
    return merged


def combine(stack: Sequence[npt.NDArray[np.uint16]], how: Combine, *, block_bytes: int = BLOCK_BYTES) -> Combined:
    """One picture out of a (band, row, column) array a date, given from the oldest to the newest.

    `clearest` puts the date with the most observed pixels on top (the newer of two equal ones), `recent` the newest;
    the others fill its gaps, and the count says how many dates saw the pixel.
    """
    if how == "median":
        return median(stack, block_bytes=block_bytes)
    _common_shape(stack)
    observed = [(layer > 0).all(axis=0) for layer in stack]
    places = range(len(stack) - 1, -1, -1)
    order = sorted(places, key=lambda i: -int(observed[i].sum())) if how == "clearest" else list(places)
    count = np.zeros(stack[0].shape[1:], dtype=np.uint16)
    for seen in observed:
        count += seen
    return Combined(mosaic(stack[i] for i in order), count)


def _at(block: npt.NDArray[np.uint16], place: npt.NDArray[np.int_]) -> npt.NDArray[np.uint16]:
    index = np.broadcast_to(place[np.newaxis, np.newaxis], (1, *block.shape[1:]))
    taken: npt.NDArray[np.uint16] = np.take_along_axis(block, index, axis=0)[0]
    return taken


def _common_shape(stack: Sequence[npt.NDArray[np.uint16]]) -> tuple[int, int, int]:
    shapes = {layer.shape for layer in stack}
    if len(shapes) != 1:
        raise ValueError(f"a composite needs arrays of one shape, not {sorted(shapes)}")
    bands, height, width = shapes.pop()
    return bands, height, width
