"""Preparing a network for prediction: the same function in the form that is fastest. Imports torch: import it late."""

import copy
from collections.abc import Callable

import torch
from torch import nn

from minemap_assets.segmentation.networks.interface import MineNetwork

_CASTING = (nn.Conv2d, nn.Linear, nn.LayerNorm, nn.BatchNorm2d)


def prepared(network: MineNetwork, precision: torch.dtype) -> MineNetwork:
    """A copy in evaluation mode: folded, channels innermost, and a SegFormer with most of its sums in `precision`.

    Factors in bfloat16 have eight bits. It is kept to the products that take the time, those of convolutions and linear
    layers; what flows past them, norms, and the last sums of the decoder, which are the margin, stay in float32: that
    halves the error for a tenth of the time. A U-Net stays in float32: its work is small beside reading and writing,
    and its decisions changed as far as 0.016 from a threshold.
    """
    ready = copy.deepcopy(network).eval().folded().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if precision != torch.float32 and network.shape.architecture == "segformer":
        _narrow(ready, precision)
    return ready  # type: ignore[no-any-return]


def _narrow(network: MineNetwork, precision: torch.dtype) -> None:
    decoder = {id(weight) for weight in network.last_layers()}
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear) and not _is_last(layer, decoder):
            layer.to(precision)
        if isinstance(layer, _CASTING):
            layer.register_forward_pre_hook(_as_the_weights)


def _is_last(layer: nn.Conv2d | nn.Linear, decoder: set[int]) -> bool:
    """True for the decoder's 1 x 1 convolutions, which are cheap."""
    return isinstance(layer, nn.Conv2d) and layer.kernel_size == (1, 1) and id(layer.weight) in decoder


def _as_the_weights(layer: nn.Module, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    weight = layer.weight
    return (inputs[0].to(weight.dtype), *inputs[1:]) if isinstance(weight, torch.Tensor) else inputs


class Compiled:
    """A network that torch compiles at its first batch; where that fails, it says so and goes on uncompiled."""

    def __init__(self, network: MineNetwork, tell: Callable[[str], None]) -> None:
        self._network = network
        self._tell = tell
        self._compiled: Callable[[torch.Tensor], torch.Tensor] | None = torch.compile(network, dynamic=False)

    def __call__(self, inputs: torch.Tensor) -> torch.Tensor:
        """Margins."""
        if self._compiled is None:
            margin: torch.Tensor = self._network(inputs)
            return margin
        try:
            return self._compiled(inputs)
        except (RuntimeError, ImportError) as error:
            if is_out_of_memory(error):
                raise
            reason = str(error).strip().partition("\n")[0]
        self._tell(f"torch could not compile the network ({reason}); prediction goes on without, and is slower")
        self._compiled = None
        return self(inputs)


def is_out_of_memory(error: BaseException) -> bool:
    """True where memory ran out, on a GPU or not: torch has a class of its own for the first only."""
    text = str(error).lower()
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and ("out of memory" in text or "can't allocate memory" in text)
    )
