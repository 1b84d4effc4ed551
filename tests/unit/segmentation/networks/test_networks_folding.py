"""What is folded or fused for prediction gives the numbers of the whole network."""

import copy

import pytest
import torch
from torch import nn

from minemap_assets.segmentation.networks.folding import FoldedHead
from minemap_assets.segmentation.networks.segformer import Segformer
from minemap_assets.segmentation.networks.shapes import SEGFORMERS, SegformerShape, UNetShape, Variant

from .conftest import SMALL_LITE, SMALL_SEGFORMER, SMALL_UNET, cheap, margins, seeded


def difference(whole: Segformer, size: int) -> float:
    inputs = torch.randn(2, whole.bands, size, size, generator=torch.Generator().manual_seed(2))
    expected = margins(whole, inputs)
    folded = whole.folded()
    assert isinstance(whole.inner.decode_head, FoldedHead)
    return float((margins(folded, inputs) - expected).abs().max() / expected.abs().max().clamp_min(1.0))


@pytest.mark.parametrize("variant", SEGFORMERS)
def test_folded_and_whole_agree_in_every_published_size(variant: Variant) -> None:
    whole = cheap(SEGFORMERS[variant])
    assert isinstance(whole, Segformer)
    assert difference(whole, 64) <= 1e-5


@pytest.mark.parametrize("changes", [{}, {"decoder_width": 40, "depths": (2, 1, 1, 2)}, {"strides": (2, 2, 2, 2)}])
def test_folded_and_whole_agree_in_other_shapes(changes: dict[str, object]) -> None:
    whole = seeded(SegformerShape.model_validate(SMALL_SEGFORMER.model_dump() | changes))
    assert isinstance(whole, Segformer)
    assert difference(whole, 96) <= 1e-5


@pytest.mark.parametrize("shape", [SMALL_UNET, SMALL_LITE, UNetShape(widths=(4, 8), detail=0)])
def test_a_fused_unet_has_no_norms_and_gives_the_same(shape: UNetShape) -> None:
    whole = seeded(shape)
    inputs = torch.randn(2, 4, 50, 64)
    expected = margins(whole, inputs)
    fused = copy.deepcopy(whole).folded()
    assert not [m for m in fused.modules() if isinstance(m, nn.BatchNorm2d)]
    torch.testing.assert_close(margins(fused, inputs), expected, atol=1e-5, rtol=1e-5)


def test_networks_in_training_are_left_alone() -> None:
    learning = seeded(SMALL_SEGFORMER).train()
    assert isinstance(learning, Segformer)
    assert learning.folded() is learning
    assert not isinstance(learning.inner.decode_head, FoldedHead)
    assert [m for m in seeded(SMALL_UNET).train().folded().modules() if isinstance(m, nn.BatchNorm2d)]
