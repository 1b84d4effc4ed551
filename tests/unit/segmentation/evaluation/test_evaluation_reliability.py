"""Calibration error by hand."""

import math

import numpy as np
import pytest

from minemap_assets.segmentation.evaluation.reliability import BINS, Reliability
from minemap_assets.segmentation.metrics import Histogram


def counted(**pixels: tuple[int, int]) -> Reliability:
    """Pixels (mine, other) by stored value, such as v127."""
    histogram = Histogram.empty()
    for name, (mine, other) in pixels.items():
        histogram.mine[int(name[1:])] = mine
        histogram.other[int(name[1:])] = other
    return Reliability.of(histogram)


def test_by_hand() -> None:
    # 40 pixels at 0.5 of which 30 are mine, 60 at 0 of which 6 are: (0.4 * 0.25) + (0.6 * 0.1).
    found = counted(v127=(30, 10), v0=(6, 54))
    assert found.calibration_error == pytest.approx(0.4 * 0.25 + 0.6 * 0.1)
    assert found.probability_ratio == pytest.approx(20 / 36)


def test_ranges_are_of_equal_width_and_the_last_one_holds_certainty() -> None:
    found = counted(v254=(1, 0), v253=(1, 0), v16=(0, 1), v17=(0, 1))
    assert found.pixels.nonzero()[0].tolist() == [0, 1, 14]
    rows = found.rows()
    assert [row["low"] for row in rows] == pytest.approx([n / BINS for n in range(15)])
    assert rows[14]["pixels"] == 2
    assert rows[14]["mine_share"] == 1.0
    assert math.isnan(rows[5]["mean_probability"])


def test_within_a_range_errors_of_both_kinds_cancel() -> None:
    assert counted(v2=(0, 100), v14=(7, 93)).calibration_error == pytest.approx(abs(16 * 100 / 254 - 7) / 200)


def test_what_says_the_truth_has_no_error_and_nothing_none() -> None:
    assert counted(v0=(0, 9), v254=(5, 0)).calibration_error == 0.0
    assert math.isnan(Reliability.empty().calibration_error)
    assert math.isnan(counted(v100=(0, 3)).probability_ratio)
    both = counted(v0=(0, 9)) + counted(v0=(1, 0))
    assert float(np.sum(both.pixels)) == 10.0
