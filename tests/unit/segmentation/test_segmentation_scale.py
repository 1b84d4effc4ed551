"""Probability, its stored form and thresholds agree."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from minemap_assets.segmentation.scale import is_mine, stored_threshold, to_stored


def test_the_ends_and_the_middle() -> None:
    assert to_stored(np.array([0.0, 0.5, 1.0, 1.7, -0.2])).tolist() == [0, 127, 254, 254, 0]


@given(st.floats(0.0, 1.0))
def test_the_stored_threshold_is_the_first_value_at_or_above(threshold: float) -> None:
    first = stored_threshold(threshold)
    assert first / 254 >= threshold
    assert first == 0 or (first - 1) / 254 < threshold


@given(st.integers(0, 254))
def test_a_threshold_on_the_grid_means_itself(value: int) -> None:
    assert stored_threshold(value / 254) == value


def test_not_observed_is_never_mine() -> None:
    assert is_mine(np.array([0, 100, 254, 255], dtype=np.uint8), 100 / 254).tolist() == [False, True, True, False]
