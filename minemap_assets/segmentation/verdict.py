"""What a model is worth, in words, from ground that neither trained nor chose it: it stands before any area."""

import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING

from minemap_assets.lake.manifests import PartitionRef
from minemap_assets.project.project import Project
from minemap_assets.segmentation.metrics import ALL, BASELINE, METRICS, MODEL_METHOD, PLACE, SITE_SCORES

if TYPE_CHECKING:
    import pandas as pd

EVALUATION = PartitionRef("segmentation", "model_evaluation")
"""The partition that holds the scores."""

POINT = "match_area"
"""The operating point that maps are made at unless a project says otherwise."""

FEWEST_GROUPS = 3
"""Groups of held-out ground with mines in them below which a score says more about the ground than about the model."""

USABLE_IOU = 0.5
"""A mapped mine shares more than half of its ground with the true one."""

CERTAINTY = 0.95
"""How sure it has to be, from place to place, that the model gains over the threshold (one-sided t interval)."""


MOST_PLACES = 500
"""With more a gain would be too small to be worth telling."""


class Grade(StrEnum):
    """From best to worst; a model that cannot be judged may be any of the others."""

    USABLE = "usable"
    WEAK = "weak"
    NO_BETTER = "not better than a threshold"
    UNKNOWN = "cannot be judged"


@dataclass(frozen=True)
class Verdict:
    """The grade, one sentence with the held-out scores behind it, and the model that it is about."""

    grade: Grade
    sentence: str
    model_version: str


@dataclass(frozen=True)
class _Score:
    """Held-out scores of one product: intersection over union of the mine class over all places with mines together.

    `gains` are those of the model over the threshold, place by place.
    """

    product: str
    model: float
    baseline: float
    gains: tuple[float, ...]

    @property
    def groups(self) -> int:
        return len(self.gains)

    @property
    def surely_better(self) -> bool:
        """Whether the model gains over the threshold, and not only by the chance of which places were held out."""
        if self.groups < FEWEST_GROUPS or not self.model > self.baseline:
            return False
        from scipy.stats import t

        error = statistics.stdev(self.gains) / math.sqrt(self.groups)
        return bool(statistics.mean(self.gains) > t.ppf(CERTAINTY, self.groups - 1) * error)

    @property
    def grade(self) -> Grade:
        if self.groups < FEWEST_GROUPS:
            return Grade.UNKNOWN
        if self.surely_better:
            return Grade.USABLE if self.model >= USABLE_IOU else Grade.WEAK
        return Grade.NO_BETTER

    @property
    def text(self) -> str:
        scores = f"{self.product}: IoU {self.model:.2f}, the best threshold on one band {self.baseline:.2f}"
        if self.surely_better or not self.model > self.baseline:
            return scores
        needed = places_needed(self.gains)
        more = "" if needed is None else f" (about {needed} held-out places would tell)"
        return f"{scores}, a gain that may be chance{more}"


def judge(frame: "pd.DataFrame", model_version: str) -> Verdict:
    """A verdict from the table of an evaluation (`metrics.parquet`); of several products the worst one decides."""
    scores = list(_scores(frame[frame["split"] == "test"]))
    groups = min((score.groups for score in scores), default=0)
    if groups < FEWEST_GROUPS:
        places = {0: "no place", 1: "1 place"}.get(groups, f"{groups} places")
        held = f"{places} with mines {'were' if groups > 1 else 'was'} held out, and a score needs {FEWEST_GROUPS}"
        sentence = f"{held}: outlines of more sites, apart from each other, let the model be judged"
        return Verdict(Grade.UNKNOWN, sentence, model_version)
    worst = max((score.grade for score in scores), key=list(Grade).index)
    told = "; ".join(score.text for score in scores)
    return Verdict(worst, f"on {groups} places that it was not trained on, {told}", model_version)


def gains_by_place(rows: "pd.DataFrame") -> tuple[float, ...]:
    """By how much the model's IoU is above the threshold's, for each place with mines; `rows` are of one product and
    split, at `POINT` and at the baseline.
    """
    # recall is undefined where a place has no mine
    single = rows[(rows["stratum"] == PLACE) & rows["recall"].notna()]
    places = single.pivot_table(index="group", columns="method", values="iou")
    if not {MODEL_METHOD, BASELINE} <= set(places.columns):
        return ()
    return tuple((places[MODEL_METHOD] - places[BASELINE]).dropna())


def places_needed(gains: Sequence[float]) -> int | None:
    """How many places with such gains would make sure that the model is better; None where more would not show it, or
    more than `MOST_PLACES` were needed.
    """
    if len(gains) < FEWEST_GROUPS or not statistics.mean(gains) > 0:
        return None
    from scipy.stats import t

    gain, spread = statistics.mean(gains), statistics.stdev(gains)
    for count in range(FEWEST_GROUPS, MOST_PLACES + 1):
        if gain > t.ppf(CERTAINTY, count - 1) * spread / math.sqrt(count):
            return count
    return None


def verdict_of(project: Project) -> Verdict | None:
    """The verdict on the model that was evaluated last; None where none was, or by a minemap that did not blend masks.

    Raises `DamagedError` where the scores are not what was published.
    """
    found = project.lake.find(EVALUATION)
    if found is None or not {METRICS, SITE_SCORES} <= set(found.names()):
        return None
    # every partition that was made with a model tells of it: scores that were judged once are not read again
    return project.cached(partial(_judged, found.manifest.content))


def _judged(_: str, project: Project) -> Verdict:
    """The verdict by the scores whose content is named."""
    import pandas as pd

    found = project.lake.open(EVALUATION)
    return judge(pd.read_parquet(found.file(METRICS)), str(found.manifest.summary.get("model_version", "")))


def _scores(test: "pd.DataFrame") -> Iterator[_Score]:
    for product, rows in test[test["operating_point"].isin([POINT, BASELINE])].groupby("product", sort=True):
        whole = rows[rows["stratum"] == ALL].set_index("method")["iou"]
        yield _Score(str(product), float(whole[MODEL_METHOD]), float(whole[BASELINE]), gains_by_place(rows))
