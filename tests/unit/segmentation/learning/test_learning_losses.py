"""Losses: as computed by hand."""

import math

import pytest
import torch

from minemap_assets.segmentation.learning.losses import LossRule, cross_entropy, hardest, segmentation_loss, soft_dice

EVEN = LossRule()
ALL = torch.ones(1, 1, 2, dtype=torch.bool)


def test_cross_entropy_of_half_and_of_certainty() -> None:
    mine = torch.tensor([[[1.0, 0.0]]])
    assert float(cross_entropy(torch.zeros(1, 1, 2), mine, ALL, EVEN)) == pytest.approx(math.log(2))
    margin = torch.tensor([[[math.log(3.0), -math.log(3.0)]]])
    assert float(cross_entropy(margin, mine, ALL, EVEN)) == pytest.approx(-math.log(0.75))


def test_it_is_the_softmax_of_two_classes() -> None:
    logits = torch.randn(3, 2, 5, 5)
    labels = torch.randint(0, 2, (3, 5, 5))
    ours = cross_entropy(logits[:, 1] - logits[:, 0], labels.float(), torch.ones(3, 5, 5, dtype=torch.bool), EVEN)
    assert float(ours) == pytest.approx(float(torch.nn.functional.cross_entropy(logits, labels)), rel=1e-5)


def test_weights_are_those_of_the_classes() -> None:
    """Losses log 2 and log 4 of a mine (weight 3) and another pixel (weight 1)."""
    margin, mine = torch.tensor([[[0.0, math.log(3.0)]]]), torch.tensor([[[1.0, 0.0]]])
    rule = LossRule(mine_weight=3.0, other_weight=1.0)
    expected = (3 * math.log(2) + math.log(4)) / 4
    assert float(cross_entropy(margin, mine, ALL, rule)) == pytest.approx(expected)


def test_only_the_hardest_count() -> None:
    loss = torch.tensor([[[1.0, 5.0, 3.0, 9.0]], [[4.0, 4.0, 1.0, 0.0]]])
    known = torch.tensor([[[True, True, True, False]], [[True, True, True, True]]])
    assert hardest(loss, known, 0.5).tolist() == [[[False, True, True, False]], [[True, True, False, False]]]
    assert hardest(loss, known, 0.01).tolist() == [[[False, True, False, False]], [[True, True, False, False]]]
    margin, mine = torch.tensor([[[0.0, 10.0]]]), torch.tensor([[[1.0, 1.0]]])
    kept = cross_entropy(margin, mine, ALL, LossRule(hard_share=0.5))
    assert float(kept) == pytest.approx(math.log(2))


def test_dice_of_an_overlap() -> None:
    """Half of the mine pixel is said and half of the other: 1 - (2 * 0.5 + 1) / (1 + 1 + 1)."""
    dice = soft_dice(torch.zeros(1, 1, 2), torch.tensor([[[1.0, 0.0]]]), ALL)
    assert float(dice) == pytest.approx(1.0 - 2.0 / 3.0)


def test_unknown_pixels_count_for_nothing() -> None:
    known = torch.tensor([[[True, False]]])
    mine = torch.tensor([[[1.0, 1.0]]])
    one = segmentation_loss(torch.tensor([[[0.3, -9.0]]]), mine, known, EVEN)
    two = segmentation_loss(torch.tensor([[[0.3, 9.0]]]), mine, known, EVEN)
    assert float(one) == float(two) > 0
    margin = torch.ones(1, 1, 2, requires_grad=True)
    nothing = segmentation_loss(margin, mine, ~ALL, EVEN)
    assert float(nothing) == 0.0
    nothing.backward()
    assert margin.grad is not None
    assert (margin.grad == 0).all()
