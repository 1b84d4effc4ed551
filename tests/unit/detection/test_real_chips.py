"""Training on real chips, in small: campaigns that were not learnt from, beside the published network."""

import os
from pathlib import Path

import numpy as np
import pytest
from gallery_training import gallery, own_margins, published_margins

from minemap_assets.detection.learning.patch_recipe import PatchRecipe
from minemap_assets.detection.learning.scores import average_precision

pytestmark = pytest.mark.slow


def test_our_training_on_few_chips_is_as_good_as_the_published_network() -> None:
    if "MINEMAP_TEST_DATA" not in os.environ:
        pytest.skip("MINEMAP_TEST_DATA names no folder of real data")
    data = Path(os.environ["MINEMAP_TEST_DATA"]) / "earth-genome-detector"
    chips = gallery(data / "gallery", most=20)
    assert chips.mine.sum() > 40
    theirs = published_margins(chips, next((data / "models").glob("*rgb*.h5")))
    ours, fold = own_margins(chips, PatchRecipe(members=2, steps=60, levels=3, enlarge=1, warmup=6, initial=False))
    for number in range(2):
        learnt = {place for place, of in zip(chips.places, fold, strict=True) if of != number}
        assert not learnt & {place for place, of in zip(chips.places, fold, strict=True) if of == number}
    assert average_precision(ours, chips.mine) >= average_precision(theirs, chips.mine)
    rng = np.random.default_rng(0)
    assert average_precision(ours, chips.mine) > 1.5 * average_precision(rng.random(len(chips)), chips.mine)
