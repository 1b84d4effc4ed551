"""How far two people agree on the same points, beyond what chance would bring."""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.int64]

_Z95 = 1.959963984540054
"""Half the width of a 95 % interval in standard errors of a normal distribution."""


@dataclass(frozen=True)
class Kappa:
    """Cohen's kappa with its 95 % interval; NaN where both always gave the one and same answer, or nothing was given.

    `observed` and `by_chance` are shares of the points on which both agree.
    """

    value: float
    low: float
    high: float
    observed: float
    by_chance: float
    points: int


@dataclass(frozen=True)
class ClassAgreement:
    """How far two people agree on one class: how often each of them gave it, and the share of these answers that the
    other one gave as well (NaN where nobody gave it).
    """

    name: str
    first: int
    second: int
    both: int
    share: float


def cross_table(first: Sequence[Hashable], second: Sequence[Hashable], classes: Sequence[Hashable]) -> Counts:
    """Counts (first's class, second's class) of points in the same order. Raises `KeyError` for another class."""
    place = {name: number for number, name in enumerate(classes)}
    counts = np.zeros((len(classes), len(classes)), np.int64)
    for one, other in zip(first, second, strict=True):
        counts[place[one], place[other]] += 1
    return counts


def kappa(counts: Counts) -> Kappa:
    """Kappa (Cohen 1960) of a cross table; the interval by the standard error of Fleiss, Cohen and Everitt (1969), at
    most 1.
    """
    total = int(counts.sum())
    if not total:
        return Kappa(math.nan, math.nan, math.nan, math.nan, math.nan, 0)
    shares = counts / total
    rows, columns = shares.sum(1), shares.sum(0)
    observed, chance = float(np.trace(shares)), float(rows @ columns)
    if math.isclose(chance, 1.0):
        return Kappa(math.nan, math.nan, math.nan, observed, chance, total)
    value = (observed - chance) / (1.0 - chance)
    error = math.sqrt(_variance(shares, rows, columns, observed, chance) / total)
    return Kappa(value, max(-1.0, value - _Z95 * error), min(1.0, value + _Z95 * error), observed, chance, total)


def _variance(
    shares: npt.NDArray[np.float64],
    rows: npt.NDArray[np.float64],
    columns: npt.NDArray[np.float64],
    observed: float,
    chance: float,
) -> float:
    """Variance of kappa times the number of points (Fleiss, Cohen and Everitt 1969, equation 13)."""
    both = columns[:, np.newaxis] + rows[np.newaxis, :]
    diagonal = np.diag(shares) * ((1.0 - chance) - np.diag(both) * (1.0 - observed)) ** 2
    rest = (shares * both**2).sum() - (np.diag(shares) * np.diag(both) ** 2).sum()
    spread = diagonal.sum() + (1.0 - observed) ** 2 * rest - (observed * chance - 2.0 * chance + observed) ** 2
    return max(float(spread), 0.0) / (1.0 - chance) ** 4


def by_class(counts: Counts, classes: Sequence[str]) -> tuple[ClassAgreement, ...]:
    """Agreement on each class by itself (specific agreement: Fleiss 1981; Cicchetti and Feinstein 1990)."""
    first, second, both = counts.sum(1), counts.sum(0), np.diag(counts)
    return tuple(
        ClassAgreement(name, int(a), int(b), int(n), 2.0 * float(n) / float(a + b) if a + b else math.nan)
        for name, a, b, n in zip(classes, first, second, both, strict=True)
    )
