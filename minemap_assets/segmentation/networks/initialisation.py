"""Random weights by fan-in. Imports torch: import it late.

transformers draws every SegFormer weight with a spread of 0.02; at widths of 16 to 128 that is 2 to 17 times too small,
and the residual branches start nearly dead.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


def fan_in(network: nn.Module) -> None:
    """Draw all weights anew from torch's current seed: kernels for ReLU after He et al. (2015), linear layers so that
    the spread of their inputs is kept (LeCun et al. 1998); norms are one, biases zero. Nothing is drawn on the device
    `meta`, where a network waits for weights from a file.
    """
    if any(weight.is_meta for weight in network.parameters()):
        return
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_in", nonlinearity="relu")
        elif isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=1.0 / math.sqrt(layer.in_features))
        elif isinstance(layer, nn.BatchNorm2d | nn.LayerNorm):
            nn.init.ones_(layer.weight)
        else:
            continue
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


@contextmanager
def untouched() -> Iterator[None]:
    """Whatever is drawn inside, torch's common random numbers go on as if it had not been."""
    before = torch.get_rng_state()
    try:
        yield
    finally:
        torch.set_rng_state(before)
