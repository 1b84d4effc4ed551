"""The stored scale of probability: 0 to 254, 255 = not observed."""

import math

import numpy as np
import numpy.typing as npt

TOP = 254
NOT_OBSERVED = 255


def to_stored(probability: npt.NDArray[np.floating]) -> npt.NDArray[np.uint8]:
    """Probabilities 0 to 1 as stored values 0 to 254."""
    stored: npt.NDArray[np.uint8] = np.rint(np.clip(probability, 0.0, 1.0) * TOP).astype(np.uint8)
    return stored


def stored_threshold(threshold: float) -> int:
    """The smallest stored value that counts as mine: stored / 254 >= threshold."""
    low = max(0, math.floor(threshold * TOP) - 1)
    return next(value for value in range(low, TOP + 2) if value / TOP >= threshold or value > TOP)


def is_mine(stored: npt.NDArray[np.uint8], threshold: float) -> npt.NDArray[np.bool_]:
    """True where a pixel was observed and its probability is at or above the threshold."""
    found: npt.NDArray[np.bool_] = (stored >= stored_threshold(threshold)) & (stored != NOT_OBSERVED)
    return found
