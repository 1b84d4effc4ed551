"""Checkpoints: training that is killed anywhere ends with the same bytes, and nothing damaged is ever gone on with."""

import pickle
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import torch

from minemap_assets.chips.reader import ChipSet
from minemap_assets.errors import RetryableError
from minemap_assets.lake.lake import Lake, build_partition
from minemap_assets.lake.manifests import Manifest, Outcome, PartitionRef
from minemap_assets.lake.writer import PartitionWriter
from minemap_assets.segmentation import held_out
from minemap_assets.segmentation.config import SegmentationConfig
from minemap_assets.segmentation.learning import ensemble
from minemap_assets.segmentation.learning.checkpoints import (
    NAME,
    Checkpoints,
    State,
    read_state,
    write_state,
)
from minemap_assets.segmentation.training import train_model

from ..conftest import TINY_SEGFORMER, scene, thirds, tiny_config

STEPS = 7
RANDOM = TINY_SEGFORMER | {"steps": STEPS, "dropout": 0.2, "drop_path": 0.2, "depths": (1, 2, 1, 1)}
"""A training with random numbers of torch in every step, validated before, between and after kills."""

MEMBERS = {"steps": STEPS, "dropout": 0.2}
"""Two members side by side, each with random numbers of its own."""

FOLDER = "segmentation/segmentation_model"


class Killed(BaseException):
    """The end of a process, as far as the code in it can tell."""


@dataclass
class Training:
    """Trainings of one model in one lake, where a step takes a minute.

    `told` is the progress of the last one, and `said` are its sentences.
    """

    lake: Lake
    chips: list[ChipSet]
    config: SegmentationConfig
    told: list[int] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def run(self, *, killed_at: int = 0, config: SegmentationConfig | None = None) -> Manifest:
        self.told.clear()
        self.said.clear()
        now = [0.0]

        def progress(done: int, total: int, stage: str = "", detail: str = "") -> None:
            if stage != ensemble.STAGE:
                return
            assert detail.startswith("loss ")
            self.told.append(done)
            now[0] += 60.0
            assert total == STEPS
            if done == killed_at:
                raise Killed

        def build(writer: PartitionWriter) -> Outcome:
            inputs = {"training_chips[x]": "hash"}
            return train_model(
                self.chips,
                chosen,
                writer,
                inputs,
                progress=progress,
                tell=self.hears,
                clock=lambda: now[0],
            )

        chosen = config or self.config
        ref = PartitionRef("segmentation", "segmentation_model")
        settings = chosen.training_settings()
        return build_partition(self.lake, ref, code_version="1", config=settings, inputs={}, build=build)[0]

    def hears(self, sentence: str) -> None:
        if "recipe small" not in sentence:
            self.said.append(sentence)

    def killed(self, step: int) -> None:
        with pytest.raises(Killed):
            self.run(killed_at=step)

    def files(self) -> dict[str, bytes]:
        """All bytes of the partition."""
        root = Path(self.lake.store.root) / FOLDER
        return {p.relative_to(root).as_posix(): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}

    def checkpoints(self) -> list[Path]:
        return sorted((Path(self.lake.store.root) / FOLDER).glob("checkpoint*"))

    def put(self, data: bytes) -> None:
        """Have a checkpoint of other bytes, which is what its name in the lake says."""
        (place,) = self.checkpoints()
        start = place.stem.rsplit("-", 1)[0]
        place.rename(place.with_name(f"{start}-{sha256(data).hexdigest()[:12]}{place.suffix}")).write_bytes(data)


@pytest.fixture
def start(tmp_path: Path, chip_set: Callable[..., ChipSet], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Training]:
    """A training in a lake of its own, its checkpoints so many minutes, or steps, apart."""
    monkeypatch.setattr(ensemble, "ROUND", 1)
    chips = [
        chip_set([scene(i) for i in range(8)], split_of=thirds),
        chip_set([scene(i, gain=0.7) for i in range(8)], product="sentinel-2-l2a", split_of=thirds),
    ]

    def make(name: str, minutes: float = 1.0, settings: dict[str, Any] = RANDOM) -> Training:
        folder = tmp_path / name
        config = tiny_config(**settings, checkpoint_minutes=minutes)
        return Training(Lake.local(folder / "lake", folder / "state"), chips, config)

    return make


def undisturbed(start: Callable[..., Training], settings: dict[str, Any] = RANDOM) -> dict[str, bytes]:
    training = start("undisturbed", 0.0, settings)
    training.run()
    assert training.told == list(range(1, STEPS + 1))
    files = training.files()
    weights = {"weights-0.safetensors"} if settings is RANDOM else {"weights-0.safetensors", "weights-1.safetensors"}
    assert {Path(name).name for name in files} == {
        "config.json",
        "model.json",
        "training_log.parquet",
        "manifest.json",
    } | weights
    return files


@pytest.mark.parametrize(("minutes", "saved"), [(1.0, [0, 2, 3, 4, 5, 6, 7]), (3.0, [0, 0, 0, 4, 4, 4, 7])])
def test_killed_at_any_step_it_ends_with_the_same_bytes(
    start: Callable[..., Training], minutes: float, saved: list[int]
) -> None:
    """`saved` is the step of the last checkpoint before the kill in step 1, 2 and so on."""
    expected = undisturbed(start)
    for step in range(1, STEPS + 1):
        training = start(f"killed-{step}", minutes)
        training.killed(step)
        assert len(training.checkpoints()) == (saved[step - 1] > 0)
        training.run()
        first = saved[step - 1]
        assert training.told == ([first] if first else []) + list(range(first + 1, STEPS + 1))
        assert training.said == ([f"segmentation_model: training goes on from step {first} of 7"] if first else [])
        assert training.files() == expected


def test_members_that_learn_side_by_side_go_on_with_the_same_bytes(start: Callable[..., Training]) -> None:
    """However many threads there are, and wherever the kill comes."""
    expected = undisturbed(start, MEMBERS)
    for step in (1, 3, 6):
        training = start(f"killed-{step}", 1.0, MEMBERS)
        training.killed(step)
        training.run()
        assert training.files() == expected


def test_threads_change_nothing(start: Callable[..., Training], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ensemble, "ROUND", 3)
    found = []
    for cores in (1, 2, 5):
        monkeypatch.setattr(ensemble, "side_by_side", lambda count, cores=cores: min(count, cores))
        training = start(f"cores-{cores}", 0.0, MEMBERS)
        training.run()
        found.append(training.files())
    assert found[0] == found[1] == found[2]


def test_killed_in_every_step_one_after_the_other_it_comes_to_its_end(start: Callable[..., Training]) -> None:
    expected = undisturbed(start)
    training = start("often")
    training.killed(2)
    for step in range(3, STEPS + 1):
        training.killed(step)
        assert training.told == [step - 1, step]
    training.run()
    assert training.told == [STEPS]
    assert training.files() == expected


def test_the_best_score_is_remembered_though_the_best_weights_are_others(
    start: Callable[..., Training], monkeypatch: pytest.MonkeyPatch
) -> None:
    """0.497 is as good as 0.5 and later; 0.494 is not, and would be, were 0.497 the highest ever seen."""

    def scored(*scores: float) -> None:
        left = list(scores)
        monkeypatch.setattr(held_out.HeldOut, "judge", lambda *_: left.pop(0))

    scored(0.5, 0.497, 0.494)
    expected = undisturbed(start)
    assert b'"best_step": 6' in next(data for name, data in expected.items() if name.endswith("model.json"))
    training = start("killed")
    scored(0.5, 0.497)
    training.killed(6)
    scored(0.494)
    training.run()
    assert training.files() == expected


def test_a_kill_after_the_last_step_costs_no_step(
    start: Callable[..., Training], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = undisturbed(start)
    training = start("calibration", 0.5)

    def kill(*_: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(held_out, "calibrated", kill)
        training.killed(0)
    training.run()
    assert training.told == [STEPS]
    assert training.files() == expected


def damages(data: bytes) -> dict[str, bytes]:
    first, facts, tensors = data.split(b"\n", 2)

    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return (pytest.fail, ("a pickle was loaded",))

    return {
        "a bit of the checksum": first[:-1] + bytes([first[-1] ^ 1]) + b"\n" + facts + b"\n" + tensors,
        "another format": data.replace(b"minemap state 1 ", b"minemap state 9 ", 1),
        "a bit of the facts": first + b"\n" + facts.replace(b'"highest": 0', b'"highest": 1') + b"\n" + tensors,
        "a bit of the tensors": data[:-1] + bytes([data[-1] ^ 1]),
        "cut short": data[:-100],
        "more at the end": data + b"\0",
        "nothing": b"",
        "no line": b"\0" * 1000,
        "a pickle": pickle.dumps(Bomb()),
    }


def test_a_damaged_checkpoint_is_noted_and_not_used(start: Callable[..., Training]) -> None:
    """Damaged in the lake, which knows the bytes it was given, or before it came there."""
    expected = undisturbed(start)
    training = start("damaged")
    training.killed(5)
    (place,) = training.checkpoints()
    whole = place.read_bytes()
    wrong = damages(whole)
    assert len({*wrong.values(), whole}) == len(wrong) + 1
    for what, data in wrong.items():
        training.put(whole)
        (place,) = training.checkpoints()
        place.write_bytes(data)
        training.killed(1)
        assert training.told == [1], what
        training.put(data)
        training.killed(1)
        assert training.told == [1], what
        assert training.said == [
            "segmentation_model: the checkpoint of an earlier run is damaged and is not used; this run starts from the "
            "beginning"
        ]
    training.run()
    assert training.told == list(range(1, STEPS + 1))
    assert training.files() == expected


def test_a_state_of_something_else_is_noted_and_leaves_no_trace(start: Callable[..., Training], tmp_path: Path) -> None:
    """Whole by its checksum, and half of it fits: what was taken over of it is given up again."""
    expected = undisturbed(start)
    training = start("other")
    training.killed(5)
    (place,) = training.checkpoints()
    state, path = read_state(place), tmp_path / "x.state"
    assert state is not None
    for tensors, facts in (
        ({n: v for n, v in state.tensors.items() if not n.endswith("classifier.bias")}, state.facts),
        ({n: v for n, v in state.tensors.items() if n != "random"}, state.facts),
        (
            state.tensors,
            {"members": [{n: v for n, v in one.items() if n != "schedule"} for one in state.facts["members"]]},
        ),
        (dict(state.tensors) | {"0.optimizer.x.y": torch.zeros(1)}, state.facts),
        ({}, {}),
    ):
        write_state(State(tensors, facts), path)
        training.put(path.read_bytes())
        training.killed(1)
        assert training.told == [1]
        assert "is of another network and is not used" in training.said[0]
    training.run()
    assert training.files() == expected


def test_other_settings_do_not_find_it_and_the_commit_clears_it(start: Callable[..., Training]) -> None:
    training = start("changed")
    training.killed(5)
    (before,) = training.checkpoints()
    other = tiny_config(**RANDOM, checkpoint_minutes=1.0, learning_rate=1e-4)
    training.run(config=other)
    assert training.told == list(range(1, STEPS + 1))
    assert not before.exists()
    assert not training.checkpoints()


def test_how_often_is_kept_changes_nothing_else(start: Callable[..., Training]) -> None:
    """A checkpoint is found with another distance, and a finished model stays current."""
    assert "checkpoint_minutes" not in tiny_config().training_settings()
    expected = undisturbed(start)
    training = start("kept")
    training.killed(5)
    manifest = training.run(config=tiny_config(**RANDOM, checkpoint_minutes=0.0))
    assert training.told[0] == 5
    assert training.files() == expected
    assert training.run() == manifest
    assert not training.told


def test_another_torch_or_device_does_not_go_on(lake: Lake) -> None:
    with lake.writer(PartitionRef("segmentation", "x"), "f" * 64) as writer:
        keep(writer, State({"a": torch.ones(2)}, {}), device="cpu")
    with lake.writer(PartitionRef("segmentation", "x"), "f" * 64) as writer:
        assert Checkpoints(writer, 1.0, about={"device": "cpu"}).latest() is not None
        assert Checkpoints(writer, 1.0, about={"device": "cuda"}).latest() is None
    with lake.writer(PartitionRef("segmentation", "x"), "e" * 64) as writer:
        assert Checkpoints(writer, 1.0, about={"device": "cpu"}).latest() is None


def keep(writer: PartitionWriter, state: State, **about: str) -> None:
    now = [0.0]
    checkpoints = Checkpoints(writer, 1.0, about=about, clock=lambda: now[0])
    now[0] += 60.0
    checkpoints.save_if_due(lambda: state)


def test_writing_costs_less_than_a_twentieth(lake: Lake) -> None:
    """A state that takes a minute to write is written every twenty minutes, however often is asked for."""
    now, made = [0.0], []

    def make() -> State:
        made.append(now[0])
        now[0] += 60.0
        return State({}, {})

    with lake.writer(PartitionRef("segmentation", "x"), "f" * 64) as writer:
        checkpoints = Checkpoints(writer, 1.0, about={}, clock=lambda: now[0])
        while now[0] < 4000.0:
            checkpoints.save_if_due(make)
            now[0] += 10.0
    assert made == [60.0, 1320.0, 2580.0, 3840.0]


def test_a_lake_out_of_reach_costs_a_checkpoint_and_not_the_training(
    start: Callable[..., Training], monkeypatch: pytest.MonkeyPatch
) -> None:
    training = start("away")
    add = PartitionWriter.add

    def broken(self: PartitionWriter, name: str, *, content_key: str | None = None) -> None:
        if name == NAME:
            raise RetryableError("s3://bucket/x could not be reached")
        add(self, name, content_key=content_key)

    with monkeypatch.context() as patch:
        patch.setattr(PartitionWriter, "add", broken)
        training.run()
    assert "the work goes on without (s3://bucket/x could not be reached)" in training.said[0]
    assert training.files() == undisturbed(start)
