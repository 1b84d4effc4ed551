"""Design-based estimates against published worked examples, and against populations whose truth is known."""

import math

import numpy as np
import pytest

from minemap_assets.validation.accuracy import wilson
from minemap_assets.validation.estimators import (
    CELLS,
    MEASURES,
    Design,
    Estimate,
    agreement,
    area,
    difference,
    estimate,
    measure,
)

Z = 1.96


def indicators(codes: np.ndarray, classes: int) -> np.ndarray:
    return (codes[:, None] == np.arange(classes)).astype(np.float64)


def test_the_worked_example_of_olofsson_2014() -> None:
    """Tables 8 and 9: a change map of 10 million Landsat pixels of 0.09 ha, 640 points in strata of its own classes."""
    counts = np.array([[66, 0, 5, 4], [0, 55, 8, 12], [1, 0, 153, 11], [2, 1, 9, 313]])
    pixels = np.array([200_000.0, 150_000.0, 3_200_000.0, 6_450_000.0])
    mapped = np.repeat(np.arange(4), counts.sum(axis=1))
    true = np.concatenate([np.repeat(np.arange(4), row) for row in counts])
    design = Design.stratified(mapped, pixels)
    totals = design.totals(indicators(true, 4))
    found = [area(totals, np.arange(4) == k) for k in range(4)]
    assert [round(f.value * 0.09) for f in found] == [21_158, 11_686, 285_770, 581_386]
    assert [round(Z * f.standard_error * 0.09) for f in found] == [6_158, 3_756, 15_510, 16_282]
    right = design.totals(agreement(mapped == true, np.ones(640, dtype=bool), np.ones(640, dtype=bool)))
    overall = estimate("accuracy", right, 640)
    assert (round(overall.value, 2), round(Z * overall.standard_error, 2)) == (0.95, 0.02)
    users, producers = [], []
    for k in range(4):
        own = design.totals(agreement(mapped == k, true == k, np.ones(640, dtype=bool)))
        users.append(estimate("users_accuracy", own, 640))
        producers.append(estimate("producers_accuracy", own, 640))
    assert [round(u.value, 2) for u in users] == [0.88, 0.73, 0.93, 0.96]
    assert [round(Z * u.standard_error, 2) for u in users] == [0.07, 0.10, 0.04, 0.02]
    assert [round(p.value, 2) for p in producers] == [0.75, 0.85, 0.93, 0.96]
    assert [round(Z * p.standard_error, 2) for p in producers[:3]] == [0.21, 0.25, 0.03]


def test_the_worked_example_of_stehman_2014() -> None:
    """Tables 2 and 3: strata A to D of 40,000 to 10,000 pixels, ten points in each, map classes that are others.

    The figures with six digits are those that the R package mapaccuracy gives for it.
    """
    strata = np.repeat(np.arange(4), 10)
    mapped = np.array(list("AAAAAAABBB" + "A" + "B" * 11 + "CCCCCC" + "BB" + "D" * 10))
    true = np.array(list("AAAAACBABC" + "ABBBBBAABB" + "CCCCCDDBBA" + "DDDDDDDCCB"))
    design = Design.stratified(strata, np.array([40_000.0, 30_000.0, 20_000.0, 10_000.0]), finite=True)
    every = np.ones(40, dtype=bool)
    classes = design.totals(np.stack([true == k for k in "ABCD"], axis=1).astype(np.float64))
    right = estimate("accuracy", design.totals(agreement(mapped == true, every, every)), 40)
    of_b = design.totals(agreement(mapped == "B", true == "B", every))
    users, producers = (estimate(name, of_b, 40) for name in ("users_accuracy", "producers_accuracy"))
    for k, (value, error) in {0: (0.35, 0.0822478), 2: (0.20, 0.06427977)}.items():
        found = area(classes, np.arange(4) == k)
        assert (found.value / 1e5, found.standard_error / 1e5) == (pytest.approx(value), pytest.approx(error, abs=1e-7))
    for estimated, value, error in (
        (right, 0.63, 0.08464219),
        (users, 0.5744681, 0.1247822),
        (producers, 0.7941176, 0.1165479),
    ):
        assert estimated.value == pytest.approx(value, abs=1e-7)
        assert estimated.standard_error == pytest.approx(error, abs=1e-6)


@pytest.mark.parametrize("counts", [(40, 10, 5, 45), (3, 1, 7, 90), (1, 2, 1, 0), (17, 4, 1, 79)])
def test_measures_follow_their_definitions_point_by_point(counts: tuple[int, int, int, int]) -> None:
    """Matthews' coefficient is the correlation of both classes, kappa the agreement beyond that of the margins."""
    said = np.repeat([True, True, False, False], counts)
    true = np.repeat([True, False, True, False], counts)
    ours = {name: measure(name, np.array(counts, dtype=np.float64)) for name in MEASURES}
    chance = said.mean() * true.mean() + (1 - said.mean()) * (1 - true.mean())
    precision, recall = true[said].mean(), said[true].mean()
    known = {
        "accuracy": (said == true).mean(),
        "users_accuracy": precision,
        "producers_accuracy": recall,
        "false_positive_rate": said[~true].mean(),
        "specificity": (~said[~true]).mean(),
        "f1": 2 * precision * recall / (precision + recall),
        "kappa": ((said == true).mean() - chance) / (1 - chance),
        "matthews": np.corrcoef(said, true)[0, 1],
        "mine_share": true.mean(),
    }
    assert ours == pytest.approx(known)


def test_measures_of_documented_examples_and_of_empty_classes() -> None:
    # scikit-learn, documentation of matthews_corrcoef: [1, 1, 1, -1] against [1, -1, 1, 1] gives -0.33
    assert measure("matthews", np.array([2.0, 1.0, 1.0, 0.0])) == pytest.approx(-1 / 3)
    # Cohen's kappa of the textbook table 20, 5, 10, 15: observed 0.7, by chance 0.5
    assert measure("kappa", np.array([20.0, 5.0, 10.0, 15.0])) == pytest.approx(0.4)
    for name in ("users_accuracy", "matthews", "f1"):
        assert math.isnan(measure(name, np.array([0.0, 0.0, 0.0, 9.0])))


SIZES = np.array([60.0, 700.0, 12.0, 8.0, 40.0])
"""Strata by our map, in km2: stable mine, stable other, gain, loss, near an outline."""

TRUE = np.array(
    [
        [0.05, 0.03, 0.04, 0.88],
        [0.96, 0.015, 0.005, 0.02],
        [0.22, 0.66, 0.01, 0.11],
        [0.25, 0.02, 0.60, 0.13],
        [0.50, 0.08, 0.05, 0.37],
    ]
)
"""Share of each stratum that is other in both years, gained, lost, mine in both."""

POINTS = np.array([90, 320, 40, 30, 120])
FOUND, FALSE = 0.85, 0.04
"""How much of the mines another map finds, and of other ground calls mine: it is judged, and drew no stratum."""


def _truth() -> dict[str, float]:
    _, gained, lost, both = (SIZES[:, None] * TRUE).sum(axis=0)
    mine = gained + both
    rest = SIZES.sum() - mine
    cells = np.array([mine * FOUND, rest * FALSE, mine * (1 - FOUND), rest * (1 - FALSE)])
    shares = {name: measure(name, cells) for name in ("accuracy", "users_accuracy", "producers_accuracy")}
    return {"area": mine, "gain": gained, "change": gained - lost, **shares}


def _estimates(design: Design, cell: np.ndarray, mapped: np.ndarray) -> dict[str, Estimate]:
    last = (cell == 1) | (cell == 3)
    totals = design.totals(indicators(cell, 4))
    agreeing = design.totals(agreement(mapped, last, np.ones(len(cell), dtype=bool)))
    gained, lost = np.arange(4) == 1, np.arange(4) == 2
    return {
        "area": area(totals, (np.arange(4) % 2) == 1),
        "gain": area(totals, gained),
        "change": difference(totals, gained, lost),
        **{n: estimate(n, agreeing, len(cell)) for n in ("accuracy", "users_accuracy", "producers_accuracy")},
    }


def test_intervals_cover_the_truth_where_the_plain_average_is_biased() -> None:
    """1,000 samples: areas, change and accuracy of a map that did not draw the strata."""
    random = np.random.default_rng(1)
    stratum = np.repeat(np.arange(5), POINTS)
    design, truth = Design.stratified(stratum, SIZES), _truth()
    cumulative = TRUE.cumsum(axis=1)[stratum]
    covered = dict.fromkeys(truth, 0)
    plain, plain_covered, means = [], 0, dict.fromkeys(truth, 0.0)
    for _ in range(1000):
        cell = (random.random((len(stratum), 1)) > cumulative).sum(axis=1)
        last = (cell == 1) | (cell == 3)
        mapped = random.random(len(stratum)) < np.where(last, FOUND, FALSE)
        for name, found in _estimates(design, cell, mapped).items():
            covered[name] += found.low <= truth[name] <= found.high
            means[name] += found.value / 1000
        right = int((mapped & last).sum())
        plain.append(right / int(mapped.sum()))
        held = wilson(right, int(mapped.sum()))
        plain_covered += held.low <= truth["users_accuracy"] <= held.high
    assert all(930 <= count <= 970 for count in covered.values()), covered
    for name, value in truth.items():
        assert means[name] == pytest.approx(value, rel=0.02), name
    assert np.mean(plain) > truth["users_accuracy"] + 0.1
    assert plain_covered < 50


def test_a_stratum_that_shows_nothing_is_not_taken_for_known() -> None:
    """200 points without a mine: the textbook interval has no width, and 700 km2 were not looked at whole."""
    stratum = np.repeat(np.arange(2), [50, 200])
    design = Design.stratified(stratum, np.array([60.0, 700.0]))
    mine = np.concatenate([np.ones(50), np.zeros(200)])
    found = area(design.totals(np.stack([1.0 - mine, mine], axis=1)), np.array([False, True]))
    assert (found.value, found.standard_error) == (pytest.approx(60.0), pytest.approx(0.0, abs=1e-9))
    assert found.low < 58.0
    assert 70.0 < found.high < 75.0  # Wilson's upper end of 0 in 200 is 1.9 %
    accuracy = estimate("accuracy", design.totals(agreement(mine > 0, mine > 0, mine < 2)), 250)
    assert accuracy.value == 1.0
    assert 0.97 < accuracy.low < 1.0 == accuracy.high


def test_too_few_points_have_no_interval() -> None:
    alone = Design.stratified(np.array([0, 0, 1]), np.array([5.0, 5.0]))
    found = area(alone.totals(np.array([[1.0], [0.0], [1.0]])), np.array([True]))
    assert math.isnan(found.low)
    assert math.isnan(found.standard_error)
    assert CELLS[0] == "true_positive"


def test_weights_give_the_same_as_strata_of_known_size() -> None:
    random = np.random.default_rng(3)
    stratum, sizes = np.repeat(np.arange(3), 40), np.array([10.0, 200.0, 30.0])
    mapped, true = random.random(120) < 0.4, random.random(120) < 0.5
    cells = agreement(mapped, true, np.ones(120, dtype=bool))
    known = estimate("kappa", Design.stratified(stratum, sizes).totals(cells), 120)
    weighted = estimate("kappa", Design.weighted(stratum, sizes[stratum] / 40, 3).totals(cells), 120)
    assert weighted.value == pytest.approx(known.value)
    assert weighted.standard_error == pytest.approx(known.standard_error)
    assert weighted.low == pytest.approx(known.low, abs=0.03)
