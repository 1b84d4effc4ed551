"""Promotion: only a person's decision changes the model in use, and no damage makes it another one."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from dagster_project.first_promotion import adopt_promotion, promote_first
from minemap_assets.chips.reader import ChipSet
from minemap_assets.errors import BadInputError
from minemap_assets.lake.lake import Lake
from minemap_assets.lake.manifests import DamagedError, Outcome
from minemap_assets.lake.partitions import Partition
from minemap_assets.lake.writer import PartitionWriter
from minemap_assets.project.project import Project
from minemap_assets.segmentation.artefact import load_model
from minemap_assets.segmentation.assets import PROMOTED_MODEL, SEGMENTATION_MODEL
from minemap_assets.segmentation.promotion import (
    MODELS_FOLDER,
    PROMOTION_PATH,
    find_model,
    kept_versions,
    promote,
    promoted_version,
    promotions,
)
from minemap_assets.segmentation.training import train_model
from projects import is_current, make, project_at

from .conftest import scene, thirds, tiny_config

Partitions = Callable[..., Partition]
Train = Callable[[int], str]


@pytest.fixture
def train(make_partition: Partitions, chip_set: Callable[..., ChipSet]) -> Train:
    """Trains a model from a seed and returns its version."""
    chips = chip_set([scene(i) for i in range(4)], split_of=thirds)

    def trained(seed: int) -> str:
        config = tiny_config(seed=seed, steps=1, warmup=0)

        def build(writer: PartitionWriter) -> Outcome:
            return train_model([chips], config, writer, {})

        part = make_partition("segmentation", "segmentation_model", build=build, config=seed)
        return load_model(part).version

    return trained


def project_of(lake: Lake) -> Project:
    return project_at(Path(lake.store.root), lake.state)


def latest(lake: Lake) -> Partition:
    return lake.open(SEGMENTATION_MODEL.ref())


def in_use(lake: Lake) -> str:
    make(project_of(lake), PROMOTED_MODEL)
    return load_model(lake.open(PROMOTED_MODEL.ref())).version


def file_of(lake: Lake, partition: Partition, name: str) -> Path:
    (path,) = (f.path for f in partition.manifest.files if f.name == name)
    return Path(lake.store.root) / partition.manifest.ref.prefix / path


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_no_model_is_in_use_before_somebody_says_so(lake: Lake, train: Train) -> None:
    train(1)
    with pytest.raises(BadInputError, match="no model is in use yet"):
        make(project_of(lake), PROMOTED_MODEL)


def test_the_first_trained_model_is_used_and_no_later_one_unasked(lake: Lake, train: Train) -> None:
    first = train(1)
    assert "is the project's first" in str(promote_first(project_of(lake), [PROMOTED_MODEL]))
    assert in_use(lake) == first
    second = train(2)
    assert second != first
    assert promote_first(project_of(lake), [PROMOTED_MODEL]) is None
    assert is_current(project_of(lake), PROMOTED_MODEL)
    assert in_use(lake) == first
    promote(project_of(lake), load_model(latest(lake)), "Ada", "sees ponds")
    assert in_use(lake) == second
    assert lake.open(PROMOTED_MODEL.ref()).manifest.summary["promoted_by"] == "Ada"
    assert [(p.version, p.by, p.note) for p in promotions(project_of(lake))][1] == (second, "Ada", "sees ponds")


@pytest.mark.parametrize("name", ["model/weights.safetensors", "model/model.json", "model/config.json"])
def test_damage_to_the_model_in_use_brings_the_same_model_back(lake: Lake, train: Train, name: str) -> None:
    first = train(1)
    promote(project_of(lake), load_model(latest(lake)), "Ada")
    assert in_use(lake) == first
    train(2)
    flip(file_of(lake, lake.open(PROMOTED_MODEL.ref()), name))
    assert not is_current(project_of(lake), PROMOTED_MODEL)
    assert in_use(lake) == first
    file_of(lake, lake.open(PROMOTED_MODEL.ref()), name).unlink()
    assert not is_current(project_of(lake), PROMOTED_MODEL)
    assert in_use(lake) == first


def test_a_damaged_copy_among_the_inputs_is_kept_again_from_the_model_in_use(lake: Lake, train: Train) -> None:
    version = train(1)
    promote(project_of(lake), load_model(latest(lake)), "Ada")
    assert in_use(lake) == version
    train(2)
    kept = Path(lake.store.root) / MODELS_FOLDER / version / "weights.safetensors"
    whole = kept.read_bytes()
    flip(kept)
    assert not is_current(project_of(lake), PROMOTED_MODEL)
    assert in_use(lake) == version
    assert kept.read_bytes() == whole
    assert is_current(project_of(lake), PROMOTED_MODEL)

    flip(kept)
    flip(file_of(lake, lake.open(PROMOTED_MODEL.ref()), "model/model.json"))
    with pytest.raises(BadInputError, match=f"the model in use, {version[:12]}, is damaged or gone"):
        in_use(lake)
    kept.write_bytes(whole)
    assert in_use(lake) == version


def test_a_trained_model_that_differs_from_its_hash_is_never_promoted(lake: Lake, train: Train, tmp_path: Path) -> None:
    train(1)
    flip(file_of(lake, latest(lake), "model/weights.safetensors"))
    with pytest.raises(DamagedError, match=r"weights\.safetensors is damaged"):
        find_model(lake, "", SEGMENTATION_MODEL.ref(), tmp_path)
    assert kept_versions(lake.store) == []


def test_an_earlier_model_can_be_put_in_use_again_by_the_start_of_its_version(
    lake: Lake, train: Train, tmp_path: Path
) -> None:
    first = train(1)
    promote(project_of(lake), load_model(latest(lake)), "Ada")
    train(2)
    promote(project_of(lake), load_model(latest(lake)), "Ada")
    found = find_model(lake, first[:8], SEGMENTATION_MODEL.ref(), tmp_path)
    assert found is not None
    promote(project_of(lake), found, "Ben")
    assert in_use(lake) == first
    assert find_model(lake, "none", SEGMENTATION_MODEL.ref(), tmp_path) is None
    lake.store.delete(f"{SEGMENTATION_MODEL.ref().prefix}/manifest.json")
    with pytest.raises(BadInputError, match="2 models begin with"):
        find_model(lake, "", SEGMENTATION_MODEL.ref(), tmp_path)


def test_a_lost_record_is_an_error_and_not_a_project_without_a_model(lake: Lake, train: Train) -> None:
    train(1)
    project = project_of(lake)
    promote_first(project, [PROMOTED_MODEL])
    project.record_inputs()
    lake.store.delete(PROMOTION_PATH)
    for ask in (promoted_version, lambda p: promote_first(p, [PROMOTED_MODEL])):
        with pytest.raises(BadInputError, match=r"promotion\.json.*minemap inputs restore"):
            ask(project_of(lake))


def test_a_damaged_record_is_told_by_name(lake: Lake, train: Train) -> None:
    train(1)
    promote_first(project_of(lake), [PROMOTED_MODEL])
    lake.store.write_bytes(PROMOTION_PATH, b"{")
    with pytest.raises(BadInputError, match=r"promotion\.json, which says which model is in use, cannot be read"):
        promoted_version(project_of(lake))


def test_the_model_that_an_earlier_minemap_promoted_stays_in_use(
    lake: Lake, train: Train, make_partition: Partitions
) -> None:
    first = train(1)
    source = load_model(latest(lake)).folder

    def copied(writer: PartitionWriter) -> Outcome:
        folder = writer.path("model")
        folder.mkdir()
        for path in source.iterdir():
            (folder / path.name).write_bytes(path.read_bytes())
        writer.add("model")
        return Outcome({"version": first})

    make_partition("segmentation", "promoted_model", build=copied)
    train(2)
    adopt_promotion(project_of(lake), [PROMOTED_MODEL])
    assert in_use(lake) == first
    assert json.loads(lake.store.read_bytes(PROMOTION_PATH))["promotions"][0]["by"] == "unknown"


def test_a_model_of_an_earlier_minemap_that_is_damaged_is_not_replaced_by_a_guess(
    lake: Lake, train: Train, make_partition: Partitions
) -> None:
    train(1)

    def copied(writer: PartitionWriter) -> Outcome:
        writer.path("model/weights.safetensors").write_bytes(b"old weights")
        writer.add("model")
        return Outcome({"version": "1234"})

    part = make_partition("segmentation", "promoted_model", build=copied)
    flip(file_of(lake, part, "model/weights.safetensors"))
    with pytest.raises(BadInputError, match="nothing else tells which one that was"):
        adopt_promotion(project_of(lake), [PROMOTED_MODEL])
