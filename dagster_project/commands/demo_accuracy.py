"""The demo's accuracy where it counts: on ground that its model did not learn from, and the goals for that."""

from collections.abc import Iterator
from dataclasses import dataclass

from rich.table import Table

from dagster_project.commands.context import console
from minemap_assets.segmentation.evaluation.reliability import Reliability
from minemap_assets.validation.simulated_sites import HeldOutTruth, SiteGroupScore, SizeClass

LEAST_TEST_IOU = 0.86
LEAST_NEW_IOU = 0.85
LEAST_SWAP_IOU = 0.80
LARGEST_CALIBRATION_ERROR = 0.03
LARGEST_PROBABILITY_ERROR = 0.07
LEAST_FOUND = 0.90

SMALL_HA = 2.0
"""Patches from this size to the next class's are to be found; smaller ones are told of only."""


@dataclass(frozen=True)
class HeldOutAccuracy:
    """How right a simulated world's map is on held-out and never labelled sites."""

    scores: tuple[SiteGroupScore, ...]
    reliability: Reliability
    sizes: tuple[SizeClass, ...]
    swap_year: int | None

    @classmethod
    def of(cls, truth: HeldOutTruth) -> "HeldOutAccuracy":
        """Compare maps and masks with the truth."""
        return cls(tuple(truth.scores()), truth.reliability(), tuple(truth.sizes()), truth.swap_year())

    def iou(self, group: str, year: int | None = None) -> float | None:
        """IoU of a group of sites, over all years or in one; None where there are none."""
        found = (score.iou for score in self.scores if (score.group, score.year) == (group, year))
        return next(found, None)

    def show(self) -> None:
        """Print a table of groups, and what is to be said of probabilities and small patches."""
        table = Table("sites", "years", title="By what the model knew of the ground")
        for heading in ("sites", "mapped km2", "true km2", "IoU"):
            table.add_column(heading, justify="right")
        for score in self.scores:
            if score.year is None or (score.year == self.swap_year and score.group == "test"):
                years = "all" if score.year is None else f"{score.year}, another product"
                areas = (f"{score.mapped_km2:.2f}", f"{score.true_km2:.2f}", f"{score.iou:.2f}")
                table.add_row(score.group, years, str(score.sites), *areas)
        console.print(table)
        if self.reliability.pixels.sum():
            self._show_reliability()
        told = [f"{s.found} of {s.patches} {_size(s)}" for s in self.sizes if s.patches]
        console.print(f"Patches of mining ground found, all years: {', '.join(told)}.", soft_wrap=True)

    def _show_reliability(self) -> None:
        console.print(
            f"On test sites the expected calibration error is {self.reliability.calibration_error:.3f}, and "
            f"probabilities sum to {self.reliability.probability_ratio:.2f} of the true area.",
            soft_wrap=True,
        )

    def misses(self) -> Iterator[str]:
        """A sentence for each goal that was missed."""
        goals = (
            ("test sites", self.iou("test"), LEAST_TEST_IOU),
            ("never labelled sites", self.iou("never labelled"), LEAST_NEW_IOU),
            (f"test sites in {self.swap_year}", self.iou("test", self.swap_year), LEAST_SWAP_IOU),
        )
        for what, found, least in goals:
            if found is None or found < least:
                yield f"IoU of {what} is {'unknown' if found is None else f'{found:.3f}'}; the goal is {least}."
        error, ratio = self.reliability.calibration_error, self.reliability.probability_ratio
        if not error <= LARGEST_CALIBRATION_ERROR:
            yield f"The calibration error on test sites is {error:.3f}; the goal is {LARGEST_CALIBRATION_ERROR}."
        if not abs(ratio - 1.0) <= LARGEST_PROBABILITY_ERROR:
            yield f"Probabilities on test sites sum to {ratio:.2f} of the true area; the goal is 0.93 to 1.07."
        for size in self.sizes:
            if size.low == SMALL_HA and size.found < LEAST_FOUND * size.patches:
                yield f"{size.found} of {size.patches} patches {_size(size)} were found; the goal is {LEAST_FOUND:.0%}."


def _size(size: SizeClass) -> str:
    if size.low == 0.0:
        return f"below {size.high:g} ha"
    return f"of {size.low:g} to {size.high:g} ha" if size.high < 1e9 else f"from {size.low:g} ha"
