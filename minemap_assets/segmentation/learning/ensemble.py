"""The ensemble: members that learn side by side, a step at a time. Imports torch: import it late."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from minemap_assets.project.listener import Progress
from minemap_assets.segmentation.config import SegmentationConfig
from minemap_assets.segmentation.devices import choose_devices, choose_precision, side_by_side
from minemap_assets.segmentation.learning.checkpoints import Checkpoints, State, part, under
from minemap_assets.segmentation.learning.crops import CropSampler, CropSource, class_weights
from minemap_assets.segmentation.learning.folds import Member
from minemap_assets.segmentation.learning.learner import Learner, Trained
from minemap_assets.segmentation.learning.losses import LossRule
from minemap_assets.segmentation.networks.files import build
from minemap_assets.segmentation.networks.initial import start_from
from minemap_assets.segmentation.networks.interface import MineNetwork
from minemap_assets.segmentation.normalisation import Normalisation
from minemap_assets.segmentation.recipes import Recipe

STAGE = "training step"
"""What progress calls the steps."""

ROUND = 4
"""Steps after which the members wait for each other: then the state can be kept."""

MEMBER_SEED = 1_000
"""How far apart the seeds of members are."""

Judge = Callable[[MineNetwork], float]


@dataclass(frozen=True)
class Ensemble:
    """Trained members, and what is to be said of the weights they started from."""

    trained: tuple[Trained, ...]
    licence: str


@contextmanager
def reproducible(seed: int, threads: int) -> Iterator[None]:
    """Deterministic algorithms, a seed and a number of threads; torch is as before afterwards."""
    before = (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled())
    warned = torch.is_deterministic_algorithms_warn_only_enabled()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(True, warn_only=True)
        try:
            yield
        finally:
            torch.set_num_threads(before[0])
            torch.use_deterministic_algorithms(before[1], warn_only=warned)


@dataclass(frozen=True, eq=False)
class _Place:
    """A member's learner, and where its crops come from."""

    learner: Learner
    sampler: CropSampler


def train(
    members: Sequence[Member],
    source: CropSource,
    bands: Sequence[str],
    normalisation: Mapping[str, Normalisation],
    recipe: Recipe,
    config: SegmentationConfig,
    progress: Progress,
    checkpoints: Checkpoints,
    judge: Judge | None = None,
) -> Ensemble:
    """Train every member for `recipe.steps` steps.

    Members are dealt out to all GPUs, and learn in as many threads as the run may use cores, where their random
    numbers are their own: the result does not hang on that. Of a member that `judge` scores every
    `config.validate_every` steps the best weights are kept, of the others the last. Goes on from the last of the
    `checkpoints`, where there is one: on a CPU with the same bytes as without a break. Raises `PermanentError` where a
    loss is no number any more.
    """
    places, licence = _begin(members, source, bands, normalisation, recipe, config)
    if licence:
        checkpoints.note(licence)
    _go_on(places, checkpoints, recipe)
    cores = side_by_side(len(places))
    workers = cores if all(p.learner.draws_alone for p in places) else 1
    done = places[0].learner.step
    if done:
        progress(done, recipe.steps, STAGE, places[0].learner.said)
    with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(config.threads,)) as pool:
        while done < recipe.steps:
            every = config.validate_every if judge is not None else recipe.steps
            done = min(done + ROUND, recipe.steps, (done // every + 1) * every)
            _advance(places, done, pool, workers)
            if judge is not None and (done % every == 0 or done == recipe.steps):
                for place in places:
                    place.learner.judge(judge(place.learner.averaged))
            checkpoints.save_if_due(lambda: _state(places))
            progress(done, recipe.steps, STAGE, places[0].learner.said)
    return Ensemble(tuple(place.learner.trained() for place in places), licence)


def _begin(
    members: Sequence[Member],
    source: CropSource,
    bands: Sequence[str],
    normalisation: Mapping[str, Normalisation],
    recipe: Recipe,
    config: SegmentationConfig,
) -> tuple[list[_Place], str]:
    devices = choose_devices(config.device)
    precision = choose_precision(config.precision, devices[0])
    places, licence = [], ""
    for number, member in enumerate(members):
        seed = config.seed + MEMBER_SEED * number
        torch.manual_seed(seed)
        network = build(recipe.network, len(bands))
        network.start_at(_mine_share(member))
        licence = start_from(network, config.initial_weights, bands)
        weights = class_weights(source, member.taught, balanced=recipe.balanced)
        rule = LossRule.of(recipe, weights["mine"], weights["other"])
        device = devices[number % len(devices)]
        learner = Learner(network.to(device), recipe, rule, normalisation, seed, precision)
        places.append(_Place(learner, CropSampler(source, member.taught, recipe, seed)))
    return places, licence


def _mine_share(member: Member) -> float:
    """Share of mine in what a member learns from, kept away from 0 and 1."""
    shares = [ref.mine_fraction for ref in member.taught]
    return min(0.5, max(0.01, sum(shares) / len(shares)))


def _advance(places: Sequence[_Place], until: int, pool: ThreadPoolExecutor, workers: int) -> None:
    """Bring all members to a step: whoever is free takes the one that is furthest behind."""
    guard, stopped = threading.Lock(), threading.Event()
    waiting = list(places)

    def work() -> None:
        while not stopped.is_set():
            with guard:
                if not waiting:
                    return
                place = min(waiting, key=lambda p: p.learner.step)
                waiting.remove(place)
            if place.learner.step < until:
                place.learner.learn(place.sampler.batch(place.learner.step + 1))
                with guard:
                    waiting.append(place)

    running = [pool.submit(work) for _ in range(workers)]
    try:
        for one in running:
            one.result()
    finally:
        # whoever is in the middle of a step ends it and takes no other
        stopped.set()


def _state(places: Sequence[_Place]) -> State:
    states = [place.learner.state() for place in places]
    tensors: dict[str, torch.Tensor] = {}
    for number, state in enumerate(states):
        tensors |= under(str(number), state.tensors)
    tensors["random"] = torch.get_rng_state()
    return State(tensors, {"members": [dict(state.facts) for state in states]})


def _go_on(places: Sequence[_Place], checkpoints: Checkpoints, recipe: Recipe) -> None:
    """Bring the learners to where an earlier run left them; where that does not fit, they stay at the beginning."""
    state = checkpoints.latest()
    if state is None:
        return
    untouched, before = _state(places), torch.get_rng_state()
    try:
        _restore(places, state)
    except (KeyError, RuntimeError, TypeError, ValueError):
        checkpoints.refuse("is of another network")
        _restore(places, untouched)
        torch.set_rng_state(before)
        return
    checkpoints.note(f"training goes on from step {places[0].learner.step} of {recipe.steps}")


def _restore(places: Sequence[_Place], state: State) -> None:
    facts = state.facts["members"]
    if len(facts) != len(places):
        raise ValueError("the state has another number of members")
    for number, (place, about) in enumerate(zip(places, facts, strict=True)):
        place.learner.restore(State(part(str(number), state.tensors), about))
    torch.set_rng_state(state.tensors["random"])
