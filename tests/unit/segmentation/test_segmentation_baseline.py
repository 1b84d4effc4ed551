"""The best threshold, found where it was put."""

import numpy as np
import pytest

from minemap_assets.imagery.products import UNIT_VECTOR
from minemap_assets.segmentation.baseline import best_rule, features
from minemap_assets.segmentation.training_set import LabelledChip

RNG = np.random.default_rng(0)


def labels() -> np.ndarray:
    return (RNG.random((32, 32)) < 0.3).astype(np.uint8)


def test_a_bright_band_is_found() -> None:
    truth = labels()
    noise = RNG.integers(100, 6000, (32, 32))
    pixels = np.stack([noise, np.where(truth == 1, 3000, 2000)]).astype(np.uint16)
    rule = best_rule([LabelledChip(pixels, truth)], ("blue", "red"))
    assert (rule.feature.name, rule.above) == ("red", True)
    assert 0.2 <= rule.value <= 0.3
    assert (rule.mapped(pixels) == (truth == 1)).all()
    (said,) = rule.probabilities([pixels])
    assert said.dtype == np.float32
    assert (said == truth).all()


def test_a_dark_band_is_found_from_below() -> None:
    truth = labels()
    pixels = np.stack([np.where(truth == 1, 500, 2000), RNG.integers(1, 6000, (32, 32))]).astype(np.uint16)
    rule = best_rule([LabelledChip(pixels, truth)], ("blue", "red"))
    assert (rule.feature.name, rule.above) == ("blue", False)


def test_an_index_is_found_where_no_band_will_do() -> None:
    truth = labels()
    light = RNG.uniform(0.3, 2.0, (32, 32))
    pixels = np.stack([1000 * light, np.where(truth == 1, 1500, 700) * light]).astype(np.uint16)
    rule = best_rule([LabelledChip(pixels, truth)], ("blue", "red"))
    assert rule.feature.name == "nd(blue, red)"
    assert rule.text.startswith("nd(blue, red) < ")


def test_ignored_pixels_do_not_count() -> None:
    truth = labels()
    pixels = np.where(truth == 1, 3000, 2000).astype(np.uint16)[None]
    misled = np.where(RNG.random((32, 32)) < 0.5, pixels, 4000).astype(np.uint16)
    hidden = np.where(misled[0] == 4000, 255, truth).astype(np.uint8)
    rule = best_rule([LabelledChip(misled, hidden)], ("red",))
    assert 0.2 <= rule.value <= 0.3


@pytest.mark.parametrize(("count", "expected"), [(3, 6), (4, 10)])
def test_every_band_and_pair_is_tried(count: int, expected: int) -> None:
    assert len(features(tuple("abcd"[:count]))) == expected


def test_numbers_that_are_no_light_are_told_apart_around_zero_and_not_compared_as_ratios() -> None:
    truth = labels()
    axes = np.stack([RNG.uniform(-0.2, 0.2, truth.shape), np.where(truth == 1, 0.05, -0.05)])
    assert len(features(tuple("abc"), UNIT_VECTOR)) == 3
    rule = best_rule([LabelledChip(UNIT_VECTOR.stored(axes), truth)], ("A00", "A01"), UNIT_VECTOR)
    assert (rule.feature.name, rule.above) == ("A01", True)
    assert -0.06 <= rule.value <= 0.06
