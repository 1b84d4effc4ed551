"""A two-state hidden Markov model of pixels: mine or other, year after year.

With two states everything is an odds: forward-backward (Rabiner 1989, section III) becomes one number per pixel and
direction, and the transition of a year one fraction of it. All arrays are float32 (pixel), unless said otherwise.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from minemap_assets.polygons.config import PolygonsConfig
from minemap_assets.segmentation.scale import NOT_OBSERVED, TOP, is_mine

Ratios = npt.NDArray[np.float32]
"""Likelihood of what was seen under "mine" over that under "other"; 1 where nothing was seen."""

_SUREST = 0.02
"""Probabilities are taken for at least this far from 0 and 1, so that one year that is sure and wrong (a cloud's edge)
does not outweigh two clear neighbours at the default chances.
"""


@dataclass(frozen=True)
class Chances:
    """Yearly chances that mining begins (`appear`) or ends (`disappear`) on a pixel, both between 0 and 0.5.

    Their ratio says how rare mines are among the pixels for which the probabilities were calibrated. `trust` is the
    power to which the odds of a year count.
    """

    appear: float
    disappear: float
    trust: float = 1.0

    @classmethod
    def of(cls, config: PolygonsConfig) -> "Chances":
        """The chances that the settings set, or from which an estimate starts."""
        return cls(config.appear, config.disappear, config.hmm_trust)

    def start(self, clarity: float = 1.0) -> float:
        """Odds of mine before anything was seen: the balance of the two chances.

        A year of this `clarity` that stands alone is then decided as its mask is.
        """
        return float((self.appear / self.disappear) ** clarity)


@lru_cache(maxsize=1024)
def evidence(threshold: float, chances: Chances, clarity: float = 1.0) -> Ratios:
    """The likelihood ratio of each stored value 0..255 in a year with this threshold and clarity (0 to 1).

    A calibrated probability is the likelihood ratio times the odds of the class among all pixels; to multiply years,
    these odds are taken out again: ratio = (odds(p) / odds(threshold)) ** trust * disappear / appear, and its power
    `clarity`. Together with `Chances.start` a year that stands alone is mine exactly where its mask says so, whatever
    the chances. Not observed (255) is 1.
    """
    values = np.arange(256, dtype=np.uint8)
    probability = np.clip(values / TOP, _SUREST, 1.0 - _SUREST)
    middle = min(max(threshold, _SUREST), 1.0 - _SUREST)
    logarithm = chances.trust * (np.log(probability / (1.0 - probability)) - np.log(middle / (1.0 - middle)))
    mine = is_mine(values, threshold)
    # rounding must not decide about the threshold itself
    logarithm = np.where(mine, np.maximum(logarithm, 1e-5), np.minimum(logarithm, -1e-5))
    logarithm = clarity * (logarithm + np.log(chances.disappear / chances.appear))
    logarithm[NOT_OBSERVED] = 0.0
    table: Ratios = np.exp(logarithm).astype(np.float32)
    table.flags.writeable = False
    return table


def next_year(odds: Ratios, chances: Chances) -> Ratios:
    """Odds of mine a year later, before anything of that year is known."""
    appear, disappear = np.float32(chances.appear), np.float32(chances.disappear)
    one = np.float32(1.0)
    return np.asarray((odds * (one - disappear) + appear) / (odds * disappear + (one - appear)), dtype=np.float32)


def from_next_year(odds: Ratios, chances: Chances) -> Ratios:
    """What the next year says of this one: its own and all later evidence, as a likelihood ratio of this year."""
    appear, disappear = np.float32(chances.appear), np.float32(chances.disappear)
    one = np.float32(1.0)
    return np.asarray((odds * (one - disappear) + disappear) / (odds * appear + (one - appear)), dtype=np.float32)


def forward(ratios: Sequence[Ratios | None], chances: Chances, start: float, pixels: int) -> list[Ratios]:
    """Odds of mine in each year given that year and all before; None is a year without any observation.

    `start` are the odds in the first year before it is seen (`Chances.start`).
    """
    found: list[Ratios] = []
    for ratio in ratios:
        before = next_year(found[-1], chances) if found else np.full(pixels, start, dtype=np.float32)
        found.append(before if ratio is None else before * ratio)
    return found


def backward(ratios: Sequence[Ratios | None], chances: Chances, pixels: int) -> Ratios:
    """What the years in `ratios` say of the year before the first of them, as a likelihood ratio."""
    later = np.ones(pixels, dtype=np.float32)
    for ratio in reversed(ratios):
        later = from_next_year(later if ratio is None else later * ratio, chances)
    return later


def odds_at(ratios: Sequence[Ratios | None], at: int, chances: Chances, start: float) -> Ratios:
    """Odds of mine in the year with number `at`, given all years."""
    pixels = pixels_of(ratios)
    found = forward(ratios[: at + 1], chances, start, pixels)[-1]
    return found * backward(ratios[at + 1 :], chances, pixels) if at + 1 < len(ratios) else found


def to_probability(odds: Ratios) -> Ratios:
    """Odds as probabilities 0 to 1."""
    return np.asarray(odds / (np.float32(1.0) + odds), dtype=np.float32)


_ENOUGH_PIXELS = 400
"""An estimate needs so many pixels that may be mined (0.01 km2 of 5 m)."""
_PRIOR_WEIGHT = 2_000.0
"""So many pixel years with the set chances are mixed into an estimate, which keeps it sane where little was seen."""
_ROUNDS = 12
_LOWEST, _HIGHEST = 0.05, 0.25
"""Neighbouring years share errors, which looks like mines that never change: estimates without a floor made the first
year of a growing region a quarter too large (simulated world, known truth).
"""


@dataclass(frozen=True, eq=False)
class Sample:
    """A series of years of some pixels; each stands for `weight` such ones, and `idle` more were never mined."""

    ratios: Sequence[Ratios | None]
    weight: float
    idle: int


def baum_welch(samples: Sequence[Sample], chances: Chances) -> Chances:
    """The pace of change that fits some pixels best, their evidence held fixed, from `chances` on (Rabiner 1989).

    Both chances change by one factor: their ratio goes with the thresholds, and one without the other would make mines
    rarer or commoner than these say. At most `_ROUNDS` rounds; with too few pixels `chances` stay as they are.
    """
    used = [sample for sample in samples if len(sample.ratios) > 1]
    if sum(pixels_of(sample.ratios) * sample.weight for sample in used) < _ENOUGH_PIXELS:
        return chances
    ratio = chances.appear / chances.disappear
    found = chances
    for _ in range(_ROUNDS):
        changed, exposed = np.sum([_expected(sample, found) for sample in used], axis=0)
        pace = (changed + _PRIOR_WEIGHT * chances.disappear) / (exposed + _PRIOR_WEIGHT)
        before, pace = found, min(max(float(pace), _LOWEST), _HIGHEST / max(1.0, ratio))
        found = replace(found, appear=pace * ratio, disappear=pace)
        if abs(found.disappear - before.disappear) < 1e-4:
            break
    return found


def _expected(sample: Sample, now: Chances) -> tuple[float, float]:
    """Expected pixel years with a change, and those in which one could happen, in units of `disappear`."""
    pixels, ratios = pixels_of(sample.ratios), sample.ratios
    ratio = now.appear / now.disappear
    before = forward(ratios, now, now.start(), pixels)
    later = np.ones(pixels, dtype=np.float32)
    changed = exposed = 0.0
    for year in range(len(ratios) - 1, 0, -1):
        posterior = to_probability(before[year] * later)
        change = transitions(before[year - 1], posterior, now)
        new, gone = (float(part.sum(dtype=np.float64)) for part in (change.begun, change.ended))
        were = float(posterior.sum(dtype=np.float64)) - new + gone
        changed += sample.weight * (new + gone)
        exposed += sample.weight * (were + ratio * (pixels - were)) + ratio * sample.idle
        seen = ratios[year]
        later = from_next_year(later if seen is None else later * seen, now)
    return changed, exposed


@dataclass(frozen=True, eq=False)
class Transitions:
    """Posterior of each pixel that mining began, or ended, between a year and the one before."""

    begun: Ratios
    ended: Ratios


def transitions(before: Ratios, posterior: Ratios, chances: Chances) -> Transitions:
    """Transitions into a year, from the `forward` odds of the year before and the year's own posterior.

    Given the state of a year, the year before depends on nothing later.
    """
    appear, disappear = np.float32(chances.appear), np.float32(chances.disappear)
    one = np.float32(1.0)
    begun = posterior * appear / (appear + (one - disappear) * before)
    ended = (one - posterior) * (disappear * before) / (disappear * before + (one - appear))
    return Transitions(np.asarray(begun, dtype=np.float32), np.asarray(ended, dtype=np.float32))


def pixels_of(ratios: Sequence[Ratios | None]) -> int:
    """How many pixels a series of years has."""
    return next((len(ratio) for ratio in ratios if ratio is not None), 0)
