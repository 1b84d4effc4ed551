"""A question to a model: which chips are scored together, and who answers."""

from dataclasses import dataclass

from minemap_assets.segmentation.site_scoring import ProbabilityOf
from minemap_assets.segmentation.training_set import ChipRef


@dataclass(frozen=True, eq=False)
class Question:
    """Chips of one product, who says what they show, and the split that the scores stand under."""

    split: str
    refs: tuple[ChipRef, ...]
    probability_of: ProbabilityOf
