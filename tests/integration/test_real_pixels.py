"""Real pixels: the recipe learns what it is known to learn from real images of tailings, in a small version.

The whole of it, three folds and two seeds, is `benchmarks/real_pixels.py`; figures stand in docs/training.md.
"""

from pathlib import Path

import pytest
from real_pixels import FOLDS, outline
from support.tailings import fold_of, read_pictures, score

from minemap_assets.segmentation.config import SegmentationConfig

pytestmark = [pytest.mark.integration, pytest.mark.slow]

QUICK = SegmentationConfig(folds=2, steps=60)
"""A seventh of the default recipe's work."""


def test_the_recipe_outlines_real_tailings_on_ground_it_has_not_seen(test_data: Path) -> None:
    pictures = read_pictures(test_data / "tailings-seg-s2-brazil")
    folds = fold_of(pictures, FOLDS)
    taught = [p for p, fold in zip(pictures, folds, strict=True) if fold != 0]
    asked = [p for p, fold in zip(pictures, folds, strict=True) if fold == 0]
    assert not {p.group for p in taught} & {p.group for p in asked}
    said = outline(taught, asked, QUICK)
    model, threshold = score(said.masks["match_area"], asked), score(said.masks["threshold"], asked)
    assert model.pooled >= 0.4
    assert model.mean >= threshold.mean
