"""What every learner keeps between steps: its optimiser as tensors and facts, and a running average of its weights.

Imports torch: import it late.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from minemap_assets.segmentation.learning.checkpoints import part, under

_PREFIX = "optimizer"


def optimiser_tensors(optimiser: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """The moments of each weight, by names for a checkpoint; `param_groups` are facts beside them."""
    tensors: dict[str, torch.Tensor] = {}
    for place, moment in optimiser.state_dict()["state"].items():
        tensors |= under(f"{_PREFIX}.{place}", moment)
    return tensors


def restore_optimiser(optimiser: torch.optim.Optimizer, tensors: Mapping[str, torch.Tensor], groups: Any) -> None:
    """Be as a checkpoint says. Raises `KeyError`, `RuntimeError` or `ValueError` where it does not fit."""
    found: dict[int, dict[str, torch.Tensor]] = {}
    for name, value in part(_PREFIX, tensors).items():
        place, what = name.split(".")
        found.setdefault(int(place), {})[what] = value
    optimiser.load_state_dict({"state": found, "param_groups": groups})


@torch.no_grad()
def move_average(averaged: nn.Module, network: nn.Module, step: int, most: float) -> None:
    """Move averaged weights a little, of which at most the share `most` stays; quicker in the first steps, whose
    weights mean nothing.
    """
    kept = min(most, (1.0 + step) / (10.0 + step))
    for mean, now in zip(averaged.state_dict().values(), network.state_dict().values(), strict=True):
        if mean.dtype.is_floating_point:
            mean.lerp_(now, 1.0 - kept)
        else:
            mean.copy_(now)
