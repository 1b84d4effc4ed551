"""Calibration finds the scale and shift that made the data."""

import numpy as np
import pytest

from minemap_assets.segmentation.calibration import Calibration, fit, site_weights


def drawn(scale: float, shift: float, count: int = 200_000) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    margin = rng.normal(-1.0, 3.0, count)
    p = 1.0 / (1.0 + np.exp(-(scale * margin + shift)))
    return margin, rng.random(count) < p


@pytest.mark.parametrize(("scale", "shift"), [(1.0, 0.0), (0.4, -1.0), (2.0, 1.5)])
def test_the_true_values_come_back(scale: float, shift: float) -> None:
    found = fit(*drawn(scale, shift))
    assert found.scale == pytest.approx(scale, abs=0.03)
    assert found.shift == pytest.approx(shift, abs=0.05)


def test_probability_means_what_it_says() -> None:
    margin, mine = drawn(0.4, -1.0)
    p = fit(margin, mine).probability(margin)
    for low in np.arange(0.1, 0.9, 0.1):
        here = (p >= low) & (p < low + 0.1)
        assert mine[here].mean() == pytest.approx(p[here].mean(), abs=0.02)


def test_plain_is_softmax_and_not_a_sigmoid_of_one_logit() -> None:
    other, mine = 1.5, 2.0
    softmax = np.exp(mine) / (np.exp(mine) + np.exp(other))
    assert Calibration().probability(np.array([mine - other]))[0] == pytest.approx(softmax, abs=1e-6)


def test_classes_perfectly_apart_stay_finite() -> None:
    found = fit(np.array([-3.0, -2.0, 2.0, 3.0]), np.array([False, False, True, True]))
    assert np.isfinite([found.scale, found.shift]).all()
    assert found.scale > 1.0


def test_one_class_teaches_nothing() -> None:
    assert fit(np.array([1.0, 2.0]), np.array([False, False])) == Calibration()


def test_a_giant_says_no_more_than_a_small_site() -> None:
    """Nine tenths of the pixels are of a giant with another meaning of margins: the fit lies between the two."""
    giant, small = drawn(0.5, -1.0, 180_000), drawn(2.0, 1.0, 20_000)
    margin, mine = (np.concatenate(pair) for pair in zip(giant, small, strict=True))
    site = np.repeat([0, 1], [180_000, 20_000])
    weight = site_weights(site, mine)
    assert weight.mean() == pytest.approx(1.0)
    sizes = [mine[site == n].sum() + 0.02 * (site == n).sum() for n in (0, 1)]
    assert weight[0] / weight[-1] == pytest.approx(sizes[1] / sizes[0])
    alone, together = fit(margin, mine), fit(margin, mine, weight)
    assert abs(together.shift - 1.0) < abs(alone.shift - 1.0)


def test_a_site_without_mines_has_its_say() -> None:
    weight = site_weights(np.array([0, 0, 1, 1]), np.array([True, False, False, False]))
    assert (weight > 0).all()
    assert weight[2] > weight[0]
