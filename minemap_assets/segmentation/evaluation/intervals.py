"""Intervals: how much a score hangs on which places happened to be held out."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from minemap_assets.segmentation.metrics import Confusion

RESAMPLES = 1000
LEVEL = 0.95
FEWEST_PLACES = 3
"""Of fewer places no interval is told: two can be drawn in three ways only."""

_AT_A_TIME = 100

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """Two ends; NaN where there are too few places to tell."""

    low: float = math.nan
    high: float = math.nan


@dataclass(frozen=True)
class Intervals:
    """Of the scores that are told with one."""

    iou: Interval = Interval()
    miou: Interval = Interval()
    area_ratio: Interval = Interval()


def bootstrap(places: Sequence[Confusion], seed: int) -> Intervals:
    """The middle `LEVEL` of the scores of `RESAMPLES` draws of as many places, with replacement (percentile bootstrap).

    The sites of a place stay together: what a model gets wrong at one it gets wrong at its neighbours.
    """
    if len(places) < FEWEST_PLACES:
        return Intervals()
    counts = np.array(
        [[p.true_positive, p.false_positive, p.false_negative, p.true_negative] for p in places], dtype=np.float64
    )
    drawn = np.concatenate(list(_draws(counts, seed)))
    hit, false, missed, right = drawn.T
    iou, background = _divided(hit, hit + false + missed), _divided(right, right + false + missed)
    miou = np.where(np.isnan(iou), background, np.where(np.isnan(background), iou, (iou + background) / 2))
    return Intervals(_middle(iou), _middle(miou), _middle(_divided(hit + false, hit + missed)))


def _draws(counts: Floats, seed: int) -> Iterator[Floats]:
    rng = np.random.default_rng(seed)
    for _ in range(RESAMPLES // _AT_A_TIME):
        times = rng.multinomial(len(counts), np.full(len(counts), 1 / len(counts)), size=_AT_A_TIME)
        yield times @ counts


def _divided(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.full_like(part, np.nan), where=whole > 0)


def _middle(scores: Floats) -> Interval:
    known = scores[~np.isnan(scores)]
    if not len(known):
        return Interval()
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(low), float(high))
