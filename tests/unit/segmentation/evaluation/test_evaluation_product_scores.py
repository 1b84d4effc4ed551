"""Whole sites scored, the model's and the baseline's, and the picture of some of them."""

import io
import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image

from minemap_assets.chips.reader import ChipSet
from minemap_assets.segmentation.baseline import Feature, Rule
from minemap_assets.segmentation.evaluation.drawing import choose_sites, diagram
from minemap_assets.segmentation.evaluation.product_scores import Ground, ProductScores
from minemap_assets.segmentation.evaluation.question import Question
from minemap_assets.segmentation.evaluation.reliability import Reliability
from minemap_assets.segmentation.evaluation.table import Method, metric_frame
from minemap_assets.segmentation.metrics import BASELINE, FOLDS, MODEL_METHOD
from minemap_assets.segmentation.site_scoring import labelled_cells
from minemap_assets.segmentation.training_set import assemble

from ..conftest import scene, thirds

POINTS = {"match_area": 0.5, "max_miou": 0.9}
RED = Rule(Feature("red", 2), edge=0, above=True)
"""Everything is mine."""


def bare(chips: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """0.8 where the ground is bare, which is where the scenes have their mine, and 0.1 elsewhere."""
    return (np.where(chip[2] > 1500, 0.8, 0.1).astype(np.float32) for chip in chips)


@pytest.fixture
def scored(chip_set: Callable[..., ChipSet]) -> tuple[ProductScores, list[Question]]:
    scenes = [scene(n, mine=n != 3) for n in range(12)]
    chips = [chip_set(scenes, split_of=thirds)]
    training_set = assemble(chips)
    ground = Ground(chips, labelled_cells(chips, "planet-nicfi"), ["north"])
    found = ProductScores(ground, RED, Method(MODEL_METHOD, POINTS), seed=0)
    questions = [Question("test", training_set.of("test"), bare), Question(FOLDS, training_set.of("train"), bare)]
    for question in questions:
        found.ask([question])
    return found, questions


def test_rows_of_model_and_baseline(scored: tuple[ProductScores, list[Question]]) -> None:
    frame = metric_frame(scored[0].rows)
    whole = frame[frame["stratum"] == "all"].set_index(["split", "operating_point"])
    assert whole.loc[("test", "match_area"), "iou"] > 0.95
    assert whole.loc[("test", "match_area"), "boundary_f1"] > 0.95
    assert whole.loc[("test", "max_miou"), "iou"] == 0.0
    baseline = whole.loc[("test", BASELINE)]
    assert (baseline["method"], baseline["rule"], baseline["threshold"]) == (BASELINE, "red >= 0.000", 0.0)
    assert baseline["recall"] == 1.0
    assert baseline["precision"] < 0.2
    # where the threshold was chosen it is not judged
    assert (FOLDS, BASELINE) not in whole.index
    assert whole.loc[(FOLDS, "match_area"), "sites"] == 6
    assert set(frame.loc[frame["stratum"] == "region", "group"]) == {"north"}


def test_mines_stand_out_by_their_reflectance(scored: tuple[ProductScores, list[Question]]) -> None:
    by_site = {score.site_id: score for score in scored[0].scored}
    assert math.isnan(by_site["m003"].contrast)
    difference = np.array([800.0, 900.0, 1600.0, -400.0]) / 10_000
    assert by_site["m007"].contrast == pytest.approx(np.sqrt((difference**2).mean()), rel=0.02)
    assert by_site["m003"].largest == ""
    assert by_site["m007"].largest == "< 2 ha"


def test_the_picture_shows_the_best_the_median_and_the_worst(scored: tuple[ProductScores, list[Question]]) -> None:
    found, questions = scored
    picture: Any = found.picture(questions)
    drawn = Image.open(io.BytesIO(picture))
    assert (drawn.format, drawn.width) == ("WEBP", 540)
    assert len(picture) < 60_000
    # of the test sites one has no mine
    assert list(choose_sites([s for s in found.scored if s.split == "test"])) == ["best", "median"]
    assert found.picture([]) is None
    chosen = choose_sites([s for s in found.scored if s.split == FOLDS])
    ious = [s.points["match_area"].confusion.iou for s in chosen.values()]
    assert list(chosen) == ["best", "median", "worst"]
    assert ious == sorted(ious, reverse=True)


def test_the_diagram_lies_on_the_diagonal_where_probabilities_are_right() -> None:
    bins = np.arange(15.0) + 0.5
    picture = diagram(Reliability(np.full(15, 150.0), 10 * bins, 10 * bins))
    dark = np.argwhere(picture[..., 0] < 60)
    assert len(dark) > 100
    assert (np.abs(dark.sum(axis=1) - 171) <= 6).all()
