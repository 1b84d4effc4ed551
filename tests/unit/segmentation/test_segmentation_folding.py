"""The folded head gives the numbers of the whole one."""

import copy

import pytest
import torch

from minemap_assets.segmentation.folding import FoldedHead, fold
from minemap_assets.segmentation.network import MineSegformer, build_network

from .conftest import tiny_config


def network(**changes: object) -> MineSegformer:
    """A network whose norms have seen something."""
    torch.manual_seed(0)
    found = build_network(tiny_config(**changes), 4)
    with torch.no_grad():
        for _ in range(3):
            found(torch.randn(2, 4, 64, 64))
    return found.eval()


@pytest.mark.parametrize("changes", [{}, {"decoder_width": 40, "depths": (2, 1, 1, 2)}, {"strides": (2, 2, 2, 2)}])
def test_folded_and_whole_agree(changes: dict[str, object]) -> None:
    whole = network(**changes)
    folded = fold(copy.deepcopy(whole))
    assert isinstance(folded.segformer.decode_head, FoldedHead)
    inputs = torch.randn(2, 4, 96, 96)
    with torch.inference_mode():
        torch.testing.assert_close(folded.margin(inputs), whole.margin(inputs), atol=2e-5, rtol=1e-5)


def test_a_network_in_training_is_left_alone() -> None:
    learning = network().train()
    assert not isinstance(fold(learning).segformer.decode_head, FoldedHead)
