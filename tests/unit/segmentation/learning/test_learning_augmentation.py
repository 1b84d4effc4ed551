"""Augmentation: drawn from seed and step alone, labels stay on their pixels, holes stay holes."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from minemap_assets.segmentation.learning.augmentation import Example, augment
from minemap_assets.segmentation.recipes import SMALL, Recipe

from ..conftest import scene

STILL = replace(
    SMALL, brightness=0.0, gain=0.0, gamma=0.0, offset=0.0, noise=0.0, scale_low=1.0, scale_high=1.0, rotation="none",
    flips=False,
)  # fmt: skip


def example(count: int = 8) -> Example:
    scenes = [scene(seed) for seed in range(count)]
    pixels = torch.from_numpy(np.stack([p for p, _ in scenes]).astype(np.float32))
    mine = torch.from_numpy(np.stack([labels for _, labels in scenes]).astype(np.float32))
    return Example(pixels, mine, torch.ones_like(mine, dtype=torch.bool))


def test_nothing_asked_for_is_nothing_done() -> None:
    given = example()
    found = augment(given, STILL, 0, 1)
    for name in ("pixels", "mine", "known"):
        assert torch.equal(getattr(found, name), getattr(given, name))


def test_it_hangs_on_seed_and_step_alone() -> None:
    one = augment(example(), SMALL, 3, 7)
    torch.rand(5)
    assert torch.equal(one.pixels, augment(example(), SMALL, 3, 7).pixels)
    assert not torch.equal(one.pixels, augment(example(), SMALL, 3, 8).pixels)
    assert not torch.equal(one.pixels, augment(example(), SMALL, 4, 7).pixels)


def test_only_light_is_recoloured() -> None:
    coloured = replace(STILL, brightness=0.3, gamma=0.3, noise=0.01)
    found = augment(example(4), coloured, 0, 1, [True, False, True, False])
    kept = [torch.equal(one, other) for one, other in zip(found.pixels, example(4).pixels, strict=True)]
    assert kept == [False, True, False, True]
    assert torch.equal(found.pixels[0], augment(example(4), coloured, 0, 1).pixels[0])


@pytest.mark.parametrize("recipe", [replace(STILL, rotation="quarters", flips=True), replace(STILL, flips=True)])
def test_a_square_is_laid_down_in_every_way_allowed(recipe: Recipe) -> None:
    mine = torch.zeros(1, 4, 4)
    mine[0, 0, 1] = 1.0
    given = Example(mine[:, None] * 7.0 + 1.0, mine, torch.ones(1, 4, 4, dtype=torch.bool))
    places = set()
    for step in range(80):
        found = augment(given, recipe, 0, step)
        assert torch.equal(found.pixels[:, 0], found.mine * 7.0 + 1.0)
        places.add(int(found.mine.argmax()))
    assert len(places) == (8 if recipe.rotation == "quarters" else 2)


def test_labels_turn_with_their_pixels_at_any_angle_and_size() -> None:
    """The mine is twice as red as its surroundings, wherever it lies."""
    given = example()
    recipe = replace(STILL, rotation="any", flips=True, scale_low=0.7, scale_high=1.4)
    for step in range(5):
        found = augment(given, recipe, 0, step)
        inside, outside = found.mine > 0.95, found.mine < 0.05
        assert float(found.pixels[:, 2][inside].median()) == pytest.approx(2100, rel=0.05)
        assert float(found.pixels[:, 2][outside].median()) == pytest.approx(500, rel=0.05)
        assert float(((found.mine > 0.05) & (found.mine < 0.95)).float().mean()) < 0.1


def test_enlarging_enlarges() -> None:
    given = example()
    larger = augment(given, replace(STILL, scale_low=1.0, scale_high=1.4), 0, 1)
    smaller = augment(given, replace(STILL, scale_low=0.7, scale_high=1.0), 0, 1)
    assert float(larger.mine.mean()) > float(given.mine.mean()) > float(smaller.mine.mean())


def test_holes_stay_holes_and_their_labels_are_unknown() -> None:
    given = example()
    given.pixels[:, :, :9] = 0.0
    still = augment(given, replace(SMALL, rotation="none", scale_low=1.0, scale_high=1.0, flips=False), 0, 1)
    assert (still.pixels[:, :, :9] == 0).all()
    assert (still.pixels[:, :, 9:] >= 1).all()
    assert not still.known[:, :9].any()
    assert still.known[:, 9:].all()
    turned = augment(given, SMALL, 0, 2)
    assert torch.equal(turned.known, turned.pixels[:, 0] > 0)
    # no value is a mean with what was not observed: the darkest band of the darkest ground is about 400
    plain = augment(given, replace(STILL, rotation="any"), 0, 3)
    assert float(plain.pixels[plain.pixels > 0].min()) > 250


def test_a_coarser_sensor_keeps_means_and_leaves_holes_alone() -> None:
    given = example()
    given.pixels[:, :, :9] = 0.0
    found = augment(given, replace(STILL, coarse_share=1.0), 0, 1)
    assert torch.equal(found.pixels > 0, given.pixels > 0)
    inner = (slice(None), slice(None), slice(12, 60), slice(4, 60))
    assert float(found.pixels[inner].mean()) == pytest.approx(float(given.pixels[inner].mean()), rel=0.01)
    steps = [float((p[inner][..., 1:] - p[inner][..., :-1]).abs().mean()) for p in (found.pixels, given.pixels)]
    assert steps[0] < 0.7 * steps[1]
    some = augment(given, replace(STILL, coarse_share=0.5), 0, 1)
    changed = (some.pixels != given.pixels).flatten(1).any(dim=1)
    assert 0 < int(changed.sum()) < len(changed)


def test_colours_vary_as_much_as_is_asked() -> None:
    given = example(64)
    found = augment(given, replace(STILL, brightness=0.2, gain=0.1), 0, 1)
    factor = torch.log(found.pixels / given.pixels)
    assert float(factor.std(dim=(2, 3)).max()) < 1e-3
    assert float(factor[:, :, 0, 0].std()) == pytest.approx(0.2236, rel=0.2)
    bent = torch.log(augment(given, replace(STILL, gamma=0.2), 0, 1).pixels / given.pixels)
    assert float(bent.abs().max()) > 0.2
