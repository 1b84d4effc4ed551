"""Yearly probabilities of mining whose truth is known, with the errors that real ones have."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from minemap_assets.segmentation.scale import NOT_OBSERVED, to_stored

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Errors:
    """How a series departs from its truth.

    `separation` is the distance of the two classes' scores in standard deviations; `persistent` the share of their
    variance that stays the same in all years (what a model always gets wrong), `smooth` the share that neighbouring
    pixels have in common. `clouded` is the mean share of ground that a year does not show.
    """

    separation: float = 3.0
    persistent: float = 0.25
    smooth: float = 0.5
    clouded: float = 0.15


@dataclass(frozen=True, eq=False)
class Series:
    """Truth (year, row, column), stored probabilities of the same shape (255 = not observed), and the threshold at
    which the mapped area of all years equals the true one.
    """

    truth: Mask
    stored: npt.NDArray[np.uint8]
    threshold: float

    @property
    def observed(self) -> Mask:
        """What was seen."""
        return np.asarray(self.stored != NOT_OBSERVED, dtype=bool)

    @property
    def masks(self) -> Mask:
        """Each year's own mask."""
        return np.asarray(self.observed & (self.stored / 254.0 >= self.threshold), dtype=bool)


def simulated(seed: int, errors: Errors, side: int = 256, years: int = 9, mines: int = 8) -> Series:
    """Mines that appear, grow, and in part fall silent and green over, seen with errors."""
    rng = np.random.default_rng(seed)
    return seen_with(_growing(rng, side, years, mines), errors, rng)


def seen_with(truth: Mask, errors: Errors, rng: np.random.Generator, scope: Mask | None = None) -> Series:
    """Calibrated probabilities of a truth (year, row, column); outside `scope` (row, column) nothing is ever mine.

    Scores of the two classes are normal with one variance, so the logarithm of the odds is linear in the score; its
    offset is the share of mine in scope, which makes the probabilities calibrated.
    """
    years, height, width = truth.shape
    inside = np.ones((height, width), dtype=bool) if scope is None else scope
    always = _noise(rng, (height, width), errors.smooth)
    share = truth[:, inside].mean()
    offset = np.log(share / (1.0 - share))
    stored = np.zeros(truth.shape, dtype=np.uint8)
    for year in range(years):
        own = _noise(rng, (height, width), errors.smooth)
        noise = np.sqrt(errors.persistent) * always + np.sqrt(1.0 - errors.persistent) * own
        score = noise + errors.separation * (truth[year] - 0.5)
        odds = np.exp(errors.separation * score + offset)
        stored[year] = np.where(inside, to_stored(odds / (1.0 + odds)), 0)
    threshold = _matching(stored, truth)
    for year in range(years):
        stored[year][_clouds(rng, (height, width), errors.clouded)] = NOT_OBSERVED
    return Series(truth, stored, threshold)


def _growing(rng: np.random.Generator, side: int, years: int, mines: int) -> Mask:
    """Ragged discs; a third are older than the record, and a third end within it and green over from the oldest ground
    in three years.
    """
    rows, columns = np.mgrid[:side, :side].astype(np.float32)
    truth = np.zeros((years, side, side), dtype=bool)
    for number in range(mines):
        y, x = rng.uniform(0.1 * side, 0.9 * side, 2)
        ragged = 1.0 + 0.35 * _smooth(rng.normal(size=(side, side)), 6.0)
        distance = np.hypot(rows - y, columns - x) * ragged
        start = -2 if number % 3 == 0 else int(rng.integers(1, years - 1))
        end = years + 99
        if number % 3 == 1:
            start = int(rng.integers(-2, years // 3))
            end = int(rng.integers(max(start, 0) + 1, max(start, 0) + max(years // 2, 2)))
        first, speed = rng.uniform(3.0, 9.0), rng.uniform(0.5, 2.5)
        for year in range(max(start, 0), years):
            radius = first + speed * (min(year, end) - start)
            old = (first + speed * (end - start)) * (year - end) / 3.0 if year > end else 0.0
            truth[year] |= (distance < radius) & (distance >= old)
    return truth


def _noise(rng: np.random.Generator, shape: tuple[int, int], smooth: float) -> npt.NDArray[np.float64]:
    """Standard normal noise, so much of its variance over about 5 pixels."""
    common = _smooth(rng.normal(size=shape), 2.0)
    return np.asarray(np.sqrt(smooth) * common + np.sqrt(1.0 - smooth) * rng.normal(size=shape))


def _smooth(noise: npt.NDArray[np.float64], sigma: float) -> npt.NDArray[np.float64]:
    from scipy.ndimage import gaussian_filter

    blurred = gaussian_filter(noise, sigma, mode="wrap")
    return np.asarray(blurred / blurred.std())


def _clouds(rng: np.random.Generator, shape: tuple[int, int], mean: float) -> Mask:
    """Patches of cloud over a share of the ground that differs from year to year."""
    field = _smooth(rng.normal(size=shape), 12.0)
    share = min(0.95, mean * 2.0 * rng.random())
    return np.asarray(field < np.quantile(field, share) if share > 0.0 else np.zeros(shape, dtype=bool))


def _matching(stored: npt.NDArray[np.uint8], truth: Mask) -> float:
    counts = np.bincount(stored.ravel(), minlength=256)[:255]
    at_least = np.cumsum(counts[::-1])[::-1]
    return float(np.argmin(np.abs(at_least - truth.sum()))) / 254.0
