"""How often do 95 % intervals hold the truth? Simulated samples of points in the strata of a map, and areas, change and
accuracy of another map; beside our intervals the symmetric ones of the textbook (1.96 standard errors).

Prints a table for populations and sample sizes; exits with 1 where ours miss 93 to 97 % for areas and accuracy with
600 points in the first population, whose strata are those that a sample of two years has.

    python benchmarks/estimators.py
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from minemap_assets.validation.estimators import Design, Estimate, agreement, area, difference, estimate, measure
from minemap_assets.validation.sampling import StratumArea, allocate

SAMPLES = 1000
LOWEST, HIGHEST = 0.93, 0.97
FOUND, FALSE = 0.85, 0.04
"""What share of the mines the other map finds, and of other ground calls mine."""

KINDS = ("stable mine", "stable other", "gain", "loss", "near boundary")
SIZES = np.array([60.0, 700.0, 12.0, 8.0, 40.0])
WRONG_BORDERS = [[0.22, 0.66, 0.01, 0.11], [0.25, 0.02, 0.60, 0.13], [0.50, 0.08, 0.05, 0.37]]
POPULATIONS = {
    "omissions of 4 %": np.array([[0.05, 0.03, 0.04, 0.88], [0.96, 0.015, 0.005, 0.02], *WRONG_BORDERS]),
    "omissions of 2 %": np.array([[0.05, 0.03, 0.04, 0.88], [0.98, 0.010, 0.001, 0.009], *WRONG_BORDERS]),
    "omissions of 1 %": np.array([[0.05, 0.03, 0.04, 0.88], [0.99, 0.005, 0.001, 0.004], *WRONG_BORDERS]),
}
"""Share of each stratum that is other in both years, gained, lost, mine in both."""

_GAIN, _LOSS, _END = (np.array(cells, dtype=bool) for cells in ((0, 1, 0, 0), (0, 0, 1, 0), (0, 1, 0, 1)))


@dataclass(frozen=True, eq=False)
class Population:
    """A population, and how many points its strata get."""

    shares: npt.NDArray[np.float64]
    counts: list[int]

    def truth(self) -> dict[str, float]:
        """What is estimated."""
        _, gained, lost, both = (SIZES[:, None] * self.shares).sum(axis=0)
        mine = gained + both
        rest = SIZES.sum() - mine
        cells = np.array([mine * FOUND, rest * FALSE, mine * (1 - FOUND), rest * (1 - FALSE)])
        shares = {name: measure(name, cells) for name in ("accuracy", "users_accuracy", "producers_accuracy")}
        return {"area": mine, "gain": gained, "net change": gained - lost, **shares}

    def samples(self, random: np.random.Generator) -> Iterator[dict[str, Estimate]]:
        """Estimates of sample after sample."""
        stratum = np.repeat(np.arange(len(SIZES)), self.counts)
        design, cumulative = Design.stratified(stratum, SIZES), self.shares.cumsum(axis=1)[stratum]
        for _ in range(SAMPLES):
            cell = (random.random((len(stratum), 1)) > cumulative).sum(axis=1)
            last = (cell == 1) | (cell == 3)
            mapped = random.random(len(stratum)) < np.where(last, FOUND, FALSE)
            totals = design.totals((cell[:, None] == np.arange(4)).astype(np.float64))
            cells = design.totals(agreement(mapped, last, np.ones(len(last), dtype=bool)))
            names = ("accuracy", "users_accuracy", "producers_accuracy")
            yield {
                "area": area(totals, _END),
                "gain": area(totals, _GAIN),
                "net change": difference(totals, _GAIN, _LOSS),
                **{name: estimate(name, cells, len(last)) for name in names},
            }


def main() -> int:
    """Run the benchmark; the exit status says whether the limits hold."""
    strata = [StratumArea("XAA", kind, size, 0.0, 0.0, 0.0) for kind, size in zip(KINDS, SIZES, strict=True)]
    missed = 0
    print(f"{'population':<18}{'points':>7}  {'':<20}{'ours':>7}{'textbook':>10}")
    for name, shares in POPULATIONS.items():
        for size in (200, 600, 2000):
            population = Population(shares, allocate(strata, size, 20, "neyman"))
            truth = population.truth()
            ours, theirs = dict.fromkeys(truth, 0), dict.fromkeys(truth, 0)
            for found in population.samples(np.random.default_rng(size)):
                for what, value in truth.items():
                    one = found[what]
                    ours[what] += one.low <= value <= one.high
                    theirs[what] += abs(one.value - value) <= 1.96 * one.standard_error
            for what in truth:
                print(f"{name:<18}{size:>7}  {what:<20}{ours[what] / SAMPLES:>7.3f}{theirs[what] / SAMPLES:>10.3f}")
                if size == 600 and name == next(iter(POPULATIONS)):
                    missed += not LOWEST <= ours[what] / SAMPLES <= HIGHEST
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
