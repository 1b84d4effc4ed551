"""Training: the same bytes twice, a model that learns, and a folder that is checked when it is opened."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from minemap_assets.chips.reader import ChipSet
from minemap_assets.errors import BadInputError
from minemap_assets.lake.lake import Lake
from minemap_assets.lake.manifests import Outcome, PartitionRef
from minemap_assets.lake.partitions import Partition
from minemap_assets.segmentation.artefact import content_version, load_model, open_model
from minemap_assets.segmentation.config import SegmentationConfig
from minemap_assets.segmentation.evaluation.build import evaluate_model
from minemap_assets.segmentation.learning.ensemble import reproducible
from minemap_assets.segmentation.operating_points import operating_points
from minemap_assets.segmentation.scale import stored_threshold
from minemap_assets.segmentation.training import make_plan, train_model
from minemap_assets.segmentation.training_set import assemble

from .conftest import TINY_SEGFORMER, scene, thirds, tiny_config

Make = Callable[..., ChipSet]
Partitions = Callable[..., Partition]


def trained(make: Partitions, sets: list[ChipSet], config: SegmentationConfig, name: str = "model") -> Partition:
    def build(writer: Any) -> Outcome:
        return train_model(sets, config, writer, {"training_chips[x]": "hash"})

    return make("segmentation", name, build=build)


@pytest.fixture
def both_products(chip_set: Make) -> list[ChipSet]:
    fine = chip_set([scene(i) for i in range(8)], split_of=thirds)
    dim = chip_set([scene(i, gain=0.7) for i in range(8)], product="sentinel-2-l2a", split_of=thirds)
    return [fine, dim]


def test_two_runs_give_the_same_bytes_and_say_what_they_saw(
    make_partition: Partitions, both_products: list[ChipSet]
) -> None:
    one = load_model(trained(make_partition, both_products, tiny_config(), "one"))
    torch.manual_seed(99)
    two = load_model(trained(make_partition, both_products, tiny_config(), "two"))
    assert one.version == two.version
    assert one.card.inputs == {"training_chips[x]": "hash"}
    assert one.card.bands == ("blue", "green", "red", "nir")
    assert sorted(one.card.products) == ["planet-nicfi", "sentinel-2-l2a"]
    fine, dim = one.product("planet-nicfi"), one.product("sentinel-2-l2a")
    assert dim.normalisation.mean[3] == pytest.approx(0.7 * fine.normalisation.mean[3], rel=0.02)
    assert set(fine.operating_points) == {"match_area", "max_miou"}
    assert fine.chosen_on == "folds"
    for product in (fine, dim):
        assert product.held_out is not None
        assert operating_points(product.held_out.histogram) == product.operating_points
        for name, at in product.operating_points.items():
            counted = product.held_out.histogram.confusion(stored_threshold(at))
            assert product.metrics[name]["recall"] == pytest.approx(counted.recall, abs=1e-6)
    other = load_model(trained(make_partition, both_products, tiny_config(seed=1), "three"))
    assert other.version != one.version


def test_the_log_has_a_row_for_every_step_of_every_member(
    make_partition: Partitions, both_products: list[ChipSet]
) -> None:
    model = load_model(trained(make_partition, both_products, tiny_config()))
    log = pd.read_parquet(model.folder / "training_log.parquet")
    assert list(log["member"]) == [0] * 6 + [1] * 6
    assert list(log["step"]) == [1, 2, 3, 4, 5, 6] * 2
    assert log["validation_iou"].isna().all()
    assert model.card.best_step == 6
    assert model.card.recipe["name"] == "small"
    assert model.card.recipe["network"]["architecture"] == "unet"


def test_one_model_is_chosen_by_validation(make_partition: Partitions, both_products: list[ChipSet]) -> None:
    model = load_model(trained(make_partition, both_products, tiny_config(**TINY_SEGFORMER)))
    log = pd.read_parquet(model.folder / "training_log.parquet")
    assert log["validation_iou"].notna().tolist() == [False, False, True, False, False, True]
    assert model.card.best_step in (3, 6)
    assert model.product("planet-nicfi").chosen_on == "validation"


def test_the_plan_follows_the_ground(chip_set: Make) -> None:
    """Several places: folds; one place: a model that nothing tells the worth of."""
    many = assemble([chip_set([scene(i) for i in range(8)], split_of=thirds)])
    plan = make_plan(many, tiny_config())
    assert (plan.recipe.name, plan.chosen_on, len(plan.members)) == ("small", "folds", 2)
    assert not {ref.split for member in plan.members for ref in member.taught} & {"test"}
    alone = chip_set([scene(i) for i in range(4)], split_of=lambda _: "train", group_of=lambda _: "g", region="there")
    one = assemble([alone])
    plan = make_plan(one, tiny_config())
    assert (plan.chosen_on, len(plan.members)) == ("train", 1)
    assert any("one place only" in note for note in plan.notes)


def test_a_model_learns_what_a_threshold_cannot(make_partition: Partitions, chip_set: Make, lake: Lake) -> None:
    """Discs count as mines and strips of the same ground do not."""

    def with_strip(seed: int) -> tuple[np.ndarray, np.ndarray]:
        pixels, labels = scene(seed)
        row = 4 if labels[:12].sum() == 0 else 54
        pixels[:, row : row + 6] = np.median(pixels[:, labels == 1], axis=1)[:, None, None].astype(np.uint16)
        free = labels[row : row + 6] == 0
        assert free.any()
        labels[row : row + 6] = 0
        return pixels, labels

    chips = [chip_set([with_strip(i) for i in range(24)], split_of=thirds)]
    config = tiny_config(steps=120, crop=64, learning_rate=1e-2, widths=(8, 16), detail=4, rotation="quarters")
    part = trained(make_partition, chips, config)
    report = make_partition("segmentation", "model_evaluation", build=lambda w: evaluate_model(part, chips, config, w))
    table = pd.read_parquet(report.file("metrics.parquet"))
    whole = table[(table["group"] == "") & (table["split"] == "test") & (table["stratum"] == "all")]
    whole = whole.set_index("operating_point")
    assert whole.loc["match_area", "iou"] > whole.loc["baseline", "iou"] + 0.1
    assert whole.loc["match_area", "area_ratio"] == pytest.approx(1.0, abs=0.25)
    assert set(table["split"]) == {"test", "folds"}
    assert lake.manifest(PartitionRef("segmentation", "model_evaluation")) is not None


def test_a_wrong_folder_is_refused(make_partition: Partitions, both_products: list[ChipSet], tmp_path: Path) -> None:
    model = load_model(trained(make_partition, both_products, tiny_config()))
    folder = tmp_path / "copy"
    shutil.copytree(model.folder, folder)
    assert content_version(folder) == model.version

    card = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps(card | {"format": 4}))
    with pytest.raises(BadInputError, match="format 4, this minemap reads up to 3"):
        open_model(folder)
    old = card | {"format": 2, "products": {n: {**p} for n, p in card["products"].items()}}
    for product in old["products"].values():
        assert len(product.pop("held_out")["mine"]) == 255
    (folder / "model.json").write_text(json.dumps(old))
    assert open_model(folder).product("planet-nicfi").held_out is None
    (folder / "model.json").write_text("[1, 2]")
    with pytest.raises(BadInputError, match="not a minemap model card"):
        open_model(folder)
    (folder / "config.json").unlink()
    with pytest.raises(BadInputError, match=r"it has no config\.json"):
        open_model(folder)


def test_a_product_the_model_never_saw_is_refused(make_partition: Partitions, both_products: list[ChipSet]) -> None:
    model = load_model(trained(make_partition, both_products[:1], tiny_config()))
    with pytest.raises(BadInputError, match="was not trained on sentinel-2-l2a"):
        model.product("sentinel-2-l2a")
    with pytest.raises(BadInputError, match="no operating point 'best'"):
        model.threshold("planet-nicfi", "best")
    assert model.threshold("planet-nicfi", 0.3) == 0.3


def test_training_leaves_torch_as_it_was() -> None:
    before = (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled(), torch.initial_seed())
    with reproducible(5, before[0] + 1):
        assert torch.are_deterministic_algorithms_enabled()
    assert (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled(), torch.initial_seed()) == before


def test_settings_that_cannot_work_are_refused() -> None:
    with pytest.raises(ValueError, match="multiple of 32"):
        tiny_config(crop=100)
    with pytest.raises(ValueError, match="multiple of its heads"):
        tiny_config(**TINY_SEGFORMER | {"heads": (3, 1, 2, 2)})
    with pytest.raises(ValueError, match="between 0 and 1"):
        tiny_config(operating_point=1.5)
    assert "operating_point" not in tiny_config().training_settings()
    assert tiny_config(operating_point=0.3).mask_settings()["operating_point"] == 0.3
