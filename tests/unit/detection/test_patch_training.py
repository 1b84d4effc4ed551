"""Training: the same chips and seed give the same bytes, however threads take turns, and mistakes are learnt from."""

import numpy as np
import pandas as pd
import shapely

from minemap_assets.detection.detections import outlined
from minemap_assets.detection.hard_points import hard_points
from minemap_assets.detection.learning.labelled_chips import LabelledChips
from minemap_assets.detection.learning.patch_recipe import PatchRecipe
from minemap_assets.detection.learning.training import train
from minemap_assets.detection.sampling_points import FromTruth


def test_the_same_seed_gives_the_same_scores_whatever_the_threads_do() -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(100, 3000, (40, 3, 56, 56)).astype(np.uint16)
    places = tuple(str(number % 6) for number in range(40))
    chips = LabelledChips(pixels, np.arange(40) % 2 == 0, places, "sentinel-2-l2a", ("blue", "green", "red"))
    recipe = PatchRecipe(members=3, steps=9, batch_size=8, levels=2, enlarge=1, warmup=2, initial=False)
    first, *others = (train(chips, recipe, seed=4).margins for _ in range(3))
    for other in others:
        np.testing.assert_array_equal(first, other)
    assert not np.array_equal(first, train(chips, recipe, seed=5).margins)


def test_hard_points_are_the_highest_scores_that_touch_no_mine() -> None:
    table = pd.DataFrame(
        {
            "patch_id": ["a", "b", "c", "d"],
            "tile": "31_e000_n0001",
            "row": [0, 5, 10, 15],
            "column": [0, 5, 10, 15],
            "longitude": [3.0, 3.1, 3.2, 3.3],
            "latitude": 0.1,
            "score": [0.9, 0.99, 0.5, 0.001],
        }
    )
    mine = shapely.buffer(shapely.centroid(outlined(table).geometry.iloc[1]), 1e-4)
    points = hard_points(table, np.array([mine], object), FromTruth(per_mine=1, others=9))
    assert points.longitudes.tolist() == [3.0, 3.2]
    assert not points.mine.any()
    fewer = hard_points(table, np.array([mine], object), FromTruth(per_mine=1, others=1))
    assert fewer.longitudes.tolist() == [3.0]
