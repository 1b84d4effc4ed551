"""Crops: seeded, on mines, and honest about what was not observed."""

from collections.abc import Callable

import numpy as np

from minemap_assets.chips.reader import ChipSet
from minemap_assets.segmentation.config import SegmentationConfig
from minemap_assets.segmentation.dataset import CropSampler, turn, vary
from minemap_assets.segmentation.normalisation import Normalisation
from minemap_assets.segmentation.training_set import ChipLibrary, LabelledChip, assemble

from .conftest import scene, thirds, tiny_config

Make = Callable[..., ChipSet]
SCALE = Normalisation(mean=(1000.0,) * 4, spread=(1000.0,) * 4)
STILL = {"gain": 0.0, "brightness": 0.0, "offset": 0.0, "noise": 0.0}


def sampler(sets: list[ChipSet], config: SegmentationConfig) -> CropSampler:
    training_set = assemble(sets)
    return CropSampler(
        ChipLibrary(sets, 100), training_set.of("train"), dict.fromkeys(training_set.products, SCALE), config
    )


def test_a_batch_depends_on_seed_and_step_alone(chip_set: Make) -> None:
    chips = [chip_set([scene(i) for i in range(8)], split_of=thirds)]
    one, two = sampler(chips, tiny_config()), sampler(chips, tiny_config())
    one.batch(1)
    np.testing.assert_array_equal(one.batch(5).inputs, two.batch(5).inputs)
    assert not np.array_equal(one.batch(5).inputs, one.batch(6).inputs)
    assert not np.array_equal(one.batch(5).inputs, sampler(chips, tiny_config(seed=1)).batch(5).inputs)
    assert one.batch(1).inputs.shape == (4, 4, 32, 32)


def test_crops_are_placed_on_mines(chip_set: Make) -> None:
    chips = [chip_set([scene(i, mine=i % 8 == 0) for i in range(16)], split_of=thirds)]
    always, never = sampler(chips, tiny_config(mine_share=1.0)), sampler(chips, tiny_config(mine_share=0.0))
    assert all((always.batch(s).labels == 1).any(axis=(1, 2)).all() for s in range(10))
    share = np.mean([(never.batch(s).labels == 1).any(axis=(1, 2)).mean() for s in range(10)])
    assert share < 0.6


def test_products_take_turns(chip_set: Make) -> None:
    scenes = [scene(i) for i in range(4)]
    dark = [(np.full_like(p, 1), labels) for p, labels in scenes]
    sets = [chip_set(scenes, split_of=thirds), chip_set(dark, product="sentinel-2-l2a", split_of=thirds)]
    inputs = sampler(sets, tiny_config(**STILL)).batch(3).inputs
    assert [bool((crop == crop[0, 0, 0]).all()) for crop in inputs] == [False, True, False, True]


def test_turning_keeps_pixels_under_their_labels() -> None:
    labels = np.zeros((4, 4), dtype=np.uint8)
    labels[0, 1] = 1
    crop = LabelledChip((labels * 7 + 1).astype(np.uint16)[None], labels)
    places = set()
    for seed in range(60):
        turned = turn(crop, np.random.default_rng(seed), tiny_config())
        np.testing.assert_array_equal(turned.pixels[0], turned.labels * 7 + 1)
        places.add(int(np.flatnonzero(turned.labels)[0]))
    assert len(places) == 8


def test_variation_leaves_holes_alone_and_ignores_their_labels() -> None:
    pixels, labels = scene(0)
    pixels[:, :5] = 0
    varied = vary(LabelledChip(pixels, labels), np.random.default_rng(0), tiny_config())
    assert (varied.values[:, :5] == 0).all()
    assert (varied.values[:, 5:] >= 1).all()
    assert (varied.labels[:5] == 255).all()
    np.testing.assert_array_equal(varied.labels[5:], labels[5:])
    assert not np.allclose(varied.values[:, 5:], pixels[:, 5:])


def test_no_variation_is_no_change() -> None:
    pixels, labels = scene(0)
    varied = vary(LabelledChip(pixels, labels), np.random.default_rng(0), tiny_config(**STILL))
    np.testing.assert_array_equal(varied.values, pixels.astype(np.float32))
