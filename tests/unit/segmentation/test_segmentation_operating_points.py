"""Thresholds with a purpose, against brute force."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from minemap_assets.segmentation.metrics import Confusion, Histogram
from minemap_assets.segmentation.operating_points import match_area, max_miou, operating_points
from minemap_assets.segmentation.scale import is_mine


def histogram(mine: list[int], other: list[int]) -> Histogram:
    stored = np.array(mine + other, dtype=np.uint8)
    return Histogram.of(stored, np.array([1] * len(mine) + [0] * len(other), dtype=np.uint8))


def test_the_area_matches_on_the_stored_mask() -> None:
    mine, other = [250, 200, 120, 40], [10, 20, 130, 60, 0]
    threshold = match_area(histogram(mine, other))
    assert is_mine(np.array(mine + other, dtype=np.uint8), threshold).sum() == 4


def test_apart_classes_are_cut_in_the_middle() -> None:
    assert max_miou(histogram([200, 210], [50, 40])) * 254 == 126


def area_error(counts: Confusion) -> int:
    return abs(counts.false_positive - counts.false_negative)


VALUES = st.lists(st.integers(0, 254), min_size=1, max_size=40)


@given(VALUES, VALUES)
def test_no_other_threshold_is_better(mine: list[int], other: list[int]) -> None:
    counts = histogram(mine, other)
    points = operating_points(counts)
    every = [counts.confusion(value) for value in range(1, 255)]
    chosen = counts.confusion(round(points["match_area"] * 254))
    assert area_error(chosen) == min(area_error(c) for c in every)
    best = counts.confusion(round(points["max_miou"] * 254))
    assert best.miou == max(c.miou for c in every)
