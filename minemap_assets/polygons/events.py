"""Events: what happened to a mine from one observed year to the next, and how sure that is."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from minemap_assets.polygons.history_chain import SiteChain

Km2 = npt.NDArray[np.float64]
Event = Literal["not observed", "present", "appeared", "expanded", "contracted", "no longer visible", "unchanged"]

SURE = 0.95
"""Posterior from which a mine is said to have grown or shrunk."""

_REMAINS = 0.1
"""Less than this share of its largest area so far is no longer a mine, but what remains of one."""

_TELLING = 0.5
"""A year says something of a mine where it observed at least this share of its ground."""

_TAILS = (0.025, 0.975)
"""The first year lies between these shares of its posterior (95 %)."""

_TOGETHER = 25.0
"""Errors of about so many neighbouring pixels (5 x 5 of 5 m) come together, so that a sum over pixels varies as if it
had so many times fewer of them.
"""


@dataclass(frozen=True, eq=False)
class Measures:
    """Sums over pixels of a mine in km2, by year, which add up over its parts.

    A year's `ground` is what was mined in it or before (in the first years, what was mined first), so that what comes
    later does not change it. Of this ground: the `mined` area, what of it is `shown` (observed), the `expected` area
    (sum of posteriors), area that was `seen`; area that is expected to have `begun` or `ended` since the year before,
    with the `variance` of their difference (km4); `sure`: sum of the posteriors of what was mined; `since` (year,
    year): of what was mined in the first of the two years, the area expected to have been mined by the second, and the
    variance of that (km4), `unsure`.
    """

    ground: Km2
    mined: Km2
    shown: Km2
    expected: Km2
    seen: Km2
    begun: Km2
    ended: Km2
    variance: Km2
    sure: Km2
    since: Km2
    unsure: Km2

    @property
    def ever(self) -> float:
        """Area that was mined in any year."""
        return float(self.ground[-1])

    @property
    def share(self) -> Km2:
        """Share of the ground that each year observed."""
        share = self.seen / np.where(self.ground > 0.0, self.ground, 1.0)
        return np.asarray(np.minimum(share, 1.0), dtype=np.float64)

    def __add__(self, other: "Measures") -> "Measures":
        return Measures(*(getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__))


def measure(chain: SiteChain, pixel_km2: npt.NDArray[np.float64]) -> Measures:
    """Measures of the pixels of a chain; `pixel_km2` is how much each of them counts."""
    ground = np.logical_or.accumulate(chain.mined, axis=0)
    ground[: int(ground.any(axis=1).argmax())] = ground[int(ground.any(axis=1).argmax())]
    begun, ended = chain.begun.astype(np.float64) * ground, chain.ended.astype(np.float64) * ground
    mined, since = chain.mined * pixel_km2, chain.since.astype(np.float64)
    return Measures(
        ground=_sums(ground, pixel_km2),
        mined=mined.sum(axis=1),
        shown=(mined * chain.seen).sum(axis=1),
        expected=_sums(chain.posterior * ground, pixel_km2),
        seen=_sums(chain.seen & ground, pixel_km2),
        begun=_sums(begun, pixel_km2),
        ended=_sums(ended, pixel_km2),
        variance=_TOGETHER * _sums(begun + ended - (begun - ended) ** 2, pixel_km2**2),
        sure=(mined * chain.posterior).sum(axis=1),
        since=_products(mined, since),
        unsure=_TOGETHER * _products(mined * pixel_km2, since * (1.0 - since)),
    )


def _sums(values: npt.NDArray[Any], weights: npt.NDArray[np.float64]) -> Km2:
    """Sum of (year, pixel) values, each times its pixel's weight, by year.

    Not with `@`: BLAS adds up in another order with another number of threads, and the last digits change.
    """
    return np.asarray(np.einsum("yp,p->y", values, weights), dtype=np.float64)


def _products(one: npt.NDArray[np.float64], other: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Sum over pixels of the product of each year's values (year, pixel) with each of the other's; not with `@`, as
    above.
    """
    return np.asarray(np.einsum("yp,zp->yz", one, other), dtype=np.float64)


@dataclass(frozen=True)
class MineYear:
    """One year of a mine; areas in km2, null where nothing of its ground was observed.

    Years that observed less than half of it count as not observed for events, and changes are against the last one that
    observed more; `change_posterior` is the posterior that their sign is right.
    """

    year: int
    observed_share: float
    event: Event
    area_km2: float | None = None
    expected_km2: float | None = None
    change_km2: float | None = None
    gained_km2: float | None = None
    lost_km2: float | None = None
    change_posterior: float | None = None


@dataclass(frozen=True)
class Span:
    """When a mine was mined. `first_low` is None where it may be older than the record, `first_high` where the record
    ends too early to tell.
    """

    first: int
    first_low: int | None
    first_high: int | None
    first_posterior: float
    last: int
    last_posterior: float
    still_visible: bool
    peak: int
    peak_km2: float
    years_observed: int


def telling(share: Km2) -> npt.NDArray[np.bool_]:
    """Years that say something of a mine, from the share of its ground that each observed: those with half of it.

    Where no year has as much, they are all that observed any.
    """
    half = share >= _TELLING
    return half if half.any() else np.asarray(share > 0.0, dtype=bool)


def visible(shown: Km2, share: Km2, least: float) -> npt.NDArray[np.bool_]:
    """Telling years in which a mine is seen: at least `least` of it, and a tenth of its largest area so far.

    `shown` is its area on observed ground, which is taken for the same share of the whole. Less than that is what
    remains of a mine that is gone, or what grows back last.
    """
    told = telling(share)
    areas = np.where(told, shown / np.where(told, share, 1.0), 0.0)
    return np.asarray(told & (areas > 0.0) & (areas >= np.maximum(least, _REMAINS * np.maximum.accumulate(areas))))


def span(found: Measures, years: Sequence[int], least_km2: float) -> Span | None:
    """When a mine was `visible`; None where no observed year shows it."""
    observed = np.flatnonzero(telling(found.share))
    shown = np.flatnonzero(visible(found.shown, found.share, least_km2)).tolist()
    if not shown:
        return None
    first, last = shown[0], shown[-1]
    by = _by_then(found, first)
    low = _first_at(by, _TAILS[0], int(observed[0]))
    high = _first_at(by, _TAILS[1], first)
    peak = max(shown, key=lambda n: (found.mined[n], -n))
    return Span(
        first=years[first],
        first_low=years[low] if low is not None and low > observed[0] else None,
        first_high=years[high] if high is not None else None,
        first_posterior=float(by[first]),
        last=years[last],
        last_posterior=float(found.sure[last] / found.mined[last]),
        still_visible=last == int(observed[-1]),
        peak=years[peak],
        peak_km2=float(found.mined[peak]),
        years_observed=int(np.count_nonzero(found.seen > 0.0)),
    )


def _by_then(found: Measures, first: int) -> Km2:
    """Posterior for each year that most of the ground of the year `first` was mined by then.

    The share of it that was is taken for normal; it varies no more than if all of the ground were one.
    """
    share = np.clip(found.since[first] / found.mined[first], 0.0, 1.0)
    spread = np.sqrt(np.minimum(found.unsure[first] / found.mined[first] ** 2, share * (1.0 - share)))
    sure = [_normal(mean - 0.5, deviation) for mean, deviation in zip(share.tolist(), spread.tolist(), strict=True)]
    return np.maximum.accumulate(np.array(sure))


def _first_at(by: Km2, share: float, at_least: int) -> int | None:
    found = np.flatnonzero(by >= share)
    return max(int(found[0]), at_least) if len(found) else None


def yearly(found: Measures, years: Sequence[int], least_km2: float) -> list[MineYear]:
    """Every year of a mine, in order."""
    rows: list[MineYear] = []
    told, there = telling(found.share), visible(found.shown, found.share, least_km2)
    last: int | None = None
    for n, year in enumerate(years):
        row = MineYear(year, float(found.share[n]), "not observed")
        if found.share[n] > 0.0:
            row = replace(row, area_km2=float(found.mined[n]), expected_km2=float(found.expected[n]))
        if told[n]:
            row, last = _observed(found, n, last, row, there), n
        rows.append(row)
    return rows


def _observed(found: Measures, n: int, last: int | None, row: MineYear, there: npt.NDArray[np.bool_]) -> MineYear:
    """The row of a telling year with number `n`, against the `last` one."""
    if last is None:
        return replace(row, event="present" if there[n] else "unchanged")
    since = slice(last + 1, n + 1)
    gained, lost = float(found.begun[since].sum()), float(found.ended[since].sum())
    change = float(found.mined[n] - found.mined[last])
    sure = _normal(abs(gained - lost), math.sqrt(float(found.variance[since].sum())))
    event: Event = "unchanged"
    if there[n] != there[last]:
        event = "appeared" if there[n] else "no longer visible"
    elif there[n] and sure >= SURE and change * (gained - lost) > 0.0:
        event = "expanded" if change > 0.0 else "contracted"
    return replace(row, event=event, change_km2=change, gained_km2=gained, lost_km2=lost, change_posterior=sure)


def _normal(mean: float, deviation: float) -> float:
    """Chance that a normal variable with this mean and standard deviation is above 0."""
    if deviation <= 0.0:
        return 0.5 if mean == 0.0 else float(mean > 0.0)
    return 0.5 * (1.0 + math.erf(mean / (deviation * math.sqrt(2.0))))
