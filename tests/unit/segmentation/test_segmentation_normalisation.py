"""Normalisation counts observed pixels only."""

import numpy as np
import pytest

from minemap_assets.segmentation.normalisation import LIMIT, Normalisation, measure


def test_mean_and_spread_leave_out_what_was_not_observed() -> None:
    chip = np.array([[[0, 100], [300, 0]]], dtype=np.uint16)
    found = measure([chip, chip], 1)
    assert found.mean == (200.0,)
    assert found.spread == (100.0,)


def test_not_observed_becomes_the_mean_and_extremes_are_cut() -> None:
    scale = Normalisation(mean=(200.0,), spread=(100.0,))
    values = scale.apply(np.array([[[0, 100], [300, 65535]]], dtype=np.uint16))
    assert values.dtype == np.float32
    assert values[0].tolist() == [[0.0, -1.0], [1.0, LIMIT]]


def test_nothing_observed_is_still_a_scale() -> None:
    found = measure([np.zeros((2, 4, 4), dtype=np.uint16)], 2)
    assert found.spread == pytest.approx((1.0, 1.0))
