"""How far a share that was found at labelled points can be trusted."""

import math
from dataclasses import dataclass

Z95 = 1.959963984540054


@dataclass(frozen=True)
class Interval:
    """Lower and upper end of a 95 % interval."""

    low: float
    high: float


def wilson(successes: int, trials: int) -> Interval:
    """95 % interval of a proportion (Wilson 1927); the whole of 0 to 1 without trials."""
    return Interval(0.0, 1.0) if trials == 0 else wilson_interval(successes / trials, trials)


def wilson_interval(share: float, trials: float, quantile: float = Z95) -> Interval:
    """Wilson's interval for a share found in so many trials, which need not be a whole number."""
    square = quantile * quantile
    centre = (share + square / (2 * trials)) / (1 + square / trials)
    spread = quantile / (1 + square / trials) * math.sqrt(share * (1 - share) / trials + square / (4 * trials**2))
    return Interval(max(0.0, centre - spread), min(1.0, centre + spread))
