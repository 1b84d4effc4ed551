"""Networks with weights that are cheap to make."""

from collections.abc import Iterator

import pytest
import torch
from torch import nn

from minemap_assets.segmentation.networks.files import build
from minemap_assets.segmentation.networks.interface import MineNetwork
from minemap_assets.segmentation.networks.shapes import NetworkShape, SegformerShape, UNetShape

SMALL_UNET = UNetShape(widths=(4, 6, 8), detail=3)
SMALL_SEGFORMER = SegformerShape(hidden_sizes=(8, 8, 16, 16), heads=(1, 1, 2, 2), decoder_width=16)
SMALL_LITE = UNetShape(encoder="efficientnet-lite0", widths=(4, 6, 8), detail=3)
SMALL_SHAPES = (SMALL_UNET, SMALL_SEGFORMER, SMALL_LITE, UNetShape(widths=(4, 8), detail=0, stem=4))

_POOL = 6_000_000


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def seeded(shape: NetworkShape, bands: int = 4, seed: int = 0) -> MineNetwork:
    """A network with its own random weights, and norms that have seen something."""
    torch.manual_seed(seed)
    network = build(shape, bands)
    shaken(network)
    return network.eval()


def cheap(shape: NetworkShape, bands: int = 4) -> MineNetwork:
    """A network of any size in a moment: its weights repeat one list of random numbers."""
    with torch.device("meta"):
        network = build(shape, bands)
    network.to_empty(device="cpu")
    generator = torch.Generator().manual_seed(0)
    numbers = torch.randn(_POOL, generator=generator)
    with torch.no_grad():
        for weight in network.parameters():
            spread = (weight[0].numel() or 1) ** -0.5 if weight.ndim > 1 else 0.1
            weight.copy_((numbers[: weight.numel()] * spread).view(weight.shape))
            if weight.ndim == 1:
                weight.add_(1.0)
    shaken(network)
    return network.eval()


def shaken(network: nn.Module) -> None:
    """Norms with moments as if they had seen something."""
    generator = torch.Generator().manual_seed(1)
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d) and part.running_mean is not None and part.running_var is not None:
            part.running_mean.copy_(0.3 * torch.randn(part.num_features, generator=generator))
            part.running_var.copy_(0.5 + torch.rand(part.num_features, generator=generator))
            if part.num_batches_tracked is not None:
                part.num_batches_tracked.fill_(7)


def margins(network: MineNetwork, inputs: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        return network(inputs)
