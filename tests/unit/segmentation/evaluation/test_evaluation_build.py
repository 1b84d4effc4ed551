"""An evaluation from a trained model to its files."""

import json
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from minemap_assets.chips.reader import ChipSet
from minemap_assets.lake.partitions import Partition
from minemap_assets.segmentation.evaluation.build import RELIABILITY, evaluate_model
from minemap_assets.segmentation.evaluation.drawing import PICTURE, stored_picture
from minemap_assets.segmentation.metrics import METRICS, SITE_SCORES
from minemap_assets.segmentation.training import train_model
from minemap_assets.segmentation.verdict import Grade, judge

from ..conftest import TINY_SEGFORMER, scene, thirds, tiny_config

Make = Callable[..., ChipSet]
Partitions = Callable[..., Partition]


@pytest.fixture
def evaluated(make_partition: Partitions, chip_set: Make) -> Callable[..., Partition]:
    """Trains on scenes of two products, and evaluates."""
    chips = [
        chip_set([scene(n) for n in range(12)], split_of=thirds),
        chip_set([scene(n, gain=0.7) for n in range(12)], product="sentinel-2-l2a", region="there", split_of=thirds),
    ]

    def make(**changes: Any) -> Partition:
        config = tiny_config(**changes)
        model = make_partition(
            "segmentation", "segmentation_model", build=lambda w: train_model(chips, config, w, {}), config=changes
        )

        def build(writer: Any) -> Any:
            return evaluate_model(model, chips, config, writer, regions=["here", "there"])

        return make_partition("segmentation", "model_evaluation", build=build, config=changes)

    return make


def test_an_ensemble_is_asked_about_test_ground_and_about_each_fold(evaluated: Callable[..., Partition]) -> None:
    found = evaluated()
    assert set(found.names()) == {METRICS, SITE_SCORES, RELIABILITY, PICTURE}
    frame = pd.read_parquet(found.file(METRICS))
    whole = frame[frame["stratum"] == "all"].set_index(["product", "split", "operating_point"])
    assert set(whole.index.get_level_values("split")) == {"test", "folds"}
    for product in ("planet-nicfi", "sentinel-2-l2a"):
        assert whole.loc[(product, "test", "match_area"), "sites"] == 3
        assert whole.loc[(product, "folds", "match_area"), "sites"] == 9
        assert whole.loc[(product, "test", "baseline"), "rule"] != ""
    assert judge(frame, "abc").grade is not Grade.UNKNOWN
    sites = pd.read_parquet(found.file(SITE_SCORES))
    assert sites.groupby(["product", "region"]).size().to_dict() == {
        ("planet-nicfi", "here"): 24,
        ("sentinel-2-l2a", "there"): 24,
    }
    assert stored_picture(found)[8:12] == b"WEBP"


def test_one_model_is_asked_about_the_validation_ground_that_chose_it(evaluated: Callable[..., Partition]) -> None:
    found = evaluated(**TINY_SEGFORMER)
    frame = pd.read_parquet(found.file(METRICS))
    assert set(frame["split"]) == {"test", "validation"}
    summary = json.loads(json.dumps(found.manifest.summary))
    assert {"verdict", "model_version", "scores", "published", "notes", "rows"} == set(summary)
    assert "planet-nicfi test match_area" in summary["scores"]
    assert "which are not these" in summary["published"]
