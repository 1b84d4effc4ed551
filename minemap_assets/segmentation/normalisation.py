"""Normalisation: reflectance to network input, a mean and a spread for each band of each product.

Taken from observed pixels of the train split only; pixels that were not observed become 0, the mean.
"""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from minemap_assets.project.settings import StrictModel

LIMIT = 6.0
"""Normalised values are cut to this many spreads, so that one bright cloud does not rule a picture."""


class Normalisation(StrictModel):
    """Mean and spread of the stored numbers (reflectance x 10,000) of each band, in the model's band order."""

    mean: tuple[float, ...]
    spread: tuple[float, ...]

    def apply(self, pixels: npt.NDArray[np.generic]) -> npt.NDArray[np.float32]:
        """Normalise (..., band, row, column); 0 (not observed) becomes 0."""
        values = pixels.astype(np.float32)
        mean = np.asarray(self.mean, dtype=np.float32)[:, None, None]
        spread = np.asarray(self.spread, dtype=np.float32)[:, None, None]
        seen = values > 0
        values -= mean
        values /= spread
        np.clip(values, -LIMIT, LIMIT, out=values)
        return np.where(seen, values, np.float32(0.0))


def measure(chips: Iterable[npt.NDArray[np.uint16]], bands: int) -> Normalisation:
    """Mean and standard deviation a band over the observed pixels of (band, row, column) chips."""
    count = np.zeros(bands)
    total = np.zeros(bands)
    squares = np.zeros(bands)
    for pixels in chips:
        seen = pixels > 0
        values = pixels.astype(np.float64) * seen
        count += seen.sum(axis=(1, 2))
        total += values.sum(axis=(1, 2))
        squares += (values**2).sum(axis=(1, 2))
    safe = np.maximum(count, 1.0)
    mean = total / safe
    spread = np.sqrt(np.maximum(squares / safe - mean**2, 1.0))
    return Normalisation(mean=tuple(round(float(v), 4) for v in mean), spread=tuple(round(float(v), 4) for v in spread))
