"""Reliability: whether what is called 70 % probable is right 70 % of the time."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from minemap_assets.segmentation.metrics import Histogram
from minemap_assets.segmentation.scale import TOP

BINS = 15
"""Ranges of probability of equal width, 0 to 1."""

Counts = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Reliability:
    """Pixels in each range of probability, the sum of their probabilities, and how many of them are mine."""

    pixels: Counts
    probability: Counts
    mine: Counts

    @classmethod
    def empty(cls) -> "Reliability":
        """No pixels."""
        return cls(np.zeros(BINS), np.zeros(BINS), np.zeros(BINS))

    @classmethod
    def of(cls, histogram: Histogram) -> "Reliability":
        """From pixels by stored probability."""
        probability = np.arange(TOP + 1) / TOP
        place = np.minimum((probability * BINS).astype(np.int64), BINS - 1)
        both = histogram.mine + histogram.other

        def summed(weights: npt.NDArray[np.number]) -> Counts:
            return np.bincount(place, weights, BINS).astype(np.float64)

        return cls(summed(both), summed(both * probability), summed(histogram.mine))

    def __add__(self, other: "Reliability") -> "Reliability":
        return Reliability(self.pixels + other.pixels, self.probability + other.probability, self.mine + other.mine)

    @property
    def calibration_error(self) -> float:
        """Expected calibration error: how far probability and share of mine are apart, on average over pixels."""
        total = float(self.pixels.sum())
        return float(np.abs(self.probability - self.mine).sum()) / total if total else math.nan

    @property
    def probability_ratio(self) -> float:
        """Sum of probability over true area."""
        mine = float(self.mine.sum())
        return float(self.probability.sum()) / mine if mine else math.nan

    def rows(self) -> list[dict[str, float]]:
        """A row for each range: its limits, its pixels, their mean probability and the share of them that is mine."""
        found = []
        for n in range(BINS):
            count = float(self.pixels[n])
            found.append(
                {
                    "low": n / BINS,
                    "high": (n + 1) / BINS,
                    "pixels": int(count),
                    "mean_probability": float(self.probability[n]) / count if count else math.nan,
                    "mine_share": float(self.mine[n]) / count if count else math.nan,
                }
            )
        return found
