"""Margins of every network: their size, their spread, and what they start at."""

import math

import pytest
import torch
from torch import nn

from minemap_assets.segmentation.networks.files import build
from minemap_assets.segmentation.networks.initialisation import untouched
from minemap_assets.segmentation.networks.segformer import Segformer
from minemap_assets.segmentation.networks.shapes import SEGFORMERS, NetworkShape, UNetShape
from minemap_assets.segmentation.networks.unet import UNet

from .conftest import SMALL_SHAPES, margins, seeded

SMALL = pytest.mark.parametrize("shape", SMALL_SHAPES)


@pytest.mark.parametrize("size", [(64, 64), (33, 50), (97, 31)])
@SMALL
def test_a_margin_has_the_size_of_the_input(shape: NetworkShape, size: tuple[int, int]) -> None:
    found = margins(seeded(shape), torch.randn(2, 4, *size))
    assert found.shape == (2, *size)
    assert bool(found.isfinite().all())


@SMALL
def test_what_is_learned_reaches_every_weight(shape: NetworkShape) -> None:
    network = seeded(shape).train()
    network(torch.randn(2, 4, 64, 64)).square().mean().backward()
    unreached = [name for name, p in network.named_parameters() if p.grad is None]
    assert not unreached


@SMALL
def test_before_anything_is_learned_the_share_of_mines_is_that_asked_for(shape: NetworkShape) -> None:
    network = seeded(shape)
    last = [m for m in network.modules() if isinstance(m, nn.Conv2d)][-1]
    nn.init.zeros_(last.weight)
    network.start_at(0.2)
    assert torch.sigmoid(margins(network, torch.randn(1, 4, 32, 32))).mean() == pytest.approx(0.2, abs=1e-5)


@SMALL
def test_first_layers_read_the_bands_and_last_layers_are_the_decoder(shape: NetworkShape) -> None:
    network = build(shape, 5)
    assert all(layer.in_channels == 5 for layer in network.first_layers())
    reading = [m for m in network.modules() if isinstance(m, nn.Conv2d) and m.in_channels == 5 and m.groups == 1]
    assert {id(m) for m in network.first_layers()} == {id(m) for m in reading}
    last, every = {id(p) for p in network.last_layers()}, {id(p) for p in network.parameters()}
    assert last < every
    encoder = network.encoder if isinstance(network, UNet | Segformer) else nn.Identity()
    assert not last & {id(p) for p in encoder.parameters()}
    spare = network.detail if isinstance(network, UNet) and network.plain else None
    rest = {id(p) for part in (encoder, spare) if part is not None for p in part.parameters()}
    assert last | rest == every


def spreads(network: nn.Module, inputs: torch.Tensor, kinds: tuple[type[nn.Module], ...]) -> list[float]:
    """Standard deviations of what the layers of some kinds put out."""
    found: list[float] = []
    hooks = [
        m.register_forward_hook(lambda _m, _i, out: found.append(float(out.std())))
        for m in network.modules()
        if isinstance(m, kinds)
    ]
    with torch.inference_mode():
        network(inputs)
    for hook in hooks:
        hook.remove()
    return found


@pytest.mark.parametrize("variant", ["tiny", "b0"])
def test_the_spread_is_kept_through_a_segformers_layers(variant: str) -> None:
    torch.manual_seed(0)
    network = build(SEGFORMERS[variant], 4).eval()  # type: ignore[index]
    assert isinstance(network, Segformer)
    inputs = torch.randn(2, 4, 96, 96)
    kept = spreads(network, inputs, (nn.Linear,))
    assert 0.2 < min(kept) <= max(kept) < 2.5
    theirs = type(network.inner)(network.inner.config).eval()
    assert min(spreads(theirs, inputs, (nn.Linear,))) < 0.1


@pytest.mark.parametrize("encoder", ["plain", "efficientnet-lite0"])
def test_the_spread_is_kept_through_a_unets_layers(encoder: str) -> None:
    torch.manual_seed(0)
    network = build(UNetShape.model_validate({"encoder": encoder}), 4).train()
    with torch.no_grad():
        assert 0.3 < float(network(torch.randn(4, 4, 128, 128)).std()) < 3.0


@SMALL
def test_a_network_depends_on_the_seed_alone(shape: NetworkShape) -> None:
    one, two, other = (seeded(shape, seed=seed) for seed in (3, 3, 4))
    inputs = torch.randn(1, 4, 40, 40)
    assert torch.equal(margins(one, inputs), margins(two, inputs))
    assert not torch.equal(margins(one, inputs), margins(other, inputs))


def test_random_numbers_go_on_as_if_nothing_was_drawn() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    with untouched():
        torch.rand(100)
    assert torch.equal(torch.rand(3), expected)


def test_channels_are_left_out_by_the_given_generator_alone() -> None:
    network = seeded(UNetShape(widths=(4, 8), dropout=0.5)).train()
    assert network.draw_from(torch.Generator().manual_seed(1))
    inputs = torch.randn(2, 4, 32, 32)
    torch.manual_seed(0)
    one = network(inputs)
    network.draw_from(torch.Generator().manual_seed(1))
    torch.manual_seed(9)
    assert torch.equal(network(inputs), one)
    network.draw_from(torch.Generator().manual_seed(2))
    assert not torch.equal(network(inputs), one)
    assert math.isfinite(float(one.detach().mean()))
