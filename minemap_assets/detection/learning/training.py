"""Training an ensemble of patch networks, each judged on the places that it has not seen. Imports torch: import it
late.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import torch

from minemap_assets.detection.learning.labelled_chips import LabelledChips, drawn, folds
from minemap_assets.detection.learning.patch_learner import PatchLearner, margins
from minemap_assets.detection.learning.patch_recipe import PatchRecipe
from minemap_assets.detection.networks.patch_networks import EncoderNetwork
from minemap_assets.detection.networks.shapes import PIXELS, EncoderShape
from minemap_assets.imagery.products import product
from minemap_assets.project.listener import Progress, no_progress
from minemap_assets.segmentation.calibration import Calibration, fit
from minemap_assets.segmentation.devices import side_by_side
from minemap_assets.segmentation.learning.checkpoints import Checkpoints, State, part, under
from minemap_assets.segmentation.learning.ensemble import MEMBER_SEED, ROUND, STAGE, reproducible

_UNFIT = (KeyError, RuntimeError, TypeError, ValueError)


@dataclass(frozen=True, eq=False)
class TrainedPatches:
    """The members, and the log-odds (chip) of each chip by the member that had not seen its place."""

    networks: tuple[EncoderNetwork, ...]
    margins: npt.NDArray[np.float32]
    fold: npt.NDArray[np.int64]

    def calibration(self, mine: npt.NDArray[np.bool_]) -> Calibration:
        """What turns log-odds into probabilities, by ground that was not trained on."""
        return fit(self.margins, mine)


def train(
    chips: LabelledChips,
    recipe: PatchRecipe,
    seed: int,
    threads: int = 1,
    checkpoints: Checkpoints | None = None,
    progress: Progress = no_progress,
) -> TrainedPatches:
    """Train a member for each fold of the places; the same chips, recipe and seed give the same bytes on a CPU.

    Raises `BadInputError` where a class, or a second place with mines, is missing.
    """
    fold = folds(chips, recipe.members)
    shape = _shape(chips, recipe)
    with reproducible(seed, threads):
        learners = [_learner(chips, fold, number, shape, recipe, seed) for number in range(int(fold.max()) + 1)]
        _go_on(learners, checkpoints)
        workers = side_by_side(len(learners))
        with ThreadPoolExecutor(workers, "patch learner", torch.set_num_threads, (threads,)) as pool:
            while (done := learners[0].step) < recipe.steps:
                until = min(done + ROUND, recipe.steps)
                list(pool.map(partial(_advance, until), learners))
                if checkpoints is not None:
                    checkpoints.save_if_due(lambda: _state(learners))
                progress(until, recipe.steps, STAGE, f"loss {learners[0].losses[-1]:.3f}")
        return _judged(chips, fold, [learner.averaged for learner in learners])


def _advance(until: int, learner: PatchLearner) -> None:
    while learner.step < until:
        learner.learn()


def _learner(
    chips: LabelledChips,
    fold: npt.NDArray[np.int64],
    number: int,
    shape: EncoderShape,
    recipe: PatchRecipe,
    seed: int,
) -> PatchLearner:
    own = seed + MEMBER_SEED * number
    torch.manual_seed(own)
    network = EncoderNetwork(shape)
    if recipe.initial:
        from minemap_assets.segmentation.networks.initial import take_lite0

        take_lite0(network.encoder, chips.bands)
    taught = chips.of(drawn(chips.mine, np.flatnonzero(fold != number), own))
    return PatchLearner(network, taught, product(chips.product), recipe, own)


def _shape(chips: LabelledChips, recipe: PatchRecipe) -> EncoderShape:
    """The network, with the mean and spread of what was observed in each band."""
    physical = product(chips.product).encoding.physical(chips.pixels)
    mean = np.asarray(np.nanmean(physical, axis=(0, 2, 3), dtype=np.float64))
    spread = np.asarray(np.nanstd(physical, axis=(0, 2, 3), dtype=np.float64))
    return EncoderShape(
        pixels=min(PIXELS, chips.pixels.shape[-1]),
        bands=len(chips.bands),
        levels=recipe.levels,
        enlarge=recipe.enlarge,
        dropout=recipe.dropout,
        mean=tuple(round(float(value), 6) for value in mean),
        spread=tuple(round(max(float(value), 1e-4), 6) for value in spread),
    )


def _judged(chips: LabelledChips, fold: npt.NDArray[np.int64], networks: Sequence[EncoderNetwork]) -> TrainedPatches:
    found = np.zeros(len(chips), np.float32)
    for number, network in enumerate(networks):
        unseen = np.flatnonzero(fold == number)
        found[unseen] = margins(network, chips.of(unseen), product(chips.product), network.shape.pixels)
    return TrainedPatches(tuple(networks), found, fold)


def _state(learners: Sequence[PatchLearner]) -> State:
    states = [learner.state() for learner in learners]
    tensors: dict[str, torch.Tensor] = {}
    for number, state in enumerate(states):
        tensors |= under(str(number), state.tensors)
    return State(tensors, {"members": [dict(state.facts) for state in states]})


def _go_on(learners: Sequence[PatchLearner], checkpoints: Checkpoints | None) -> None:
    """Bring the learners to where an earlier run left them; where that does not fit, they stay at the beginning."""
    state = None if checkpoints is None else checkpoints.latest()
    if state is None or checkpoints is None:
        return
    untouched = _state(learners)
    try:
        _restore(learners, state)
    except _UNFIT:
        checkpoints.refuse("is of another network")
        _restore(learners, untouched)
        return
    checkpoints.note(f"training goes on from step {learners[0].step}")


def _restore(learners: Sequence[PatchLearner], state: State) -> None:
    facts = state.facts["members"]
    if len(facts) != len(learners):
        raise ValueError("the state has another number of members")
    for number, (learner, about) in enumerate(zip(learners, facts, strict=True)):
        learner.restore(State(part(str(number), state.tensors), about))
