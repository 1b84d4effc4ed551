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
from minemap_assets.segmentation.evaluation import evaluate_model
from minemap_assets.segmentation.learning import rate, reproducible
from minemap_assets.segmentation.losses import segmentation_loss, soft_dice
from minemap_assets.segmentation.network import build_network
from minemap_assets.segmentation.training import train_model

from .conftest import scene, thirds, tiny_config

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
    assert fine.chosen_on == "validation"
    other = load_model(trained(make_partition, both_products, tiny_config(seed=1), "three"))
    assert other.version != one.version


def test_the_log_has_a_row_for_every_step(make_partition: Partitions, both_products: list[ChipSet]) -> None:
    model = load_model(trained(make_partition, both_products, tiny_config()))
    log = pd.read_parquet(model.folder / "training_log.parquet")
    assert list(log["step"]) == [1, 2, 3, 4, 5, 6]
    assert log["validation_miou"].notna().tolist() == [False, False, True, False, False, True]
    assert log["learning_rate"].is_monotonic_decreasing is False
    assert model.card.best_step in (3, 6)


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
    config = tiny_config(steps=150, crop=64, learning_rate=4e-3, validate_every=50)
    part = trained(make_partition, chips, config)
    report = make_partition("segmentation", "model_evaluation", build=lambda w: evaluate_model(part, chips, config, w))
    table = pd.read_parquet(report.file("metrics.parquet"))
    whole = table[(table["group"] == "") & (table["split"] == "test")].set_index("operating_point")
    assert whole.loc["match_area", "iou"] > whole.loc["baseline", "iou"] + 0.1
    assert whole.loc["match_area", "area_ratio"] == pytest.approx(1.0, abs=0.25)
    assert set(table["split"]) == {"test", "validation"}
    assert len(table) == 2 * 3 * (1 + 6)
    assert lake.manifest(PartitionRef("segmentation", "model_evaluation")) is not None


def test_a_wrong_folder_is_refused(make_partition: Partitions, both_products: list[ChipSet], tmp_path: Path) -> None:
    model = load_model(trained(make_partition, both_products, tiny_config()))
    folder = tmp_path / "copy"
    shutil.copytree(model.folder, folder)
    assert content_version(folder) == model.version

    card = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps(card | {"format": 2}))
    with pytest.raises(BadInputError, match="format 2, this minemap reads up to 1"):
        open_model(folder)
    (folder / "model.json").write_text("[1, 2]")
    with pytest.raises(BadInputError, match="not a minemap model card"):
        open_model(folder)
    (folder / "weights.safetensors").unlink()
    with pytest.raises(BadInputError, match=r"it has no weights\.safetensors"):
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


def test_the_rate_warms_up_and_falls_to_zero() -> None:
    config = tiny_config(steps=100, warmup=10)
    rates = [rate(step, config) for step in range(101)]
    assert rates[0] == pytest.approx(1 / 11)
    assert max(rates) == rates[10] == 1.0
    assert rates[100] == pytest.approx(0.0, abs=1e-12)
    assert rate(55, tiny_config(steps=100, warmup=10, decay="linear")) == pytest.approx(0.5)


def test_ignored_pixels_have_no_say_in_the_loss() -> None:
    torch.manual_seed(0)
    logits = torch.randn(2, 2, 4, 4)
    labels = torch.randint(0, 2, (2, 4, 4))
    labels[:, :2] = 255
    changed = logits.clone()
    changed[:, :, :2] += 100.0 * torch.randn(2, 2, 2, 4)
    for dice in (0.0, 1.0):
        config = tiny_config(dice_weight=dice)
        assert torch.isclose(segmentation_loss(logits, labels, config), segmentation_loss(changed, labels, config))
    nothing = torch.full((2, 4, 4), 255)
    assert segmentation_loss(logits, nothing, tiny_config()) == 0.0


def test_dice_by_hand() -> None:
    sure = torch.tensor([[[[-50.0, -50.0]], [[50.0, 50.0]]]])
    labels = torch.tensor([[[1, 0]]])
    # Two predicted, one true, one shared: 1 - (2 * 1 + 1) / (2 + 1 + 1).
    assert soft_dice(sure, labels).item() == pytest.approx(0.25)


def test_the_margin_is_the_difference_of_the_logits() -> None:
    torch.manual_seed(0)
    network = build_network(tiny_config(), 3).eval()
    inputs = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        logits, margin = network(inputs), network.margin(inputs)
    assert logits.shape == (1, 2, 64, 64)
    torch.testing.assert_close(margin, logits[:, 1] - logits[:, 0], atol=1e-5, rtol=1e-5)


def test_settings_that_cannot_work_are_refused() -> None:
    with pytest.raises(ValueError, match="multiple of 32"):
        tiny_config(crop=100)
    with pytest.raises(ValueError, match="multiple of its heads"):
        tiny_config(heads=(3, 1, 2, 2))
    with pytest.raises(ValueError, match="between 0 and 1"):
        tiny_config(operating_point=1.5)
    assert "operating_point" not in tiny_config().training_settings()
    assert tiny_config(operating_point=0.3).mask_settings()["operating_point"] == 0.3
