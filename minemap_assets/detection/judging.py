"""What a patch classifier is worth on labelled ground that it has not seen, and from which scores patches count."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from minemap_assets.detection.artefact import Thresholds
from minemap_assets.detection.learning.scores import average_precision, sensitivity_at
from minemap_assets.segmentation.verdict import FEWEST_GROUPS, Grade
from minemap_assets.validation.accuracy import wilson

SPECIFICITY = 0.99
"""Share of other ground that has to stay below the threshold at which a verdict is given."""

BETA = 0.5
"""Precision counts twice as much as recall in the choice of a threshold: somebody has to look at every candidate."""

LEAST = 0.5
"""No patch counts that is more likely no mine."""

USABLE = 0.5
"""Share of mines to be found at `SPECIFICITY`, by a classifier that is usable."""


@dataclass(frozen=True)
class Judgement:
    """The grade and one sentence behind it; the thresholds, where there is enough to choose them by; the scores."""

    verdict: str
    thresholds: Thresholds | None
    metrics: dict[str, float | int | None]


def judged(
    scores: npt.NDArray[np.float64],
    mine: npt.NDArray[np.bool_],
    places: Sequence[str],
    baseline: float,
    *,
    unseen: str = "that it was not trained on",
) -> Judgement:
    """Judge scores (point) of points that the classifier has not learnt from; `baseline` is the sensitivity of the best
    threshold on one band on the same points, and `unseen` says why they are fair.
    """
    held = {place for place, is_mine in zip(places, mine.tolist(), strict=True) if is_mine}
    others = int((~mine).sum())
    if len(held) < FEWEST_GROUPS or not others:
        said = (
            f"{len(held)} {'place' if len(held) == 1 else 'places'} with mines and {others} other points were scored, "
            f"and a score needs {FEWEST_GROUPS} places and some points that are no mine"
        )
        return Judgement(f"{Grade.UNKNOWN}: {said}", None, {"places": len(held), "points": len(mine)})
    found = sensitivity_at(scores, mine, SPECIFICITY)
    between = wilson(round(found * int(mine.sum())), int(mine.sum()))
    grade = Grade.NO_BETTER if found <= baseline else Grade.USABLE if found >= USABLE else Grade.WEAK
    sentence = (
        f"on {len(held)} places {unseen}, it finds {found:.0%} of {int(mine.sum())} points in mines "
        f"({between.low:.0%} to {between.high:.0%}) where 1 % of {others} others pass; the best threshold on one band "
        f"finds {baseline:.0%}"
    )
    metrics: dict[str, float | int | None] = {
        "places": len(held),
        "points": len(mine),
        "mines": int(mine.sum()),
        "average_precision": round(average_precision(scores, mine), 6),
        "sensitivity_at_99": round(found, 6),
        "sensitivity_at_99_low": round(between.low, 6),
        "sensitivity_at_99_high": round(between.high, 6),
        "baseline_sensitivity_at_99": round(baseline, 6),
    }
    return Judgement(f"{grade}: {sentence}", _chosen(scores, mine), metrics)


def _chosen(scores: npt.NDArray[np.float64], mine: npt.NDArray[np.bool_]) -> Thresholds:
    """The threshold with the best F-measure (Van Rijsbergen 1979); a patch that is alone has to be twice as sure."""
    dissolved = min(max(LEAST, _best(scores, mine)), 0.99)
    return Thresholds(kept=LEAST, dissolved=round(dissolved, 4), isolated=round((1.0 + dissolved) / 2.0, 4))


def _best(scores: npt.NDArray[np.float64], mine: npt.NDArray[np.bool_]) -> float:
    """The middle of the gap below the scores that the best threshold lets pass."""
    tried = np.unique(scores)[::-1]
    passing = scores[None, :] >= tried[:, None]
    found, wrong = (passing & mine).sum(1), (passing & ~mine).sum(1)
    square = BETA**2
    measure = (1 + square) * found / ((1 + square) * found + square * (mine.sum() - found) + wrong)
    place = int(np.argmax(measure))
    below = tried[place + 1] if place + 1 < len(tried) else 0.0
    return float((tried[place] + below) / 2)


def band_baseline(means: npt.NDArray[np.float64], mine: npt.NDArray[np.bool_]) -> float:
    """Sensitivity at `SPECIFICITY` of the best threshold on the mean (point, band) of one band, in either direction."""
    tried = [
        sensitivity_at(sign * means[:, band], mine, SPECIFICITY) for band in range(means.shape[1]) for sign in (1, -1)
    ]
    return max(tried) if tried and mine.any() else 0.0
