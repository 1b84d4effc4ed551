"""Learning: the same steps in the same order for the same seed. Imports torch: import it late."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import astuple, dataclass

import torch

from minemap_assets.project.listener import Progress
from minemap_assets.segmentation.calibration import Calibration
from minemap_assets.segmentation.checkpoints import Checkpoints, State, part, under
from minemap_assets.segmentation.config import SegmentationConfig
from minemap_assets.segmentation.dataset import CropSampler
from minemap_assets.segmentation.losses import segmentation_loss
from minemap_assets.segmentation.network import MineSegformer, build_network
from minemap_assets.segmentation.normalisation import Normalisation
from minemap_assets.segmentation.prediction import choose_device
from minemap_assets.segmentation.scoring import Scorer, evenly
from minemap_assets.segmentation.training_set import ChipLibrary, TrainingSet

STAGE = "training step"
"""What progress calls the steps."""

STORED_HALF = 127
"""Probability one half on the stored scale."""

AS_GOOD = 0.005
"""Of two scores no further apart the later step's is taken: a few validation chips cannot tell them apart, and later
weights have settled more."""


@dataclass(frozen=True)
class LogRow:
    """One line of the training log; scores are NaN between validations."""

    step: int
    loss: float
    learning_rate: float
    validation_iou: float
    validation_miou: float


@dataclass(frozen=True, eq=False)
class Trained:
    """The chosen network (in evaluation mode), the step it comes from, its mIoU, and the whole log."""

    network: MineSegformer
    best_step: int
    validation_miou: float
    log: tuple[LogRow, ...]


@dataclass(frozen=True)
class _Score:
    iou: float
    miou: float


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


def train(
    training_set: TrainingSet,
    library: ChipLibrary,
    normalisation: Mapping[str, Normalisation],
    config: SegmentationConfig,
    progress: Progress,
    checkpoints: Checkpoints,
) -> Trained:
    """Train for `config.steps` steps; keep the last weights whose mIoU on whole validation chips is as good as any.

    Goes on from the last of the `checkpoints`, where there is one: on a CPU with the same bytes as without a break.
    """
    learner = _learner(config, len(training_set.bands), checkpoints)
    sampler = CropSampler(library, training_set.of("train"), normalisation, config)
    if learner.step:
        progress(learner.step, config.steps, STAGE, learner.said)
    for step in range(learner.step + 1, config.steps + 1):
        used_rate = float(learner.schedule.get_last_lr()[0])
        loss = _step(learner.network, learner.optimizer, sampler, step, config)
        learner.schedule.step()
        score = _Score(math.nan, math.nan)
        if step % config.validate_every == 0 or step == config.steps:
            score = _validate(learner.network, training_set, library, normalisation, config)
            learner.judge(step, score)
        learner.log.append(LogRow(step, loss, used_rate, score.iou, score.miou))
        checkpoints.save_if_due(learner.state)
        progress(step, config.steps, STAGE, learner.said)
    return learner.trained()


@dataclass(frozen=True, eq=False)
class _Best:
    step: int
    score: float
    weights: dict[str, torch.Tensor]


class _Learner:
    """All that changes from step to step. Crops are not part of it: they hang on the seed and the step alone."""

    def __init__(self, config: SegmentationConfig, bands: int, device: torch.device) -> None:
        self.network = build_network(config, bands).to(device)
        self.optimizer = torch.optim.AdamW(_groups(self.network, config), lr=config.learning_rate, betas=(0.9, 0.999))
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, lambda step: rate(step, config))
        self.log: list[LogRow] = []
        self._device = device
        self._highest = 0.0
        self._best: _Best | None = None

    @property
    def step(self) -> int:
        """Steps done."""
        return len(self.log)

    @property
    def said(self) -> str:
        """The last loss and, once there is one, the last score, for people."""
        score = next((row.validation_miou for row in reversed(self.log) if not math.isnan(row.validation_miou)), None)
        return f"loss {self.log[-1].loss:.3f}" + ("" if score is None else f", mIoU {score:.2f}")

    def judge(self, step: int, score: _Score) -> None:
        """Keep the weights where they are as good as any before."""
        self._highest = max(self._highest, score.miou)
        if self._best is None or score.miou >= self._highest - AS_GOOD:
            weights = {name: value.clone() for name, value in self.network.state_dict().items()}
            self._best = _Best(step, score.miou, weights)

    def trained(self) -> Trained:
        """The best weights, in the network."""
        if self._best is None:
            raise RuntimeError("the last step is always validated")
        self.network.load_state_dict(self._best.weights)
        return Trained(self.network.eval(), self._best.step, self._best.score, tuple(self.log))

    def state(self) -> State:
        """Everything, torch's random numbers included."""
        optimizer, best = self.optimizer.state_dict(), self._best
        tensors = under("network", self.network.state_dict())
        for place, moments in optimizer["state"].items():
            tensors |= under(f"optimizer.{place}", moments)
        if best is not None:
            tensors |= under("best", best.weights)
        tensors["log"] = torch.tensor([astuple(row) for row in self.log], dtype=torch.float64)
        tensors["random.cpu"] = torch.get_rng_state()
        if self._device.type == "cuda":
            tensors["random.cuda"] = torch.cuda.get_rng_state(self._device)
        facts = {
            "groups": optimizer["param_groups"],
            "schedule": self.schedule.state_dict(),
            "highest": self._highest,
            "best": None if best is None else {"step": best.step, "score": best.score},
        }
        return State(tensors, facts)

    def restore(self, state: State) -> None:
        """Be as a state says. Raises `KeyError`, `RuntimeError`, `TypeError` or `ValueError` where it does not fit."""
        tensors, facts = state.tensors, state.facts
        self.network.load_state_dict(part("network", tensors))
        moments: dict[int, dict[str, torch.Tensor]] = {}
        for name, value in part("optimizer", tensors).items():
            place, what = name.split(".")
            moments.setdefault(int(place), {})[what] = value
        self.optimizer.load_state_dict({"state": moments, "param_groups": facts["groups"]})
        self.schedule.load_state_dict(facts["schedule"])
        self.log = [LogRow(int(row[0]), *row[1:]) for row in tensors["log"].tolist()]
        self._highest, best = facts["highest"], facts["best"]
        self._best = None if best is None else _Best(best["step"], best["score"], part("best", tensors))
        torch.set_rng_state(tensors["random.cpu"])
        if self._device.type == "cuda":
            torch.cuda.set_rng_state(tensors["random.cuda"], self._device)


def _learner(config: SegmentationConfig, bands: int, checkpoints: Checkpoints) -> _Learner:
    """A learner at the step that an earlier run left it at, or at the beginning."""
    device, before = choose_device(config.device), torch.get_rng_state()
    learner, state = _Learner(config, bands, device), checkpoints.latest()
    if state is None:
        return learner
    try:
        learner.restore(state)
    except (KeyError, RuntimeError, TypeError, ValueError):
        checkpoints.refuse("is of another network")
        torch.set_rng_state(before)
        return _Learner(config, bands, device)
    checkpoints.note(f"training goes on from step {learner.step} of {config.steps}")
    return learner


def rate(step: int, config: SegmentationConfig) -> float:
    """Factor of the learning rate: a linear warm-up, then a fall to zero along a cosine or a line."""
    if step < config.warmup:
        return (step + 1) / (config.warmup + 1)
    part = (step - config.warmup) / max(1, config.steps - config.warmup)
    return 0.5 * (1.0 + math.cos(math.pi * part)) if config.decay == "cosine" else 1.0 - part


def _groups(network: MineSegformer, config: SegmentationConfig) -> list[dict[str, object]]:
    """Weight decay for matrices and kernels only, as SegFormer is trained: none for norms and biases."""
    matrices = [p for p in network.parameters() if p.ndim > 1]
    others = [p for p in network.parameters() if p.ndim <= 1]
    return [{"params": matrices, "weight_decay": config.weight_decay}, {"params": others, "weight_decay": 0.0}]


def _step(
    network: MineSegformer,
    optimizer: torch.optim.Optimizer,
    sampler: CropSampler,
    step: int,
    config: SegmentationConfig,
) -> float:
    network.train()
    batch = sampler.batch(step)
    device = next(network.parameters()).device
    logits = network(torch.from_numpy(batch.inputs).to(device))
    loss = segmentation_loss(logits, torch.from_numpy(batch.labels).to(device), config)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(network.parameters(), config.gradient_clip)
    optimizer.step()
    return float(loss.detach())


def _validate(
    network: MineSegformer,
    training_set: TrainingSet,
    library: ChipLibrary,
    normalisation: Mapping[str, Normalisation],
    config: SegmentationConfig,
) -> _Score:
    """Scores at probability one half, the mean over products."""
    network.eval()
    each = max(1, config.validation_chips // len(training_set.products))
    scores = []
    for product in training_set.products:
        scorer = Scorer(network, library, normalisation[product], config.batch_predict)
        counts = scorer.histogram(evenly(training_set.held_out(product), each), Calibration()).confusion(STORED_HALF)
        scores.append(_Score(_worth(counts.iou), _worth(counts.miou)))
    return _Score(sum(s.iou for s in scores) / len(scores), sum(s.miou for s in scores) / len(scores))


def _worth(score: float) -> float:
    return 0.0 if math.isnan(score) else score
