"""Scores of a two-class map: counts of agreement and what follows from them."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from minemap_assets.segmentation.scale import TOP

METRICS = "metrics.parquet"
"""The table of scores that an evaluation writes."""

SITE_SCORES = "site_scores.parquet"
"""The table with a row for every scored site."""

ALL_GROUPS = ""
"""Stands for all ground of a split in the first table, beside the names of its groups."""

ALL, PLACE, SIZE, CONTRAST, REGION = "all", "place", "size", "contrast", "region"
"""By what the ground of a row was chosen: strata of that table."""

FOLDS = "folds"
"""Stands in its column `split` for training ground as those models of an ensemble show it that had not seen it."""

MODEL_METHOD, BASELINE = "model", "baseline"
"""Whose scores they are: the model's, or those of the best threshold on one band or index."""


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else math.nan


@dataclass(frozen=True)
class Confusion:
    """Pixels by truth and prediction. Scores whose denominator is empty are NaN."""

    true_positive: int = 0
    false_positive: int = 0
    false_negative: int = 0
    true_negative: int = 0

    @classmethod
    def of(cls, mapped: npt.NDArray[np.bool_], true: npt.NDArray[np.bool_]) -> "Confusion":
        """Counts of two arrays of the same length."""
        return cls(
            int((mapped & true).sum()),
            int((mapped & ~true).sum()),
            int((~mapped & true).sum()),
            int((~mapped & ~true).sum()),
        )

    @classmethod
    def by_class(
        cls,
        mapped: npt.NDArray[np.bool_],
        true: npt.NDArray[np.bool_],
        places: npt.NDArray[np.uint8],
        classes: int,
    ) -> list["Confusion"]:
        """Counts for each class of pixels, 0 to `classes` - 1; pixels of higher numbers count nowhere."""
        known = places < classes
        kinds = 4 * places[known].astype(np.int64) + 2 * mapped[known] + true[known]
        counts = np.bincount(kinds, minlength=4 * classes).reshape(classes, 4).tolist()
        return [cls(hit, false, missed, right) for right, missed, false, hit in counts]

    def __add__(self, other: "Confusion") -> "Confusion":
        return Confusion(
            self.true_positive + other.true_positive,
            self.false_positive + other.false_positive,
            self.false_negative + other.false_negative,
            self.true_negative + other.true_negative,
        )

    @property
    def pixels(self) -> int:
        """All compared pixels."""
        return self.true_positive + self.false_positive + self.false_negative + self.true_negative

    @property
    def iou(self) -> float:
        """Intersection over union of the mine class."""
        return _ratio(self.true_positive, self.true_positive + self.false_positive + self.false_negative)

    @property
    def background_iou(self) -> float:
        """Intersection over union of everything else."""
        return _ratio(self.true_negative, self.true_negative + self.false_positive + self.false_negative)

    @property
    def miou(self) -> float:
        """Mean of the two; the mine class alone decides where there is no background, and the other way round."""
        known = [value for value in (self.iou, self.background_iou) if not math.isnan(value)]
        return sum(known) / len(known) if known else math.nan

    @property
    def accuracy(self) -> float:
        """Share of pixels that are right."""
        return _ratio(self.true_positive + self.true_negative, self.pixels)

    @property
    def precision(self) -> float:
        """User's accuracy of the mine class."""
        return _ratio(self.true_positive, self.true_positive + self.false_positive)

    @property
    def recall(self) -> float:
        """Producer's accuracy of the mine class."""
        return _ratio(self.true_positive, self.true_positive + self.false_negative)

    @property
    def specificity(self) -> float:
        """Producer's accuracy of everything else."""
        return _ratio(self.true_negative, self.true_negative + self.false_positive)

    @property
    def false_positive_rate(self) -> float:
        """Share of everything else that is called mine."""
        return _ratio(self.false_positive, self.true_negative + self.false_positive)

    @property
    def matthews(self) -> float:
        """Matthews correlation coefficient, -1 to 1; not a number where a class is empty."""
        tp, fp, fn, tn = self.true_positive, self.false_positive, self.false_negative, self.true_negative
        scale = math.sqrt(float(tp + fp) * float(tp + fn) * float(tn + fp) * float(tn + fn))
        return (tp * tn - fp * fn) / scale if scale else math.nan

    @property
    def mean_accuracy(self) -> float:
        """Mean of the two classes' recalls."""
        known = [value for value in (self.recall, self.specificity) if not math.isnan(value)]
        return sum(known) / len(known) if known else math.nan

    @property
    def area_ratio(self) -> float:
        """Predicted over true mine area."""
        return _ratio(self.true_positive + self.false_positive, self.true_positive + self.false_negative)

    def scores(self) -> dict[str, float]:
        """The scores that tables and model cards hold, by name."""
        return {
            "iou": self.iou,
            "background_iou": self.background_iou,
            "miou": self.miou,
            "accuracy": self.accuracy,
            "mean_accuracy": self.mean_accuracy,
            "precision": self.precision,
            "recall": self.recall,
            "area_ratio": self.area_ratio,
        }


@dataclass(frozen=True, eq=False)
class Histogram:
    """Pixels by value, mine and other apart: everything any threshold's score needs, however many pixels there are.

    `mine` and `other` are int64 counts a value, 0 to the highest.
    """

    mine: npt.NDArray[np.int64]
    other: npt.NDArray[np.int64]

    @classmethod
    def empty(cls, values: int = TOP + 1) -> "Histogram":
        """No pixels."""
        return cls(np.zeros(values, dtype=np.int64), np.zeros(values, dtype=np.int64))

    @classmethod
    def of(cls, stored: npt.NDArray[np.integer], labels: npt.NDArray[np.uint8], values: int = TOP + 1) -> "Histogram":
        """Counts of values below `values` where the label is 0 or 1; other labels and values do not count."""
        known = stored < values
        return cls(
            np.bincount(stored[known & (labels == 1)], minlength=values).astype(np.int64),
            np.bincount(stored[known & (labels == 0)], minlength=values).astype(np.int64),
        )

    def __add__(self, other: "Histogram") -> "Histogram":
        return Histogram(self.mine + other.mine, self.other + other.other)

    def confusion(self, lowest: int) -> Confusion:
        """Scores when values from `lowest` on are called mine."""
        return Confusion(
            int(self.mine[lowest:].sum()),
            int(self.other[lowest:].sum()),
            int(self.mine[:lowest].sum()),
            int(self.other[:lowest].sum()),
        )

    @property
    def doubt(self) -> float:
        """Mean of p (1 - p), 0.25 at most, where values are stored probabilities; NaN without a pixel."""
        both = self.mine + self.other
        probability = np.arange(len(both)) / TOP
        return _ratio(float((both * probability * (1.0 - probability)).sum()), float(both.sum()))

    @property
    def has_mine(self) -> bool:
        """True where at least one labelled mine pixel was counted."""
        return bool(self.mine.sum() > 0)
