"""Recipes: chosen by the number of labelled sites, changed setting by setting, and refused where they cannot work."""

import pytest
from pydantic import ValidationError

from minemap_assets.segmentation.config import SegmentationConfig
from minemap_assets.segmentation.networks.shapes import SEGFORMERS, SegformerShape, UNetShape
from minemap_assets.segmentation.recipes import FEW_SITES, LARGE, SMALL


def test_few_sites_take_the_small_recipe_and_many_the_large_one() -> None:
    auto = SegmentationConfig()
    assert auto.recipe_for(0) == auto.recipe_for(FEW_SITES - 1) == SMALL
    assert auto.recipe_for(FEW_SITES) == LARGE
    assert SegmentationConfig(recipe="large").recipe_for(3) == LARGE
    assert SegmentationConfig(recipe="small").recipe_for(10_000) == SMALL


def test_the_small_recipe_sees_whole_chips_at_20_metres() -> None:
    """The site's grid is of 5 m: so many of its pixels make one of the network's features."""
    assert isinstance(SMALL.network, UNetShape)
    assert SMALL.reduction * SMALL.network.stem * 5 == 20
    assert SMALL.crop * 5 >= 2500
    assert (SMALL.scale_low, SMALL.scale_high, SMALL.rotation) == (0.7, 1.4, "any")


def test_networks_read_pixels_twice_as_large_as_the_finest_product_or_as_large() -> None:
    config = SegmentationConfig()
    assert [config.recipe_for(10, metres).reduction for metres in (5.0, 10.0)] == [2, 4]
    assert [config.recipe_for(1000, metres).reduction for metres in (5.0, 10.0)] == [1, 2]
    assert SegmentationConfig(reduction=1).recipe_for(10, 10.0).reduction == 1


def test_the_large_recipe_is_a_segformer_at_native_resolution() -> None:
    assert isinstance(LARGE.network, SegformerShape)
    assert (LARGE.reduction, LARGE.crop, LARGE.head_multiplier, LARGE.decay) == (1, 512, 10.0, "linear")


def test_what_is_set_by_hand_holds() -> None:
    config = SegmentationConfig(steps=7, folds=1, dropout=0.3, widths=(4, 8))
    recipe = config.recipe_for(10)
    assert (recipe.steps, recipe.folds, recipe.learning_rate) == (7, 1, SMALL.learning_rate)
    assert recipe.network == UNetShape(widths=(4, 8), dropout=0.3)
    assert config.training_settings()["steps"] == 7
    assert "learning_rate" not in config.training_settings()


def test_networks_are_named() -> None:
    assert SegmentationConfig(variant="b5").recipe_for(10).network == SEGFORMERS["b5"]
    assert SegmentationConfig(architecture="segformer").recipe_for(10).network == SEGFORMERS["tiny"]
    assert SegmentationConfig(architecture="unet").recipe_for(1000).network == UNetShape()
    deep = SegmentationConfig(variant="b2", depths=(1, 1, 1, 1)).recipe_for(10).network
    assert isinstance(deep, SegformerShape)
    assert (deep.depths, deep.hidden_sizes) == ((1, 1, 1, 1), SEGFORMERS["b2"].hidden_sizes)


def test_open_weights_bring_their_own_encoder() -> None:
    network = SegmentationConfig(initial_weights="efficientnet-lite0").recipe_for(10).network
    assert isinstance(network, UNetShape)
    assert (network.encoder, network.stem) == ("efficientnet-lite0", 2)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"crop": 100}, "crop must be a multiple of 32"),
        ({"recipe": "large", "crop": 100}, "crop must be a multiple of 32"),
        ({"batch_size": 4096, "crop": 4096}, "pixels at a time"),
        ({"architecture": "segformer", "hidden_sizes": (8, 8, 8, 8), "heads": (3, 1, 1, 1)}, "multiple of its heads"),
        ({"variant": "b5", "depths": (256, 256, 256, 256)}, "weights; 500,000,000 are the most"),
        ({"cross_entropy_weight": 0.0, "dice_weight": 0.0}, "one of cross_entropy_weight and dice_weight"),
        ({"operating_point": 1.5}, "between 0 and 1"),
    ],
)
def test_settings_that_cannot_work_are_refused_when_they_are_read(settings: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        SegmentationConfig.model_validate(settings)
