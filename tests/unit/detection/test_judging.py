"""What a classifier is worth: grades, thresholds, the baseline."""

import numpy as np

from minemap_assets.detection.judging import band_baseline, judged

PLACES = [f"place {n % 4}" for n in range(240)]
MINE = np.arange(240) < 40


def test_one_that_tells_all_apart_is_usable_and_gives_thresholds() -> None:
    found = judged(np.where(MINE, 0.9, 0.1), MINE, PLACES, 0.3)
    assert found.verdict.startswith("usable: on 4 places that it was not trained on, it finds 100% of 40 points")
    assert found.metrics["average_precision"] == 1.0
    assert found.thresholds is not None
    assert (found.thresholds.dissolved, found.thresholds.isolated) == (0.5, 0.75)


def test_the_threshold_of_scans_lies_between_mines_and_what_is_none() -> None:
    scores = np.where(MINE, 0.9, 0.1)
    scores[-1] = 0.8
    thresholds = judged(scores, MINE, PLACES, 0.3).thresholds
    assert thresholds is not None
    assert thresholds.dissolved == 0.85


def test_one_that_finds_less_than_a_threshold_on_a_band_is_no_better() -> None:
    rng = np.random.default_rng(0)
    assert judged(rng.random(240), MINE, PLACES, 0.5).verdict.startswith("not better than a threshold: ")


def test_too_few_places_cannot_judge() -> None:
    found = judged(np.where(MINE, 0.9, 0.1), MINE, ["one"] * 240, 0.3)
    assert found.verdict.startswith("cannot be judged: 1 place with mines and 200 other points were scored")
    assert found.thresholds is None


def test_the_baseline_is_the_best_band_in_either_direction() -> None:
    dark = np.where(MINE, 0.0, 1.0) + np.linspace(0, 0.1, 240)
    noise = np.random.default_rng(1).random(240)
    assert band_baseline(np.column_stack([noise, dark]), MINE) == 1.0
    assert band_baseline(noise[:, None], MINE) < 0.2
