"""A threshold must fail on the simulated worlds, and the search for the best one must not miss it."""

import numpy as np
import pytest
from support.difficulty import best_threshold, features, scene, threshold_table

from minemap_assets.imagery.products import PRODUCTS
from minemap_assets.simulation.built_in_worlds import load_world
from minemap_assets.simulation.kind import SIMULATED


def test_best_threshold_finds_a_perfect_split_to_either_side() -> None:
    values = np.array([0.1, 0.2, 0.3, 0.8, 0.9, 1.0], dtype=np.float32)
    mine = np.array([False, False, False, True, True, True])
    above = best_threshold("x", values, mine)
    assert (above.side, above.iou) == ("above", 1.0)
    assert 0.3 < above.value <= 0.8
    below = best_threshold("x", values, ~mine)
    assert (below.side, below.iou) == ("below", 1.0)


def test_best_threshold_agrees_with_brute_force() -> None:
    random = np.random.default_rng(3)
    mine = random.random(4_000) < 0.2
    values = (random.normal(0.0, 1.0, 4_000) + mine).astype(np.float32)
    best = 0.0
    for edge in values:
        for guess in (values >= edge, values < edge):
            best = max(best, (guess & mine).sum() / (guess | mine).sum())
    assert best_threshold("x", values, mine).iou == pytest.approx(best, abs=0.01)


def test_features_hold_the_common_indices() -> None:
    bands = {name: np.full((2, 2), 0.1, dtype=np.float32) for name in PRODUCTS["sentinel-2-l2a"].bands}
    bands["nir"] = np.full((2, 2), 0.3, dtype=np.float32)
    found = features(bands)
    assert found["nd(nir, red)"][0, 0] == pytest.approx(0.5)
    assert {"nd(nir, green)", "nd(swir16, green)", "nd(swir16, nir)", "bare soil index", "brightness"} <= set(found)


def test_thresholds_fail_on_the_tiny_world() -> None:
    world = load_world("tiny")
    table = threshold_table(world, SIMULATED.products, 2019)
    assert set(table["product"]) == set(SIMULATED.products)
    assert 0.2 < table["iou"].iloc[0] < 0.6


def test_mines_and_confusers_share_their_colours() -> None:
    """Of the ground as bright as a typical mine pixel in red, a good part is no mine."""
    world = load_world("tiny")
    outside = inside = 0
    for outline in world.outlines(2019).values():
        view = scene(world, "planet-nicfi", 2019, outline)
        bright = (view.bands["red"] > np.median(view.bands["red"][view.mine])) & view.observed
        inside += int((bright & view.mine).sum())
        outside += int((bright & ~view.mine).sum())
    assert outside > 0.4 * inside
