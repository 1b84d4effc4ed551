"""Blending: the probabilities of a site's overlapping chips become one picture without seams."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from minemap_assets.segmentation.scale import NOT_OBSERVED, to_stored


@dataclass(frozen=True, eq=False)
class ChipProbability:
    """Probability float32 and observed bool (row, column) of the chip whose first pixel is at (row, column)."""

    row: int
    column: int
    probability: npt.NDArray[np.float32]
    observed: npt.NDArray[np.bool_]


def window(size: int) -> npt.NDArray[np.float32]:
    """Weights (row, column) of a chip: a raised cosine, one in the middle and small but never zero at the edge.

    The network knows least about pixels at the edge of its input, and a neighbour's middle lies there.
    """
    place = (np.arange(size) + 0.5) / size
    side = (0.5 - 0.5 * np.cos(2.0 * np.pi * place)).astype(np.float32) + np.float32(1e-3)
    return np.asarray(np.outer(side, side), dtype=np.float32)


def blend(height: int, width: int, chips: Iterable[ChipProbability]) -> npt.NDArray[np.uint8]:
    """Stored probability (row, column) of a site: the weighted mean of its chips; 255 where no chip was observed."""
    total = np.zeros((height, width), dtype=np.float32)
    weight = np.zeros((height, width), dtype=np.float32)
    shape: npt.NDArray[np.float32] = np.zeros((0, 0), dtype=np.float32)
    for chip in chips:
        size = chip.probability.shape[0]
        if shape.shape[0] != size:
            shape = window(size)
        here = np.s_[chip.row : chip.row + size, chip.column : chip.column + size]
        part = shape * chip.observed
        total[here] += part * chip.probability
        weight[here] += part
    seen = weight > 0
    mean = np.divide(total, weight, out=total, where=seen)
    return np.where(seen, to_stored(mean), np.uint8(NOT_OBSERVED))
