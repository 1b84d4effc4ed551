"""Intervals over places."""

import math

import numpy as np
import pytest

from minemap_assets.segmentation.evaluation.intervals import bootstrap
from minemap_assets.segmentation.metrics import Confusion


def test_places_that_agree_leave_no_doubt() -> None:
    found = bootstrap([Confusion(6, 2, 3, 9)] * 5, seed=0)
    assert found.iou.low == found.iou.high == pytest.approx(6 / 11)
    assert found.miou.low == pytest.approx((6 / 11 + 9 / 14) / 2)
    assert found.area_ratio.high == pytest.approx(8 / 9)


def test_it_is_the_spread_of_the_pooled_score() -> None:
    rng = np.random.default_rng(1)
    places = [Confusion(int(hit), 100 - int(hit), 0, 1000) for hit in rng.integers(20, 80, 40)]
    shares = np.array([p.true_positive / 100 for p in places])
    found = bootstrap(places, seed=0)
    half = 1.96 * shares.std() / math.sqrt(len(places))
    assert found.iou.low == pytest.approx(shares.mean() - half, abs=0.01)
    assert found.iou.high == pytest.approx(shares.mean() + half, abs=0.01)
    assert found == bootstrap(places, seed=0)
    assert found != bootstrap(places, seed=1)


def test_two_places_tell_nothing_and_no_mine_no_iou() -> None:
    assert math.isnan(bootstrap([Confusion(1, 1, 1, 1)] * 2, seed=0).iou.low)
    found = bootstrap([Confusion(0, 0, 0, 9)] * 4, seed=0)
    assert math.isnan(found.iou.low)
    assert math.isnan(found.area_ratio.high)
    assert found.miou.low == found.miou.high == 1.0
