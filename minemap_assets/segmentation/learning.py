"""Learning: the same steps in the same order for the same seed. Imports torch: import it late."""

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from minemap_assets.segmentation.calibration import Calibration
from minemap_assets.segmentation.config import SegmentationConfig
from minemap_assets.segmentation.dataset import CropSampler
from minemap_assets.segmentation.losses import segmentation_loss
from minemap_assets.segmentation.network import MineSegformer, build_network
from minemap_assets.segmentation.normalisation import Normalisation
from minemap_assets.segmentation.prediction import choose_device
from minemap_assets.segmentation.scoring import Scorer, evenly
from minemap_assets.segmentation.training_set import ChipLibrary, TrainingSet

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
    progress: Callable[[int, int], None],
) -> Trained:
    """Train for `config.steps` steps; keep the last weights whose mIoU on whole validation chips is as good as any."""
    device = choose_device(config.device)
    network = build_network(config, len(training_set.bands)).to(device)
    optimizer = torch.optim.AdamW(_groups(network, config), lr=config.learning_rate, betas=(0.9, 0.999))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate(step, config))
    sampler = CropSampler(library, training_set.of("train"), normalisation, config)
    log: list[LogRow] = []
    best: Trained | None = None
    highest = 0.0
    for step in range(1, config.steps + 1):
        used_rate = float(schedule.get_last_lr()[0])
        loss = _step(network, optimizer, sampler, step, config)
        schedule.step()
        score = _Score(math.nan, math.nan)
        if step % config.validate_every == 0 or step == config.steps:
            score = _validate(network, training_set, library, normalisation, config)
            highest = max(highest, score.miou)
            if best is None or score.miou >= highest - AS_GOOD:
                best = Trained(copy.deepcopy(network), step, score.miou, ())
        log.append(LogRow(step, loss, used_rate, score.iou, score.miou))
        progress(step, config.steps)
    if best is None:
        raise RuntimeError("the last step is always validated")
    return Trained(best.network.eval(), best.best_step, best.validation_miou, tuple(log))


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
