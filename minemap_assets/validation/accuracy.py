"""Accuracy measures of a binary map against labelled points.

Names are the field's: user's accuracy is precision, producer's accuracy is recall. These are plain, unweighted
estimates, as in the seed paper (section Validation); they describe the points, and only a design-based estimate
describes the ground.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Z95 = 1.959963984540054


@dataclass(frozen=True)
class Agreement:
    """Points by what the map says and what is true."""

    true_positive: int
    false_positive: int
    false_negative: int
    true_negative: int

    @classmethod
    def of(cls, mapped: npt.NDArray[np.bool_], true: npt.NDArray[np.bool_]) -> "Agreement":
        """Counts of two arrays of the same length."""
        return cls(
            int((mapped & true).sum()),
            int((mapped & ~true).sum()),
            int((~mapped & true).sum()),
            int((~mapped & ~true).sum()),
        )

    @property
    def points(self) -> int:
        """All points."""
        return self.true_positive + self.false_positive + self.false_negative + self.true_negative

    @property
    def accuracy(self) -> float:
        """Share of points the map has right."""
        return _ratio(self.true_positive + self.true_negative, self.points)

    @property
    def users_accuracy(self) -> float:
        """Share of mapped points that are mine (precision)."""
        return _ratio(self.true_positive, self.true_positive + self.false_positive)

    @property
    def producers_accuracy(self) -> float:
        """Share of mine points that are mapped (recall)."""
        return _ratio(self.true_positive, self.true_positive + self.false_negative)

    @property
    def specificity(self) -> float:
        """Share of other points that are not mapped."""
        return _ratio(self.true_negative, self.true_negative + self.false_positive)

    @property
    def false_positive_rate(self) -> float:
        """Share of other points that are mapped."""
        return _ratio(self.false_positive, self.true_negative + self.false_positive)

    @property
    def matthews(self) -> float:
        """Matthews correlation coefficient, -1 to 1; not a number where a class is empty."""
        tp, fp, fn, tn = self.true_positive, self.false_positive, self.false_negative, self.true_negative
        scale = math.sqrt(float(tp + fp) * float(tp + fn) * float(tn + fp) * float(tn + fn))
        return (tp * tn - fp * fn) / scale if scale else math.nan


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """95 % interval of a proportion (Wilson 1927); the whole of 0 to 1 without trials."""
    if trials == 0:
        return 0.0, 1.0
    share, square = successes / trials, Z95 * Z95
    centre = (share + square / (2 * trials)) / (1 + square / trials)
    spread = Z95 / (1 + square / trials) * math.sqrt(share * (1 - share) / trials + square / (4 * trials * trials))
    return max(0.0, centre - spread), min(1.0, centre + spread)


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else math.nan
