"""One member of an ensemble on its way. Imports torch: import it late."""

import copy
import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from minemap_assets.detection.learning.labelled_chips import LabelledChips
from minemap_assets.detection.learning.patch_recipe import PatchRecipe
from minemap_assets.detection.networks.patch_networks import EncoderNetwork
from minemap_assets.errors import PermanentError
from minemap_assets.imagery.products import Product
from minemap_assets.segmentation.learning.augmentation import Example, augment
from minemap_assets.segmentation.learning.checkpoints import State, part, under
from minemap_assets.segmentation.learning.optimiser_state import move_average, optimiser_tensors, restore_optimiser


class PatchLearner:
    """What a step sees hangs on the seed and the step alone."""

    def __init__(
        self, network: EncoderNetwork, chips: LabelledChips, kind: Product, recipe: PatchRecipe, seed: int
    ) -> None:
        self.network = network.train()
        self._generator = torch.Generator()
        self.network.dropout.generator = self._generator
        self.averaged = copy.deepcopy(network).eval()
        self.losses: list[float] = []
        self._chips, self._kind, self._recipe, self._seed = chips, kind, recipe, seed
        self._mine, self._other = np.flatnonzero(chips.mine), np.flatnonzero(~chips.mine)
        head = {id(weight) for weight in network.head.parameters()}
        groups = [
            {
                "params": [w for w in network.parameters() if (id(w) in head) == last and (w.ndim > 1) == decays],
                "lr": recipe.learning_rate * (recipe.head_multiplier if last else 1.0),
                "weight_decay": recipe.weight_decay if decays else 0.0,
            }
            for last in (True, False)
            for decays in (True, False)
        ]
        self._optimizer = torch.optim.AdamW(groups)
        self._schedule = torch.optim.lr_scheduler.LambdaLR(self._optimizer, self._rate)

    @property
    def step(self) -> int:
        """Steps done."""
        return len(self.losses)

    def learn(self) -> None:
        """One step. Raises `PermanentError` where the loss is no number any more."""
        step = self.step + 1
        inputs, mine = self._batch(step)
        self._generator.manual_seed(int(np.random.default_rng([self._seed, step, 4]).integers(2**62)))
        loss = functional.binary_cross_entropy_with_logits(self.network(inputs), mine)
        if not bool(torch.isfinite(loss)):
            raise PermanentError(
                f"training came apart at step {step}: the loss is {float(loss.detach())}; lower [detection] "
                f"learning_rate (now {self._recipe.learning_rate:g})"
            )
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self._recipe.gradient_clip)
        self._optimizer.step()
        self._schedule.step()
        move_average(self.averaged, self.network, step, self._recipe.average)
        self.losses.append(float(loss.detach()))

    def state(self) -> State:
        """Everything that the next step hangs on."""
        tensors = under("network", self.network.state_dict()) | under("averaged", self.averaged.state_dict())
        tensors |= optimiser_tensors(self._optimizer)
        groups, schedule = self._optimizer.state_dict()["param_groups"], self._schedule.state_dict()
        facts = {"groups": groups, "schedule": schedule, "losses": self.losses}
        return State(tensors, facts)

    def restore(self, state: State) -> None:
        """Be as a state says. Raises `KeyError`, `RuntimeError`, `TypeError` or `ValueError` where it does not fit."""
        tensors, facts = state.tensors, state.facts
        self.network.load_state_dict(part("network", tensors))
        self.averaged.load_state_dict(part("averaged", tensors))
        restore_optimiser(self._optimizer, tensors, facts["groups"])
        self._schedule.load_state_dict(facts["schedule"])
        self.losses = [float(loss) for loss in facts["losses"]]

    def _batch(self, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Augmented patches, half of them mines, and whether each is one."""
        rng = np.random.default_rng([self._seed, step, 3])
        half = self._recipe.batch_size // 2
        chosen = np.concatenate([rng.choice(self._mine, half), rng.choice(self._other, self._recipe.batch_size - half)])
        pixels = torch.from_numpy(self._chips.pixels[chosen]).float()
        mine = torch.from_numpy(self._chips.mine[chosen]).float()
        plane = torch.zeros_like(pixels[:, 0])
        example = Example(pixels, plane, torch.ones_like(plane, dtype=torch.bool))
        light = [self._kind.encoding.light] * len(chosen)
        turned = augment(example, self._recipe, self._seed, step, light).pixels
        side = self.network.shape.pixels
        return as_inputs(centred(turned, side), self._kind), mine

    def _rate(self, step: int) -> float:
        """Factor of the learning rate: a linear warm-up, then a cosine to zero."""
        if step < self._recipe.warmup:
            return (step + 1) / (self._recipe.warmup + 1)
        done = (step - self._recipe.warmup) / max(1, self._recipe.steps - self._recipe.warmup)
        return 0.5 * (1.0 + math.cos(math.pi * min(1.0, done)))


def centred(pixels: torch.Tensor, side: int) -> torch.Tensor:
    """The middle of chips (chip, band, row, column)."""
    top, left = ((size - side) // 2 for size in pixels.shape[-2:])
    return pixels[..., top : top + side, left : left + side]


def as_inputs(stored: torch.Tensor, kind: Product) -> torch.Tensor:
    """Physical numbers of stored ones, as `scoring.network_input` gives them: 0 where nothing was observed."""
    values = stored * kind.encoding.scale + kind.encoding.offset
    values = values.clamp(0.0, 1.0) if kind.encoding.light else values
    return torch.where(stored > 0, values, torch.zeros_like(values))


@torch.inference_mode()
def margins(network: torch.nn.Module, chips: LabelledChips, kind: Product, side: int) -> npt.NDArray[np.float32]:
    """Log-odds (chip) of chips as they are."""
    found: Sequence[torch.Tensor] = [
        network(as_inputs(centred(torch.from_numpy(chips.pixels[n : n + 64]).float(), side), kind))
        for n in range(0, len(chips), 64)
    ]
    together: npt.NDArray[np.float32] = torch.cat(list(found)).numpy() if found else np.zeros(0, np.float32)
    return together
