"""One year of one site, decided by all years of its window together (`hmm.py` has the model)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from minemap_assets.errors import BadInputError
from minemap_assets.polygons.temporal.hmm import (
    Chances,
    Sample,
    baum_welch,
    evidence,
    odds_at,
    to_probability,
)
from minemap_assets.segmentation.scale import NOT_OBSERVED, is_mine, stored_threshold

Stored = npt.NDArray[np.uint8]
"""Probabilities of a site on the stored scale (row, column): 0..254, 255 = not observed."""

Mask = npt.NDArray[np.bool_]


class YearsOfSite(Protocol):
    """Stored probabilities of a site by year, all of one shape, with the threshold and the clarity of each year."""

    @property
    def stored(self) -> Mapping[int, Stored]:
        """Probabilities."""

    @property
    def thresholds(self) -> Mapping[int, float]:
        """Thresholds, 0 to 1."""

    @property
    def clarity(self) -> Mapping[int, float]:
        """Share of the window that was observed, 0 to 1."""


@dataclass(frozen=True, eq=False)
class Decision:
    """One year of one site; all arrays are (row, column).

    `posterior` (float32) is 0 where no year is at its threshold, and where nothing was decided. `added` pixels
    are mine although the year's own mask says other, `removed` ones other although it says mine, `filled` ones mine
    although they were not observed.
    """

    mine: Mask
    posterior: npt.NDArray[np.float32]
    added: Mask
    removed: Mask
    filled: Mask


def decide(
    stored: Mapping[int, Stored],
    thresholds: Mapping[int, float],
    clarity: Mapping[int, float],
    year: int,
    chances: Chances,
) -> Decision:
    """Which pixels are mine in `year`, from the years in `stored` (those of the window, all of one shape).

    `thresholds` and `clarity` (0 to 1) are those of the site in each of these years; years that lie between and have
    no image count as not observed, and so may `year` itself. Ground that no year puts at its threshold is never mine,
    however many come near it: their errors may be one. A pixel that was not observed in `year` is decided only where an
    earlier and a later year of the window observed it, else it is not mine: a gap neither removes nor invents a mine.
    Where no earlier year saw a pixel, later ones may overrule the year's own mask, but add nothing to it: mines grow,
    and what is there later would make the beginning of a record too large. Raises `BadInputError` where no year is
    given or shapes differ.
    """
    first, last = _span(stored, year)
    shape = next(iter(stored.values())).shape
    tables = {y: evidence(thresholds[y], chances, clarity.get(y, 1.0)) for y in stored}
    start = chances.start(clarity.get(year, 1.0) if year in stored else 1.0)
    index = eventful(stored, thresholds)
    values = {y: pixels.ravel()[index] for y, pixels in stored.items()}
    ratios = [tables[y][values[y]] if y in stored else None for y in range(first, last + 1)]
    odds = odds_at(ratios, year - first, chances, start)
    decided, observed, earlier = _decided(values, year, len(index))
    alone = is_mine(values[year], thresholds[year]) if year in values else observed
    mine = decided & (odds >= 1.0) & (alone | earlier)
    posterior = np.zeros(shape, dtype=np.float32)
    posterior.ravel()[index] = np.where(decided, to_probability(odds), np.float32(0.0))

    def spread(chosen: Mask) -> Mask:
        mask = np.zeros(shape, dtype=bool)
        mask.ravel()[index[chosen]] = True
        return mask

    return Decision(
        mine=spread(mine),
        posterior=posterior,
        added=spread(mine & observed & ~alone),
        removed=spread(alone & ~mine),
        filled=spread(mine & ~observed),
    )


def eventful(stored: Mapping[int, Stored], thresholds: Mapping[int, float]) -> npt.NDArray[np.intp]:
    """Flat numbers of the pixels that are at their threshold in some year."""
    found = np.zeros(next(iter(stored.values())).size, dtype=bool)
    for year, pixels in stored.items():
        least = stored_threshold(thresholds[year])
        if least < NOT_OBSERVED:
            # adding 1 turns "not observed" into 0
            found |= pixels.ravel() + np.uint8(1) > np.uint8(least)
    return np.flatnonzero(found)


_SAMPLE = 400
"""At most so many pixels of a site, evenly spaced, have a say in an estimate."""


def estimate(sites: Iterable[YearsOfSite], chances: Chances) -> Chances:
    """Chances estimated from all sites together, starting from `chances`; the same sites give the same ones.

    Their ratio stays (`hmm.baum_welch`), and so they do where too little was seen.
    """
    return baum_welch([_sample(site, chances) for site in sites if len(site.stored) > 1], chances)


def _sample(site: YearsOfSite, chances: Chances) -> Sample:
    tables = {y: evidence(site.thresholds[y], chances, site.clarity.get(y, 1.0)) for y in site.stored}
    index = eventful(site.stored, site.thresholds)
    step = max(1, -(-len(index) // _SAMPLE))
    chosen = index[::step]
    years = range(min(site.stored), max(site.stored) + 1)
    ratios = [tables[y][site.stored[y].ravel()[chosen]] if y in site.stored else None for y in years]
    idle = next(iter(site.stored.values())).size - len(index)
    return Sample(ratios, len(index) / max(len(chosen), 1), idle)


def _span(stored: Mapping[int, Stored], year: int) -> tuple[int, int]:
    if not stored:
        raise BadInputError(f"no year around {year} has a mask of the site; make raw_masks first")
    if len({pixels.shape for pixels in stored.values()}) > 1:
        shapes = ", ".join(f"{y}: {pixels.shape}" for y, pixels in sorted(stored.items()))
        raise BadInputError(f"the masks of a site differ in shape ({shapes}); make raw_masks of these years again")
    return min(year, *stored), max(year, *stored)


def _decided(values: Mapping[int, Stored], year: int, count: int) -> tuple[Mask, Mask, Mask]:
    """Pixels that are decided in a year, those that were observed in it, and those that were in an earlier one."""
    seen = {y: pixels != NOT_OBSERVED for y, pixels in values.items()}
    nothing = np.zeros(count, dtype=bool)
    observed = seen.get(year, nothing)
    earlier = np.logical_or.reduce([nothing, *(s for y, s in seen.items() if y < year)])
    later = np.logical_or.reduce([nothing, *(s for y, s in seen.items() if y > year)])
    return observed | (earlier & later), observed, earlier
