"""Thresholds with a purpose, against brute force."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minemap_assets.errors import BadInputError
from minemap_assets.segmentation.metrics import Confusion, Histogram
from minemap_assets.segmentation.operating_points import (
    at_recall,
    best_f,
    computed_point,
    is_computed,
    match_area,
    max_miou,
    operating_points,
)
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


@settings(max_examples=40)
@given(VALUES, VALUES, st.sampled_from(["0.5", "0.9", "1"]), st.sampled_from(["0.5", "1", "2"]))
def test_recall_and_f_scores_are_those_of_brute_force(mine: list[int], other: list[int], least: str, beta: str) -> None:
    """Against arrays, the F score by its other formula: (1 + b2) P R / (b2 P + R)."""
    counts = histogram(mine, other)
    found = np.array([[v >= t for v in mine] for t in range(255)])
    false = np.array([[v >= t for v in other] for t in range(255)]).sum(axis=1)
    recall, hits = found.mean(axis=1), found.sum(axis=1)
    enough = np.flatnonzero(recall >= float(least))
    if enough.max() > 0:
        assert at_recall(counts, Fraction(least)) * 254 == pytest.approx(enough.max())
    else:
        with pytest.raises(BadInputError, match="the lowest finds"):
            at_recall(counts, Fraction(least))
    precision = hits / np.maximum(hits + false, 1)
    square = float(beta) ** 2
    scores = (1 + square) * precision * recall / np.where(hits > 0, square * precision + recall, 1)
    if scores[1:].max() > 0:
        chosen = round(best_f(counts, Fraction(beta)) * 254)
        assert scores[chosen] == pytest.approx(scores[1:].max())
    else:
        with pytest.raises(BadInputError, match="finds a mine pixel"):
            best_f(counts, Fraction(beta))


def test_an_operating_point_is_computed_by_its_name() -> None:
    counts = histogram([250, 200, 150, 100, 50], [0] * 20 + [60, 120])
    assert computed_point("recall>=0.8", counts) == 100 / 254
    assert computed_point("recall >= 1", counts) == 50 / 254
    points = {name: computed_point(name, counts) for name in ("f0.5", "f1", "f2")}
    assert points["f0.5"] >= points["f1"] >= points["f2"]
    assert points["f0.5"] > points["f2"]
    assert [is_computed(name) for name in ("recall>=0.8", "f2", "match_area", "recall>0.8", "f")] == [1, 1, 0, 0, 0]
    for name, said in (
        ("recall>=1.5", "lies above 0, and 1 at most"),
        ("recall>=0", "lies above 0, and 1 at most"),
        ("f0", "beta of an F score is 0"),
        ("best", "is no operating point"),
    ):
        with pytest.raises(BadInputError, match=said):
            computed_point(name, counts)
