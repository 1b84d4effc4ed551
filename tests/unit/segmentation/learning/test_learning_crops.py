"""Crops: seeded, on mines, site by site, and honest about what was not observed."""

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from minemap_assets.chips.reader import ChipSet
from minemap_assets.segmentation.config import SegmentationConfig
from minemap_assets.segmentation.learning.crops import Batch, CropSampler, CropSource, class_weights, coarser
from minemap_assets.segmentation.training_set import ChipLibrary, LabelledChip, assemble

from ..conftest import chip_rows, scene, thirds, tiny_config

Make = Callable[..., ChipSet]


def sampler(sets: list[ChipSet], config: SegmentationConfig) -> CropSampler:
    training_set, recipe = assemble(sets), config.recipe_for(10)
    source = CropSource(ChipLibrary(sets, 100), recipe.reduction, 100)
    return CropSampler(source, training_set.of("train"), recipe, config.seed)


def same(one: Batch, two: Batch) -> bool:
    return all(np.array_equal(getattr(one, name), getattr(two, name)) for name in ("pixels", "mine", "known"))


def test_a_batch_depends_on_seed_and_step_alone(chip_set: Make) -> None:
    chips = [chip_set([scene(i) for i in range(8)], split_of=thirds)]
    one, two = sampler(chips, tiny_config()), sampler(chips, tiny_config())
    one.batch(1)
    assert same(one.batch(5), two.batch(5))
    assert not same(one.batch(5), one.batch(6))
    assert not same(one.batch(5), sampler(chips, tiny_config(seed=1)).batch(5))
    assert one.batch(1).pixels.shape == (4, 4, 32, 32)
    assert one.batch(1).mine.shape == one.batch(1).known.shape == (4, 32, 32)


def test_crops_are_placed_on_mines(chip_set: Make) -> None:
    chips = [chip_set([scene(i, mine=i % 8 == 0) for i in range(16)], split_of=thirds)]
    always, never = sampler(chips, tiny_config(mine_share=1.0)), sampler(chips, tiny_config(mine_share=0.0))
    assert all((always.batch(s).mine == 1).any(axis=(1, 2)).all() for s in range(10))
    share = np.mean([(never.batch(s).mine == 1).any(axis=(1, 2)).mean() for s in range(10)])
    assert share < 0.6


def test_products_take_turns(chip_set: Make) -> None:
    scenes = [scene(i) for i in range(4)]
    dark = [(np.full_like(p, 1), labels) for p, labels in scenes]
    sets = [chip_set(scenes, split_of=thirds), chip_set(dark, product="sentinel-2-l2a", split_of=thirds)]
    batch = sampler(sets, tiny_config()).batch(3)
    assert [bool((crop == 1).all()) for crop in batch.pixels] == [False, True, False, True]
    assert batch.products == ("planet-nicfi", "sentinel-2-l2a") * 2


def test_a_site_of_many_chips_is_drawn_as_often_as_one_of_one(chip_set: Make) -> None:
    """Ten chips of one giant and one chip of another site: half of the crops are of each."""
    scenes = [(np.full((4, 64, 64), 100 + i, np.uint16), scene(i)[1]) for i in range(11)]
    frame = chip_rows(11, lambda _: "g", lambda _: "train")
    frame["site_id"] = ["giant"] * 10 + ["small"]
    drawn = sampler([chip_set(scenes, split_of=lambda _: "train", frame=frame)], tiny_config(batch_size=16))
    values = Counter(int(crop.max()) for step in range(25) for crop in drawn.batch(step).pixels)
    assert values[110] / values.total() == pytest.approx(0.5, abs=0.07)


def test_coarser_pixels_are_means_of_what_is_known() -> None:
    pixels = np.array([[[10, 20, 7, 0], [30, 0, 0, 0]]], dtype=np.uint16)
    labels = np.array([[1, 0, 1, 255], [1, 255, 255, 255]], dtype=np.uint8)
    crop = coarser(LabelledChip(pixels, labels), 2)
    assert crop.pixels.tolist() == [[[20, 7]]]
    assert crop.mine[0, 0] == pytest.approx(2 / 3)
    assert crop.known.tolist() == [[True, False]]


@given(
    arrays.arrays(np.uint16, (2, 8, 8), elements=st.integers(0, 12_000)),
    arrays.arrays(np.uint8, (8, 8), elements=st.sampled_from([0, 1, 255])),
    st.sampled_from([1, 2, 4]),
)
def test_coarser_keeps_sums_and_bounds(pixels: np.ndarray, labels: np.ndarray, reduction: int) -> None:
    crop = coarser(LabelledChip(pixels, labels), reduction)
    assert crop.pixels.shape == (2, 8 // reduction, 8 // reduction)
    assert ((crop.mine >= 0) & (crop.mine <= 1)).all()
    assert (crop.pixels <= pixels.max()).all()
    seen = (pixels > 0).reshape(2, 8 // reduction, reduction, 8 // reduction, reduction).any(axis=(2, 4))
    np.testing.assert_array_equal(crop.pixels > 0, seen)
    if (labels != 255).all():
        assert crop.mine.mean() == pytest.approx((labels == 1).mean(), abs=1e-6)


def test_rare_classes_weigh_more_and_never_saturate(chip_set: Make) -> None:
    """A class of share s weighs 1 / (1 - exp(-s)), and a pixel weighs one on average."""
    labels = np.zeros((64, 64), np.uint8)
    labels[:4] = 1
    pixels = np.full((4, 64, 64), 100, np.uint16)
    sets = [chip_set([(pixels, labels)], split_of=lambda _: "train")]
    source, refs = CropSource(ChipLibrary(sets, 10), 1, 10), assemble(sets).refs
    weights = class_weights(source, refs, balanced=True)
    share = 1 / 16
    assert weights["mine"] / weights["other"] == pytest.approx((1 - np.exp(share - 1)) / (1 - np.exp(-share)))
    assert share * weights["mine"] + (1 - share) * weights["other"] == pytest.approx(1.0)
    assert class_weights(source, refs, balanced=False) == {"mine": 1.0, "other": 1.0}
