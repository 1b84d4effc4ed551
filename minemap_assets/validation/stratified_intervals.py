"""95 % intervals of what strata of points say together, which hold where a stratum shows a class rarely or never.

The symmetric interval of the textbooks takes a stratum in which all points agree for known without error. A large
stratum with one mine in 200 points, or none, then decides the estimate and has no say in its interval, which holds the
truth in 78 to 95 % of cases (`benchmarks/estimators.py`). Here every stratum brings its own interval of Wilson, and
what they reach beyond the estimate is added as squares: the stratified Wilson interval (Yan and Su 2010, "Stratified
Wilson and Newcombe confidence intervals for multiple binomial proportions", Statistics in Biopharmaceutical Research
2(3)), a case of the recovery of variances from limits (Zou and Donner 2008, Statistics in Medicine 27(10), equation 4).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from minemap_assets.validation.accuracy import Z95, Interval

Floats = npt.NDArray[np.float64]

_GRID = np.linspace(0.0, 1.0, 33)
_LEVELS = 4
"""Refinements by which an end is found to 1e-6."""

SMOOTHING = 0.5
"""What each cell of a stratum is given before the variance of a difference is told (Agresti and Min 2005, "Simple
improved confidence intervals for comparing matched proportions", Statistics in Medicine 24(5)).
"""


@dataclass(frozen=True, eq=False)
class Strata:
    """Sizes of the strata (H,), points in each (H,) and the share of each that was not drawn (H,), 1 for ground."""

    sizes: Floats
    points: Floats
    left: Floats

    def reach(self, shares: Floats) -> tuple[Floats, Floats]:
        """How far Wilson's interval reaches below and above the share of each stratum (H,)."""
        n, square = np.maximum(self.points, 1.0), Z95 * Z95
        centre = (shares + square / (2 * n)) / (1 + square / n)
        spread = Z95 / (1 + square / n) * np.sqrt(shares * (1 - shares) / n + square / (4 * n * n))
        scale = np.sqrt(self.left)
        return scale * (shares - np.maximum(centre - spread, 0.0)), scale * (np.minimum(centre + spread, 1.0) - shares)

    def area(self, shares: Floats) -> Interval:
        """Interval of the area of a class with these shares of each stratum (H,)."""
        value = float(self.sizes @ shares)
        below, above = (float(np.sqrt(((self.sizes * reach) ** 2).sum())) for reach in self.reach(shares))
        return Interval(value - below, value + above)

    def ratio(self, part: "Term", other: "Term") -> Interval:
        """Interval of a ratio of two areas that sum over two disjoint classes.

        A ratio is possible where the area that would be left over, part - ratio x whole, may be zero (Fieller 1954).
        """
        value = part.numerator * float(self.sizes @ part.shares) + other.numerator * float(self.sizes @ other.shares)
        whole = part.denominator * float(self.sizes @ part.shares)
        value /= whole + other.denominator * float(self.sizes @ other.shares)
        pairs = [(term, *self.reach(term.shares)) for term in (part, other)]
        alike = _correlation(part.shares, other.shares)

        def end(low: float, high: float, side: int) -> float:
            for _ in range(_LEVELS):
                tried = low + (high - low) * _GRID
                beyond = self._limit(tried, pairs, alike, side) > 0.0
                last = int(beyond.sum()) - 1 if beyond[0] else 0
                low, high = float(tried[last]), float(tried[min(last + 1, len(tried) - 1)])
            return (low + high) / 2

        return Interval(
            0.0 if value <= 0.0 else min(end(0.0, value, 0), value),
            1.0 if value >= 1.0 else max(end(value, 1.0, 1), value),
        )

    def _limit(self, ratios: Floats, pairs: list[tuple["Term", Floats, Floats]], alike: Floats, side: int) -> Floats:
        """Lower (side 0) or upper end (1) of what is left over, for each ratio."""
        value = np.zeros(len(ratios))
        reached = []
        for term, below, above in pairs:
            slope = term.numerator - ratios * term.denominator
            value = value + slope * float(self.sizes @ term.shares)
            lower, upper = (below, above) if side == 0 else (above, below)
            reached.append(slope[:, None] * np.where(slope[:, None] > 0.0, lower, upper))
        one, other = reached
        squares = np.maximum(one**2 + other**2 + 2.0 * alike * one * other, 0.0) @ self.sizes**2
        return np.asarray(value + (-1.0 if side == 0 else 1.0) * np.sqrt(squares))

    def covariance(self, shares: Floats) -> Floats:
        """Covariance (H, k, k) of the areas of disjoint classes from smoothed shares (H, k) of each stratum."""
        classes = shares.shape[1]
        n = self.points + SMOOTHING * classes
        smooth = (shares * self.points[:, None] + SMOOTHING) / n[:, None]
        spread = np.einsum("hi,ij->hij", smooth, np.eye(classes)) - smooth[:, :, None] * smooth[:, None, :]
        return np.asarray(spread * (self.sizes**2 * self.left / n)[:, None, None])


@dataclass(frozen=True, eq=False)
class Term:
    """A class: its share of each stratum (H,), and what it counts in the numerator and denominator of a ratio."""

    shares: Floats
    numerator: float
    denominator: float


def _correlation(one: Floats, other: Floats) -> Floats:
    """Correlation of the shares of two disjoint classes in each stratum (multinomial); 0 where one is empty."""
    held = (one > 0.0) & (other > 0.0) & (one < 1.0) & (other < 1.0)
    with np.errstate(all="ignore"):
        found = -np.sqrt(one * other / ((1.0 - one) * (1.0 - other)))
    return np.asarray(np.where(held, np.maximum(found, -1.0), 0.0))
