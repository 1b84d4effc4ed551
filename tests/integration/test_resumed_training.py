"""A run that is killed while it trains goes on from its last checkpoint, to the model of an undisturbed one."""

import shutil
import signal
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from commands import DEMO, Command, command
from minemap_assets.lake.manifests import PartitionRef
from minemap_assets.segmentation.config import SegmentationConfig
from minemap_assets.segmentation.learning.checkpoints import read_state
from tiny import Chain

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.chaos]

MODEL = PartitionRef("segmentation", "segmentation_model")


def place(chain: Chain) -> Path:
    return chain.folder / "lake" / MODEL.prefix


def kept_step(chain: Chain) -> int:
    """The step of the last checkpoint in the lake; 0 where there is none."""
    steps = [0]
    for path in place(chain).glob("checkpoint*"):
        with suppress(FileNotFoundError):  # the next one takes its place
            state = read_state(path)
            assert state is not None, "a checkpoint is whole at any moment"
            steps.append(len(state.tensors["0.log"]))
    return max(steps)


def keeps(chain: Chain, least: int) -> bool:
    return kept_step(chain) >= least


@pytest.fixture
def untrained(finished: Chain, tmp_path: Path) -> Chain:
    """All but the model, which will keep checkpoints as often as it can."""
    chain = finished.copied(tmp_path / "copy")
    chain.change("[segmentation]", "[segmentation]\ncheckpoint_minutes = 0.001")
    shutil.rmtree(place(chain))
    return chain


def test_killed_in_training_it_goes_on_from_the_checkpoint(finished: Chain, untrained: Chain) -> None:
    chain, steps = untrained, untrained.project.section(SegmentationConfig).steps
    reached = 0
    for _ in range(2):  # so the second kill is in a training that itself went on
        training = Command(chain, *DEMO)
        assert training.wait_for(partial(keeps, chain, reached + 1)), training.end().text
        end = training.end(signal.SIGKILL)
        assert end.code == -signal.SIGKILL
        assert chain.project.lake.manifest(MODEL) is None
        assert (f"goes on from step {reached} of {steps}" in end.text) == (reached > 0), end.text
        before, reached = reached, kept_step(chain)
        assert before < reached < steps

    end = command(chain, *DEMO)
    assert end.code == 0, end.text
    assert f"segmentation_model: training goes on from step {reached} of {steps}" in end.text
    assert [made.split(": ")[1] for made in end.said("made")] == ["segmentation_model"]
    assert chain.contents() == finished.contents()
    assert not list(place(chain).rglob("*checkpoint*"))
    assert chain.project.lake.manifest(MODEL) == finished.project.lake.manifest(MODEL)


def test_a_damaged_checkpoint_costs_the_steps_and_nothing_else(finished: Chain, untrained: Chain) -> None:
    training = Command(untrained, *DEMO)
    assert training.wait_for(partial(keeps, untrained, 1)), training.end().text
    training.end(signal.SIGKILL)
    (checkpoint,) = place(untrained).glob("checkpoint*")
    data = bytearray(checkpoint.read_bytes())
    data[len(data) // 2] ^= 1
    checkpoint.write_bytes(data)

    end = command(untrained, *DEMO)
    assert end.code == 0, end.text
    assert "goes on from step" not in end.text
    assert "Traceback" not in end.text
    assert untrained.contents() == finished.contents()
