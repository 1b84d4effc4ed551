"""A learner: its rate, its averaged weights, and what it says where learning comes apart."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from minemap_assets.errors import PermanentError
from minemap_assets.segmentation.learning.crops import Batch
from minemap_assets.segmentation.learning.learner import Learner, rate
from minemap_assets.segmentation.learning.losses import LossRule
from minemap_assets.segmentation.networks.files import build
from minemap_assets.segmentation.networks.shapes import UNetShape
from minemap_assets.segmentation.normalisation import Normalisation
from minemap_assets.segmentation.recipes import SMALL, Recipe

SHAPE = UNetShape(widths=(4, 6), detail=2, dropout=0.0)
RECIPE = replace(SMALL, network=SHAPE, steps=10, warmup=0, batch_size=2)


def learner(recipe: Recipe = RECIPE, seed: int = 0) -> Learner:
    torch.manual_seed(seed)
    scale = {"planet-nicfi": Normalisation(mean=(1000.0, 1000.0), spread=(500.0, 500.0))}
    return Learner(build(recipe.network, 2), recipe, LossRule(), scale, seed, torch.float32)


def batch(seed: int = 0) -> Batch:
    """A bright square on dark ground."""
    rng = np.random.default_rng(seed)
    mine = np.zeros((2, 32, 32), dtype=np.float32)
    row, column = rng.integers(4, 16, 2)
    mine[:, row : row + 12, column : column + 12] = 1.0
    pixels = (600 + 1000 * mine[:, None].repeat(2, axis=1)).astype(np.uint16)
    return Batch(pixels, mine, np.ones((2, 32, 32), dtype=bool), ("planet-nicfi",) * 2)


def test_the_rate_warms_up_and_falls_to_zero() -> None:
    recipe = replace(SMALL, steps=100, warmup=10, decay="cosine")
    rates = [rate(step, recipe) for step in range(101)]
    assert rates[0] == pytest.approx(1 / 11)
    assert max(rates) == rates[10] == 1.0
    assert rates[100] == pytest.approx(0.0, abs=1e-12)
    assert rate(55, replace(recipe, decay="linear")) == pytest.approx(0.5)


def test_it_learns() -> None:
    still = replace(
        RECIPE, rotation="none", scale_low=1.0, scale_high=1.0, flips=False, brightness=0.0, gain=0.0, gamma=0.0
    )
    one = learner(replace(still, steps=60, learning_rate=3e-2))
    for step in range(60):
        one.learn(batch(step % 4))
    losses = [row.loss for row in one.log]
    assert np.mean(losses[-10:]) < 0.7 * np.mean(losses[:10])


def test_averaged_weights_are_a_mean_of_the_last_ones() -> None:
    """With `average` 0 they are the last ones themselves; else they lie between."""
    last, mean = learner(replace(RECIPE, average=0.0)), learner(replace(RECIPE, average=0.5))
    for step in range(3):
        last.learn(batch(step))
        mean.learn(batch(step))
    for one, other in zip(last.averaged.state_dict().values(), last.network.state_dict().values(), strict=True):
        torch.testing.assert_close(one, other)
    assert any(
        not torch.equal(one, other)
        for one, other in zip(mean.averaged.parameters(), mean.network.parameters(), strict=True)
    )


def test_the_decoder_learns_at_a_rate_of_its_own() -> None:
    groups = learner(replace(RECIPE, head_multiplier=10.0))._optimizer.param_groups
    assert sorted({group["initial_lr"] for group in groups}) == pytest.approx([3e-3, 3e-2])
    assert sum(len(group["params"]) for group in groups) == len(list(build(SHAPE, 2).parameters()))
    assert all(p.ndim <= 1 for group in groups if group["weight_decay"] == 0.0 for p in group["params"])


def test_a_loss_that_is_no_number_is_told_with_its_remedy() -> None:
    one = learner()
    with torch.no_grad():
        next(one.network.parameters()).fill_(float("nan"))
    with pytest.raises(PermanentError, match=r"came apart at step 1: the loss is nan; lower learning_rate"):
        one.learn(batch())


def test_the_best_of_judged_weights_are_kept() -> None:
    one = learner()
    kept = []
    for step, score in enumerate((0.2, 0.6, 0.3)):
        one.learn(batch(step))
        one.judge(score)
        kept.append({name: value.clone() for name, value in one.averaged.state_dict().items()})
    found = one.trained()
    assert (found.best_step, found.score) == (2, 0.6)
    for name, value in found.network.state_dict().items():
        torch.testing.assert_close(value, kept[1][name])
