"""Scores of hand-counted maps."""

import math

import numpy as np
import pytest

from minemap_assets.segmentation.metrics import Confusion, Histogram

COUNTS = Confusion(true_positive=6, false_positive=2, false_negative=3, true_negative=9)


def test_scores_by_hand() -> None:
    assert COUNTS.iou == pytest.approx(6 / 11)
    assert COUNTS.background_iou == pytest.approx(9 / 14)
    assert COUNTS.miou == pytest.approx((6 / 11 + 9 / 14) / 2)
    assert COUNTS.accuracy == pytest.approx(15 / 20)
    assert COUNTS.precision == pytest.approx(6 / 8)
    assert COUNTS.recall == pytest.approx(6 / 9)
    assert COUNTS.mean_accuracy == pytest.approx((6 / 9 + 9 / 11) / 2)
    assert COUNTS.area_ratio == pytest.approx(8 / 9)


def test_what_cannot_be_known_is_nan() -> None:
    empty = Confusion(0, 0, 0, 5)
    assert math.isnan(empty.iou)
    assert math.isnan(empty.precision)
    assert empty.miou == 1.0


def test_a_histogram_gives_every_threshold_and_leaves_out_what_is_ignored() -> None:
    stored = np.array([0, 100, 200, 254, 255, 254], dtype=np.uint8)
    labels = np.array([0, 0, 1, 1, 1, 255], dtype=np.uint8)
    histogram = Histogram.of(stored, labels)
    assert histogram.confusion(100) == Confusion(2, 1, 0, 1)
    assert histogram.confusion(201) == Confusion(1, 0, 1, 2)
    assert (histogram + histogram).confusion(100) == Confusion(4, 2, 0, 2)


def test_classes_of_pixels_are_counted_apart() -> None:
    mapped = np.array([True, True, False, False, True, True])
    true = np.array([True, False, True, False, True, False])
    places = np.array([0, 0, 0, 0, 2, 255], dtype=np.uint8)
    assert Confusion.by_class(mapped, true, places, 3) == [Confusion(1, 1, 1, 1), Confusion(), Confusion(1, 0, 0, 0)]
