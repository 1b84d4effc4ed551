"""A learner: one network on its way, and all that changes from step to step. Imports torch: import it late."""

import copy
import math
from collections.abc import Mapping
from dataclasses import astuple, dataclass, replace

import torch

from minemap_assets.errors import PermanentError
from minemap_assets.imagery.products import product
from minemap_assets.segmentation.inputs import moments, normalised
from minemap_assets.segmentation.learning.augmentation import Example, augment
from minemap_assets.segmentation.learning.checkpoints import State, part, under
from minemap_assets.segmentation.learning.crops import Batch
from minemap_assets.segmentation.learning.losses import LossRule, segmentation_loss
from minemap_assets.segmentation.learning.optimiser_state import move_average, optimiser_tensors, restore_optimiser
from minemap_assets.segmentation.networks.interface import MineNetwork
from minemap_assets.segmentation.normalisation import Normalisation
from minemap_assets.segmentation.recipes import Recipe

AS_GOOD = 0.005
"""Of two scores no further apart the later step's is taken: a few validation chips cannot tell them apart, and later
weights have settled more."""


@dataclass(frozen=True)
class LogRow:
    """One line of the training log; the score is NaN between validations."""

    step: int
    loss: float
    learning_rate: float
    validation_iou: float


@dataclass(frozen=True, eq=False)
class Trained:
    """The chosen network (in evaluation mode), the step it comes from, its score or NaN, and the whole log."""

    network: MineNetwork
    best_step: int
    score: float
    log: tuple[LogRow, ...]


@dataclass(frozen=True, eq=False)
class _Best:
    step: int
    score: float
    weights: dict[str, torch.Tensor]


class Learner:
    """Crops are no part of it: they hang on the seed and the step alone."""

    def __init__(
        self,
        network: MineNetwork,
        recipe: Recipe,
        rule: LossRule,
        normalisation: Mapping[str, Normalisation],
        seed: int,
        precision: torch.dtype,
    ) -> None:
        """A network on its device, with its first weights."""
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.device = next(network.parameters()).device
        self.generator = torch.Generator(self.device).manual_seed(seed)
        self.draws_alone = network.draw_from(self.generator)
        self.averaged = copy.deepcopy(self.network).eval()
        self.log: list[LogRow] = []
        self._recipe, self._rule, self._seed, self._precision = recipe, rule, seed, precision
        self._moments = {name: moments(one, self.device) for name, one in normalisation.items()}
        self._optimizer = torch.optim.AdamW(_groups(network, recipe), lr=recipe.learning_rate, betas=(0.9, 0.999))
        self._schedule = torch.optim.lr_scheduler.LambdaLR(self._optimizer, lambda step: rate(step, recipe))
        self._highest = 0.0
        self._best: _Best | None = None

    @property
    def step(self) -> int:
        """Steps done."""
        return len(self.log)

    @property
    def said(self) -> str:
        """The last loss and, once there is one, the last score, for people."""
        score = next((r.validation_iou for r in reversed(self.log) if not math.isnan(r.validation_iou)), None)
        return f"loss {self.log[-1].loss:.3f}" + ("" if score is None else f", IoU {score:.2f}")

    def learn(self, batch: Batch) -> None:
        """One step. Raises `PermanentError` where the loss is no number any more."""
        step, used_rate = self.step + 1, float(self._schedule.get_last_lr()[-1])
        light = [product(name).encoding.light for name in batch.products]
        example = augment(self._example(batch), self._recipe, self._seed, step, light)
        mean, spread = (torch.cat([self._moments[p][n] for p in batch.products]) for n in (0, 1))
        inputs = normalised(example.pixels, mean, spread).contiguous(memory_format=torch.channels_last)
        self.network.train()
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self._precision == torch.bfloat16):
            margin = self.network(inputs)
        loss = segmentation_loss(margin.float(), example.mine, example.known, self._rule)
        if not bool(torch.isfinite(loss)):
            raise PermanentError(
                f"training came apart at step {step}: the loss is {float(loss.detach())}; lower learning_rate (now "
                f"{self._recipe.learning_rate:g}) or gradient_clip under [segmentation]"
            )
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self._recipe.gradient_clip)
        self._optimizer.step()
        self._schedule.step()
        move_average(self.averaged, self.network, step, self._recipe.average)
        self.log.append(LogRow(step, float(loss.detach()), used_rate, math.nan))

    def judge(self, score: float) -> None:
        """Note the score of the averaged weights, and keep them where they are as good as any before."""
        self.log[-1] = replace(self.log[-1], validation_iou=score)
        self._highest = max(self._highest, score)
        if self._best is None or score >= self._highest - AS_GOOD:
            weights = {name: value.clone() for name, value in self.averaged.state_dict().items()}
            self._best = _Best(self.step, score, weights)

    def trained(self) -> Trained:
        """The best of the averaged weights that were judged; the last ones where none were."""
        if self._best is None:
            return Trained(self.averaged, self.step, math.nan, tuple(self.log))
        self.averaged.load_state_dict(self._best.weights)
        return Trained(self.averaged, self._best.step, self._best.score, tuple(self.log))

    def state(self) -> State:
        """Everything, random numbers included."""
        best = self._best
        tensors = under("network", self.network.state_dict()) | under("averaged", self.averaged.state_dict())
        tensors |= optimiser_tensors(self._optimizer)
        if best is not None:
            tensors |= under("best", best.weights)
        tensors["log"] = torch.tensor([astuple(row) for row in self.log], dtype=torch.float64).reshape(-1, 4)
        tensors["random"] = self.generator.get_state()
        facts = {
            "groups": self._optimizer.state_dict()["param_groups"],
            "schedule": self._schedule.state_dict(),
            "highest": self._highest,
            "best": None if best is None else {"step": best.step, "score": best.score},
        }
        return State(tensors, facts)

    def restore(self, state: State) -> None:
        """Be as a state says. Raises `KeyError`, `RuntimeError`, `TypeError` or `ValueError` where it does not fit."""
        tensors, facts = state.tensors, state.facts
        self.network.load_state_dict(part("network", tensors))
        self.averaged.load_state_dict(part("averaged", tensors))
        restore_optimiser(self._optimizer, tensors, facts["groups"])
        self._schedule.load_state_dict(facts["schedule"])
        self.log = [LogRow(int(row[0]), *row[1:]) for row in tensors["log"].tolist()]
        self._highest, best = facts["highest"], facts["best"]
        self._best = None if best is None else _Best(best["step"], best["score"], part("best", tensors))
        self.generator.set_state(tensors["random"])

    def _example(self, batch: Batch) -> Example:
        pixels, mine, known = (torch.from_numpy(a).to(self.device) for a in (batch.pixels, batch.mine, batch.known))
        return Example(pixels.float(), mine, known)


def rate(step: int, recipe: Recipe) -> float:
    """Factor of the learning rate: a linear warm-up, then a fall to zero along a cosine or a line."""
    if step < recipe.warmup:
        return (step + 1) / (recipe.warmup + 1)
    done = (step - recipe.warmup) / max(1, recipe.steps - recipe.warmup)
    return 0.5 * (1.0 + math.cos(math.pi * done)) if recipe.decay == "cosine" else 1.0 - done


def _groups(network: MineNetwork, recipe: Recipe) -> list[dict[str, object]]:
    """Weight decay for matrices and kernels only, as SegFormer is trained: none for norms and biases; the decoder at a
    rate of its own.
    """
    last = {id(p) for p in network.last_layers()}
    groups = []
    for is_last, factor in ((True, recipe.head_multiplier), (False, 1.0)):
        mine = [p for p in network.parameters() if (id(p) in last) == is_last]
        for chosen, decay in ((True, recipe.weight_decay), (False, 0.0)):
            some = [p for p in mine if (p.ndim > 1) == chosen]
            if some:
                groups.append({"params": some, "lr": recipe.learning_rate * factor, "weight_decay": decay})
    return groups
