"""What a model is worth, in words, from ground that neither trained nor chose it: it stands before any area."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from minemap_assets.lake.manifests import PartitionRef
from minemap_assets.project.project import Project
from minemap_assets.segmentation.metrics import ALL_GROUPS, BASELINE, METRICS, MODEL_METHOD

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
    """Held-out scores of one product: intersection over union of the mine class, and groups with mines in them."""

    product: str
    model: float
    baseline: float
    groups: int

    @property
    def grade(self) -> Grade:
        if self.groups < FEWEST_GROUPS:
            return Grade.UNKNOWN
        if self.model > self.baseline:
            return Grade.USABLE if self.model >= USABLE_IOU else Grade.WEAK
        return Grade.NO_BETTER

    @property
    def text(self) -> str:
        return f"{self.product}: IoU {self.model:.2f}, the best threshold on one band {self.baseline:.2f}"


def judge(frame: "pd.DataFrame", model_version: str) -> Verdict:
    """A verdict from the table of an evaluation (`metrics.parquet`); of several products the worst one decides."""
    scores = list(_scores(frame[frame["split"] == "test"]))
    groups = min((score.groups for score in scores), default=0)
    if groups < FEWEST_GROUPS:
        places = "1 place" if groups == 1 else f"{groups} places"
        held = f"ground with mines was held out in {places}, and a score needs {FEWEST_GROUPS}"
        sentence = f"{held}: outlines of more sites, apart from each other, let the model be judged"
        return Verdict(Grade.UNKNOWN, sentence, model_version)
    worst = max((score.grade for score in scores), key=list(Grade).index)
    told = "; ".join(score.text for score in scores)
    return Verdict(worst, f"on {groups} places that it was not trained on, {told}", model_version)


def verdict_of(project: Project) -> Verdict | None:
    """The verdict on the model that was evaluated last; None where none was.

    Raises `DamagedError` where the scores are not what was published.
    """
    import pandas as pd

    found = project.lake.find(EVALUATION)
    if found is None or METRICS not in found.names():
        return None
    return judge(pd.read_parquet(found.file(METRICS)), str(found.manifest.summary.get("model_version", "")))


def _scores(test: "pd.DataFrame") -> Iterator[_Score]:
    for product, rows in test.groupby("product", sort=True):
        ours = rows[(rows["method"] == MODEL_METHOD) & (rows["operating_point"] == POINT)]
        whole, single = ours[ours["group"] == ALL_GROUPS], ours[ours["group"] != ALL_GROUPS]
        theirs = rows[(rows["method"] == BASELINE) & (rows["group"] == ALL_GROUPS)]
        # recall is undefined where a group has no mine
        groups = int(single["recall"].notna().sum())
        yield _Score(str(product), float(whole["iou"].iloc[0]), float(theirs["iou"].iloc[0]), groups)
