"""Promotion: only a person's decision changes the model in use, and no damage makes it another one."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from dagster_project.first_promotion import Passage, adopt_promotion, not_in_use, promote_first
from minemap_assets.errors import BadInputError
from minemap_assets.lake.lake import Lake
from minemap_assets.lake.manifests import DamagedError, Outcome
from minemap_assets.lake.partitions import Partition
from minemap_assets.lake.writer import PartitionWriter
from minemap_assets.project.project import Project
from minemap_assets.segmentation import promotion
from minemap_assets.segmentation.artefact import load_model
from minemap_assets.segmentation.assets import PROMOTED_MODEL, SEGMENTATION_MODEL
from minemap_assets.segmentation.promotion import (
    MODELS_FOLDER,
    NONE_IN_USE,
    NOT_RECORDED,
    PROMOTION_PATH,
    find_model,
    kept_versions,
    mark_of,
    promote,
    promoted_version,
    promotions,
    verdict_on,
)
from minemap_assets.segmentation.verdict import Grade, Verdict
from models import write_model
from projects import is_current, make, project_at

Partitions = Callable[..., Partition]
Train = Callable[[int], str]
Judge = Callable[[str, Grade], None]


@pytest.fixture
def train(make_partition: Partitions) -> Train:
    """Publishes a model of random weights from a seed, as if it had been trained, and returns its version."""

    def trained(seed: int) -> str:
        def build(writer: PartitionWriter) -> Outcome:
            version = write_model(writer.path("model"), seed)
            writer.add("model")
            return Outcome({"version": version})

        return load_model(make_partition("segmentation", "segmentation_model", build=build, config=seed)).version

    return trained


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> Judge:
    """Has a model scored by hand, as an evaluation would."""

    def judge(version: str, grade: Grade) -> None:
        monkeypatch.setattr(promotion, "verdict_of", lambda _: Verdict(grade, "on 5 places, IoU 0.61", version))

    return judge


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


def first(lake: Lake, *, anyway: bool = False) -> Passage | None:
    return promote_first(project_of(lake), [PROMOTED_MODEL], anyway=anyway)


def test_the_first_usable_model_is_used_and_no_later_one_unasked(lake: Lake, train: Train, judged: Judge) -> None:
    version = train(1)
    judged(version, Grade.USABLE)
    passage = first(lake)
    assert passage is not None
    assert passage.open
    assert "is the project's first" in passage.sentence
    assert in_use(lake) == version
    second = train(2)
    assert second != version
    judged(second, Grade.USABLE)
    assert first(lake) is first(lake, anyway=True) is None
    assert is_current(project_of(lake), PROMOTED_MODEL)
    assert in_use(lake) == version
    promote(project_of(lake), load_model(latest(lake)), "Ada", "sees ponds")
    assert in_use(lake) == second
    assert lake.open(PROMOTED_MODEL.ref()).manifest.summary["promoted_by"] == "Ada"
    assert [(p.version, p.by, p.note) for p in promotions(project_of(lake))][1] == (second, "Ada", "sees ponds")


@pytest.mark.parametrize("grade", [Grade.WEAK, Grade.NO_BETTER, Grade.UNKNOWN])
def test_a_first_model_that_is_not_usable_stops_the_run_unless_told_otherwise(
    lake: Lake, train: Train, judged: Judge, grade: Grade
) -> None:
    version = train(1)
    judged(version, grade)
    passage = first(lake)
    assert passage is not None
    assert not passage.open
    assert str(grade) in passage.sentence
    assert "--promote-anyway" in passage.sentence
    assert promotions(project_of(lake)) == ()
    assert mark_of(project_of(lake)) == NONE_IN_USE
    passage = first(lake, anyway=True)
    assert passage is not None
    assert passage.open
    (decision,) = promotions(project_of(lake))
    assert (decision.version, decision.verdict, decision.sentence) == (version, str(grade), "on 5 places, IoU 0.61")
    assert f"--promote-anyway though its verdict was: {grade}" in decision.note
    assert mark_of(project_of(lake)) == str(grade)


def test_scores_of_another_model_open_no_gate(lake: Lake, train: Train, judged: Judge) -> None:
    judged("0" * 64, Grade.USABLE)
    version = train(1)
    passage = first(lake)
    assert passage is not None
    assert not passage.open
    verdict = verdict_on(project_of(lake), version)
    assert verdict.grade is Grade.UNKNOWN
    assert "has not been scored" in verdict.sentence


def test_nothing_is_decided_without_a_model_or_need_of_one(lake: Lake, train: Train) -> None:
    assert first(lake, anyway=True) is None
    train(1)
    assert promote_first(project_of(lake), [SEGMENTATION_MODEL], anyway=True) is None


def test_a_model_in_use_that_was_scored_since_is_written_down_anew(lake: Lake, train: Train, judged: Judge) -> None:
    version = train(1)
    promote(project_of(lake), load_model(latest(lake)), "Ada")
    assert mark_of(project_of(lake)) == "cannot be judged"
    promote(project_of(lake), load_model(latest(lake)), "Ada")
    assert len(promotions(project_of(lake))) == 1
    judged(version, Grade.WEAK)
    promote(project_of(lake), load_model(latest(lake)), "Ada")
    assert [p.verdict for p in promotions(project_of(lake))] == ["cannot be judged", "weak"]


def test_a_model_that_comes_back_has_the_verdict_it_had(
    lake: Lake, train: Train, judged: Judge, tmp_path: Path
) -> None:
    version = train(1)
    judged(version, Grade.USABLE)
    first(lake)
    second = train(2)
    judged(second, Grade.WEAK)
    promote(project_of(lake), load_model(latest(lake)), "Ada")
    said = not_in_use(project_of(lake))
    assert said is None
    found = find_model(lake, version, SEGMENTATION_MODEL.ref(), tmp_path)
    assert found is not None
    promote(project_of(lake), found, "Ben")
    assert [p.verdict for p in promotions(project_of(lake))] == ["usable", "weak", "usable"]
    said = not_in_use(project_of(lake))
    assert said is not None
    assert f"made with model {version[:12]} (verdict: usable), and not with {second[:12]}" in said
    assert "(verdict: weak)" in said


def test_decisions_of_an_earlier_minemap_have_no_verdict(lake: Lake, train: Train) -> None:
    old = {"version": train(1), "by": "Ada", "at": "2025-01-01T00:00:00+00:00", "note": ""}
    lake.store.write_bytes(PROMOTION_PATH, json.dumps({"promotions": [old]}).encode())
    assert mark_of(project_of(lake)) == NOT_RECORDED
    assert verdict_on(project_of(lake), old["version"]).grade is Grade.UNKNOWN


@pytest.mark.parametrize("name", ["model/weights-0.safetensors", "model/model.json", "model/config.json"])
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
    kept = Path(lake.store.root) / MODELS_FOLDER / version / "weights-0.safetensors"
    whole = kept.read_bytes()
    flip(kept)
    assert not is_current(project_of(lake), PROMOTED_MODEL)
    assert in_use(lake) == version
    assert kept.read_bytes() == whole
    assert is_current(project_of(lake), PROMOTED_MODEL)

    kept.unlink()
    assert not is_current(project_of(lake), PROMOTED_MODEL)
    assert in_use(lake) == version
    assert kept.read_bytes() == whole

    flip(kept)
    flip(file_of(lake, lake.open(PROMOTED_MODEL.ref()), "model/model.json"))
    with pytest.raises(BadInputError, match=f"the model in use, {version[:12]}, is damaged or gone"):
        in_use(lake)
    kept.write_bytes(whole)
    assert in_use(lake) == version


def test_a_trained_model_that_differs_from_its_hash_is_never_promoted(lake: Lake, train: Train, tmp_path: Path) -> None:
    train(1)
    flip(file_of(lake, latest(lake), "model/weights-0.safetensors"))
    with pytest.raises(DamagedError, match=r"weights-0\.safetensors is damaged"):
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
    promote_first(project, [PROMOTED_MODEL], anyway=True)
    project.record_inputs()
    lake.store.delete(PROMOTION_PATH)
    for ask in (promoted_version, lambda p: promote_first(p, [PROMOTED_MODEL])):
        with pytest.raises(BadInputError, match=r"promotion\.json.*minemap inputs restore"):
            ask(project_of(lake))


def test_a_damaged_record_is_told_by_name(lake: Lake, train: Train) -> None:
    train(1)
    first(lake, anyway=True)
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
        writer.path("model/weights-0.safetensors").write_bytes(b"old weights")
        writer.add("model")
        return Outcome({"version": "1234"})

    part = make_partition("segmentation", "promoted_model", build=copied)
    flip(file_of(lake, part, "model/weights-0.safetensors"))
    with pytest.raises(BadInputError, match="nothing else tells which one that was"):
        adopt_promotion(project_of(lake), [PROMOTED_MODEL])
