"""All years of one site as one chain: what was mined when, how sure that is, and what was known of it at each time.

A year is decided by all years before it and by so many after it as the temporal window has, so that it stops changing
once these are there, however many more follow.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from minemap_assets.polygons.temporal.chain import Mask, Stored, eventful
from minemap_assets.polygons.temporal.hmm import (
    Chances,
    Ratios,
    evidence,
    forward,
    from_next_year,
    to_probability,
    transitions,
)
from minemap_assets.segmentation.scale import NOT_OBSERVED, is_mine


@dataclass(frozen=True, eq=False)
class SiteSeries:
    """What was seen of a site: stored probabilities (row, column) by year, with threshold and clarity of each year.

    `ground` (row, column) is what may count for it.
    """

    stored: Mapping[int, Stored]
    thresholds: Mapping[int, float]
    clarity: Mapping[int, float]
    ground: Mask


@dataclass(frozen=True, eq=False)
class SiteChain:
    """Pixels that were mine in some year as it was known at some time; arrays are (year, pixel).

    `index` are their flat numbers. `mined` and `posterior` are of each year, `since` is the posterior that mining had
    begun by then, `begun` and `ended` that it began, or ended, since the year before; `seen` is what was observed.
    `ever` says for the end of each year what was known then to have been mined in any year.
    """

    index: npt.NDArray[np.int64]
    mined: Mask
    posterior: Ratios
    since: Ratios
    begun: Ratios
    ended: Ratios
    seen: Mask
    ever: Sequence[Mask]

    def take(self, chosen: npt.NDArray[np.int64]) -> "SiteChain":
        """The same of some pixels."""
        return SiteChain(
            index=self.index[chosen],
            mined=self.mined[:, chosen],
            posterior=self.posterior[:, chosen],
            since=self.since[:, chosen],
            begun=self.begun[:, chosen],
            ended=self.ended[:, chosen],
            seen=self.seen[:, chosen],
            ever=[known[chosen] for known in self.ever],
        )


def follow(series: SiteSeries, years: Sequence[int], chances: Chances, window: int) -> SiteChain:
    """Run the chain over consecutive `years`, each decided with up to `window` years after it.

    A pixel that a year did not observe is decided where an earlier year and a later one of its window did, and it is
    never mine before a year of the window, or an earlier one, has put it at its threshold (`chain.decide`).
    """
    tables = {y: evidence(series.thresholds[y], chances, series.clarity[y]) for y in series.stored}
    start = chances.start(series.clarity[min(series.stored)])
    index = eventful(series.stored, series.thresholds)
    index = index[series.ground.ravel()[index]]
    values = {y: pixels.ravel()[index] for y, pixels in series.stored.items()}
    ratios = [tables[y][values[y]] if y in values else None for y in years]
    unseen = np.zeros(len(index), dtype=bool)
    seen = np.stack([values[y] != NOT_OBSERVED if y in values else unseen for y in years])
    reached = np.stack([is_mine(values[y], series.thresholds[y]) if y in values else unseen for y in years])
    chain = _sweep(_Seen(index, ratios, seen, reached), forward(ratios, chances, start, len(index)), chances, window)
    return chain.take(np.flatnonzero(np.logical_or.reduce(chain.ever)))


@dataclass(eq=False)
class _Years:
    """What is known of each year so far."""

    mined: Mask
    posterior: Ratios
    ever: list[Mask] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class _Seen:
    """Pixels (`index`) with what each year says of them; `seen` and `reached` (the threshold) are (year, pixel)."""

    index: npt.NDArray[np.int64]
    ratios: Sequence[Ratios | None]
    seen: Mask
    reached: Mask


def _sweep(pixels: _Seen, before: Sequence[Ratios], chances: Chances, window: int) -> SiteChain:
    """Let the years come in one by one; each one is decided again until its window is complete."""
    index, ratios, seen = pixels.index, pixels.ratios, pixels.seen
    known = _Years(np.zeros_like(seen), np.zeros(seen.shape, dtype=np.float32))
    earlier = np.logical_or.accumulate(seen, axis=0)
    reached = np.logical_or.accumulate(pixels.reached, axis=0)
    for last in range(len(ratios)):
        later = np.ones(len(index), dtype=np.float32)
        seen_later = np.zeros(len(index), dtype=bool)
        for year in range(last, max(last - window, 0) - 1, -1):
            odds = before[year] * later
            decided = seen[year] | (earlier[year] & seen_later)
            known.mined[year] = decided & reached[last] & (odds >= 1.0)
            known.posterior[year] = to_probability(odds)
            ratio = ratios[year]
            later = from_next_year(later if ratio is None else later * ratio, chances)
            seen_later |= seen[year]
        known.ever.append(np.asarray(known.mined[: last + 1].any(axis=0)))
    begun, ended = np.zeros_like(known.posterior), np.zeros_like(known.posterior)
    since = known.posterior.copy()
    never = np.ones(len(index), dtype=np.float32)
    for year in range(1, len(ratios)):
        change = transitions(before[year - 1], known.posterior[year], chances)
        begun[year], ended[year] = change.begun, change.ended
        never = never * (1.0 - chances.appear) / (1.0 - chances.appear + chances.disappear * before[year - 1])
        since[year] = 1.0 - (1.0 - known.posterior[year]) * never
    since = np.maximum.accumulate(since, axis=0)
    return SiteChain(index, known.mined, known.posterior, since, begun, ended, seen, known.ever)
