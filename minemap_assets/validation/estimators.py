"""Design-based estimates: what a probability sample of points says of the ground that it was drawn from.

Points are drawn in strata, and any map may have drawn them: the strata need not be the classes of the map that is
judged, nor those of the labels. Stehman (2014), "Estimating area and map accuracy for stratified random sampling when
the strata are different from the map classes", International Journal of Remote Sensing 35(13), 4923-4939: every area
and every accuracy is a mean of an indicator, or a ratio of two (equations 1 to 3 and 27), with the stratified variance
(25, 26) and that of a ratio (28). Where the strata are the map's own classes these are the estimators of Olofsson et
al. (2014), "Good practices for estimating area and assessing accuracy of land change", Remote Sensing of Environment
148, 42-57, equations 1 to 11.

Here all of them come from one thing: the areas of disjoint classes of ground (`Totals`) with their covariance, such as
the four in which map and labels agree or one says mine. A measure is a function of these areas, and its variance
follows from its gradient, which for a ratio is Stehman's equation 28. Standard errors are those of the papers;
intervals are those of `stratified_intervals.py` where strata are known.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from minemap_assets.validation.accuracy import Interval, wilson_interval
from minemap_assets.validation.stratified_intervals import Strata, Term

Floats = npt.NDArray[np.float64]

LEAST_POINTS = 2
"""Points of a stratum without which it has no variance (Cochran 1977, section 5.3)."""

_CONFIDENCE = 0.975
_STEP = 1e-30


@dataclass(frozen=True, eq=False)
class Design:
    """How points were drawn: the stratum (n,) of each, 0 to H - 1, and how much ground it stands for (n,).

    `counts` (H,) are the points of each stratum and `left` (H,) the share of it that was not drawn, 1 for ground.
    `sizes` (H,) are known where points were drawn evenly in each stratum, and None otherwise. A stratum that is `short`
    has too few points for a variance, so that nothing that depends on it has one.
    """

    stratum: npt.NDArray[np.int64]
    weight: Floats
    counts: npt.NDArray[np.int64]
    left: Floats
    sizes: Floats | None
    short: npt.NDArray[np.bool_]

    @classmethod
    def stratified(cls, stratum: npt.NDArray[np.int64], sizes: Floats, *, finite: bool = False) -> "Design":
        """Points drawn evenly in strata of these `sizes` (H,): areas, or numbers of pixels where they are `finite`."""
        counts = np.bincount(stratum, minlength=len(sizes)).astype(np.int64)
        left = 1.0 - counts / np.maximum(sizes, 1.0) if finite else np.ones(len(sizes))
        weight = sizes[stratum] / counts[stratum]
        return cls(stratum, weight, counts, left, sizes, (counts < LEAST_POINTS) & (sizes > 0.0))

    @classmethod
    def weighted(cls, stratum: npt.NDArray[np.int64], weight: Floats, strata: int) -> "Design":
        """Points that stand for so much ground each (n,): the inverse of the density at which they were drawn."""
        counts = np.bincount(stratum, minlength=strata).astype(np.int64)
        return cls(stratum, weight, counts, np.ones(strata), None, counts < LEAST_POINTS)

    def totals(self, classes: Floats) -> "Totals":
        """Areas of disjoint classes, from indicators (n, k) of which at most one is 1 in a row.

        Stehman (2014), equations 3, 25 and 26; without `sizes` values between 0 and 1 may stand for indicators.
        """
        strata, columns = len(self.counts), classes.shape[1]
        units = classes * self.weight[:, None]
        sums = np.stack([np.bincount(self.stratum, units[:, k], strata) for k in range(columns)], axis=1)
        off = units - (sums / np.maximum(self.counts, 1)[:, None])[self.stratum]
        spread = np.empty((strata, columns, columns))
        for i in range(columns):
            for j in range(i + 1):
                spread[:, i, j] = spread[:, j, i] = np.bincount(self.stratum, off[:, i] * off[:, j], strata)
        factor = self.left * self.counts / np.maximum(self.counts - 1, 1)
        known = None if self.sizes is None else Strata(self.sizes, self.counts.astype(np.float64), self.left)
        return Totals(
            np.asarray(sums, dtype=np.float64),
            spread * factor[:, None, None],
            self.counts,
            known,
            bool(self.short.any()),
        )


@dataclass(frozen=True, eq=False)
class Totals:
    """Areas of classes in each stratum `sums` (H, k), the `covariance` that each stratum adds (H, k, k), its `counts`.

    `strata` is there where points were drawn evenly in strata of known size. `insufficient` is True where a stratum has
    too few points, so that no standard error exists.
    """

    sums: Floats
    covariance: Floats
    counts: npt.NDArray[np.int64]
    strata: Strata | None
    insufficient: bool

    @property
    def total(self) -> Floats:
        """Estimated areas (k,)."""
        return np.asarray(self.sums.sum(axis=0))

    def shares(self, columns: npt.NDArray[np.bool_]) -> Floats:
        """Share of each stratum (H,) that is of one of these classes; sizes must be known."""
        if self.strata is None:
            raise ValueError("the sizes of the strata are not known")
        held = self.sums[:, columns].sum(axis=1) / np.where(self.strata.sizes > 0.0, self.strata.sizes, 1.0)
        return np.asarray(np.clip(held, 0.0, 1.0))

    def spread(self, gradient: Floats) -> "Spread":
        """The standard error of a function with that gradient (k,) at the totals."""
        return Spread(math.nan, math.nan) if self.insufficient else _spread(self.covariance, self.counts, gradient)

    def smoothed(self, gradient: Floats) -> "Spread":
        """The same from smoothed shares, where strata are known: not zero where a stratum shows one class only."""
        if self.strata is None or self.insufficient:
            return self.spread(gradient)
        each = np.stack([self.shares(np.arange(len(gradient)) == k) for k in range(len(gradient))], axis=1)
        return _spread(self.strata.covariance(each), self.counts, gradient)


def _spread(covariance: Floats, counts: npt.NDArray[np.int64], gradient: Floats) -> "Spread":
    """Degrees of freedom as in Cochran (1977), equation 5.16, after Satterthwaite."""
    parts = np.maximum(np.einsum("i,hij,j->h", gradient, covariance, gradient), 0.0)
    variance = float(parts.sum())
    if variance <= 0.0:
        return Spread(0.0, math.inf)
    return Spread(math.sqrt(variance), variance**2 / float((parts**2 / np.maximum(counts - 1, 1)).sum()))


@dataclass(frozen=True)
class Spread:
    """A standard error and its degrees of freedom; NaN where there are too few points."""

    standard_error: float
    free: float

    @property
    def quantile(self) -> float:
        """How many standard errors a 95 % interval reaches on either side (Student's t)."""
        if math.isnan(self.free):
            return math.nan
        from scipy.special import stdtrit

        return float(stdtrit(min(self.free, 1e9), _CONFIDENCE))


@dataclass(frozen=True)
class Estimate:
    """A value with its standard error and 95 % interval; NaN for what the sample cannot say."""

    value: float
    standard_error: float
    low: float
    high: float


NOTHING = Estimate(math.nan, math.nan, math.nan, math.nan)


def area(totals: Totals, columns: npt.NDArray[np.bool_]) -> Estimate:
    """The area of some of the classes (k,) together (Olofsson et al. 2014, equations 9 to 11)."""
    gradient = columns.astype(np.float64)
    value, spread = float(gradient @ totals.total), totals.spread(gradient)
    if math.isnan(spread.standard_error):
        return Estimate(value, math.nan, math.nan, math.nan)
    if totals.strata is not None:
        held = totals.strata.area(totals.shares(columns))
        held = Interval(held.low, min(held.high, float(totals.strata.sizes.sum())))
    else:
        reach = spread.quantile * spread.standard_error
        held = Interval(value - reach, value + reach)
    return Estimate(value, spread.standard_error, max(held.low, 0.0), held.high)


def difference(totals: Totals, more: npt.NDArray[np.bool_], less: npt.NDArray[np.bool_]) -> Estimate:
    """The area of some classes less that of others (k,), such as gain and loss."""
    gradient = more.astype(np.float64) - less
    value, spread, wide = float(gradient @ totals.total), totals.spread(gradient), totals.smoothed(gradient)
    if math.isnan(spread.standard_error):
        return Estimate(value, math.nan, math.nan, math.nan)
    reach = wide.quantile * wide.standard_error
    return Estimate(value, spread.standard_error, value - reach, value + reach)


CELLS = ("true_positive", "false_positive", "false_negative", "true_negative")
"""The order of the four areas that measures are functions of: map and labels agree, or one says mine."""

Cells = npt.NDArray[np.complexfloating] | Floats
_Function = Callable[[Cells], complex]


def _kappa(c: Cells) -> complex:
    tp, fp, fn, tn = c
    return complex(2 * (tp * tn - fp * fn) / ((tp + fp) * (fp + tn) + (tp + fn) * (fn + tn)))


def _matthews(c: Cells) -> complex:
    tp, fp, fn, tn = c
    scale = np.sqrt(tp + fp) * np.sqrt(tp + fn) * np.sqrt(tn + fp) * np.sqrt(tn + fn)
    return complex((tp * tn - fp * fn) / scale)


@dataclass(frozen=True, eq=False)
class Share:
    """A ratio of two sums of the four areas, 0 to 1: `part` and `whole` say which ones count (4,)."""

    part: Floats
    whole: Floats

    def __call__(self, cells: Cells) -> complex:
        """The ratio of four areas or counts."""
        return complex((self.part @ cells) / (self.whole @ cells))


def _share(part: tuple[float, ...], whole: tuple[float, ...]) -> Share:
    return Share(np.array(part, dtype=np.float64), np.array(whole, dtype=np.float64))


MEASURES: Mapping[str, Share | _Function] = MappingProxyType(
    {
        "accuracy": _share((1, 0, 0, 1), (1, 1, 1, 1)),
        "users_accuracy": _share((1, 0, 0, 0), (1, 1, 0, 0)),
        "producers_accuracy": _share((1, 0, 0, 0), (1, 0, 1, 0)),
        "specificity": _share((0, 0, 0, 1), (0, 1, 0, 1)),
        "false_positive_rate": _share((0, 1, 0, 0), (0, 1, 0, 1)),
        "f1": _share((2, 0, 0, 0), (2, 1, 1, 0)),
        "kappa": _kappa,
        "matthews": _matthews,
        "mine_share": _share((1, 0, 1, 0), (1, 1, 1, 1)),
    }
)
"""Measures of a map by name: functions of the four areas (or counts) that do not depend on their unit.

Precision is the user's accuracy and recall the producer's. F1 is that of the class mine (Dice 1945, Van Rijsbergen
1979), kappa that of Cohen (1960), Matthews' coefficient that of Matthews (1975).
"""


def measure(name: str, cells: Floats) -> float:
    """One measure of four counts or areas (in the order of `CELLS`); NaN where its denominator is empty."""
    with np.errstate(all="ignore"):
        try:
            value = MEASURES[name](np.asarray(cells, dtype=np.float64)).real
        except (ZeroDivisionError, ValueError):
            return math.nan
    return float(value) if math.isfinite(value) else math.nan


def estimate(name: str, totals: Totals, points: int) -> Estimate:
    """A measure with its interval, from the totals of the four areas; `points` are those that were compared."""
    function = MEASURES[name]
    value = measure(name, totals.total)
    if math.isnan(value):
        return NOTHING
    gradient = _gradient(function, totals.total)
    spread = totals.spread(gradient)
    if math.isnan(spread.standard_error):
        return Estimate(value, math.nan, math.nan, math.nan)
    if isinstance(function, Share):
        held = _of_share(function, value, totals, spread, points)
        return Estimate(value, spread.standard_error, held.low, held.high)
    wide = totals.smoothed(gradient)
    reach = wide.quantile * wide.standard_error
    return Estimate(value, spread.standard_error, max(-1.0, value - reach), min(1.0, value + reach))


def _of_share(function: Share, value: float, totals: Totals, spread: Spread, points: int) -> Interval:
    """Without sizes of strata, Wilson's interval for as many points as a simple random sample needs to be as exact
    (Kott and Carr 1997; Dean and Pagano 2015).
    """
    if totals.strata is None:
        variance = spread.standard_error**2
        alike = value * (1.0 - value) / variance if variance > 0.0 else float(max(points, 1))
        return wilson_interval(value, max(alike, 1e-9), spread.quantile)
    held = function.part > 0.0
    others = ~held & (function.whole > 0.0)
    first, second = int(np.argmax(held)), int(np.argmax(others))
    return totals.strata.ratio(
        Term(totals.shares(held), float(function.part[first]), float(function.whole[first])),
        Term(totals.shares(others), float(function.part[second]), float(function.whole[second])),
    )


def _gradient(function: Share | _Function, at: Floats) -> Floats:
    """Derivatives by a step along the imaginary axis, exact to rounding (Squire and Trapp 1998)."""
    if isinstance(function, Share):
        whole = float(function.whole @ at)
        return np.asarray((function.part - float(function.part @ at) / whole * function.whole) / whole)
    found = np.empty(len(at))
    for k in range(len(at)):
        moved = at.astype(np.complex128)
        moved[k] += 1j * _STEP
        found[k] = function(moved).imag / _STEP
    return found


def agreement(mapped: npt.NDArray[np.bool_], true: npt.NDArray[np.bool_], known: npt.NDArray[np.bool_]) -> Floats:
    """The four indicators of each point (n, 4); all are zero where a point is not known, which leaves it out."""
    columns = (mapped & true, mapped & ~true, ~mapped & true, ~mapped & ~true)
    return np.stack([column & known for column in columns], axis=1).astype(np.float64)
