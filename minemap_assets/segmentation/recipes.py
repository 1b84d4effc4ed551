"""Recipes: how a network is trained, in every detail, and which recipe fits the amount of ground truth.

`small` is for fewer labelled sites than `FEW_SITES`: a U-Net that sees a whole chip at a working resolution of 20 m,
strong augmentation, and a model for each fold, which together are the ensemble. `large` is the SegFormer of the
published maps at the chips' own resolution: AdamW with a faster head, warm-up, a line to zero (mmsegmentation's
polynomial of power 1), hard pixels first (method and figures: SegFormer, Xie et al. 2021, and mmsegmentation's ADE20K
settings).
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from pydantic import ValidationError

from minemap_assets.errors import BadInputError
from minemap_assets.segmentation.networks.shapes import SEGFORMERS, NetworkShape, SegformerShape, UNetShape, Variant
from minemap_assets.sites.config import RESOLUTION

RecipeName = Literal["small", "large"]
Decay = Literal["cosine", "linear"]
Rotation = Literal["none", "quarters", "any"]

FEW_SITES = 200
"""Labelled sites below which the small recipe is the better one."""

MOST_PARAMETERS = 500_000_000
"""Weights of the largest network: six times SegFormer-B5's, four bytes each before training makes copies of them."""

MOST_PIXELS = 2**27
"""Pixels of the largest batch: 512 crops of 512 x 512."""


@dataclass(frozen=True)
class Augmentation:
    """How what is trained on is turned, enlarged and recoloured; each is explained at `SegmentationConfig`."""

    flips: bool
    rotation: Rotation
    scale_low: float
    scale_high: float
    brightness: float
    gain: float
    gamma: float
    offset: float
    noise: float
    coarse_share: float


@dataclass(frozen=True)
class Recipe(Augmentation):
    """Everything that training depends on besides its chips and its seed; each is explained at `SegmentationConfig`."""

    name: RecipeName
    network: NetworkShape
    reduction: int
    folds: int
    steps: int
    batch_size: int
    crop: int
    mine_share: float
    learning_rate: float
    head_multiplier: float
    warmup: int
    decay: Decay
    weight_decay: float
    gradient_clip: float
    average: float
    cross_entropy_weight: float
    dice_weight: float
    balanced: bool
    hard_share: float


SMALL = Recipe(
    name="small",
    network=UNetShape(),
    reduction=2,
    folds=3,
    steps=300,
    batch_size=8,
    crop=1024,
    mine_share=0.5,
    learning_rate=3e-3,
    head_multiplier=1.0,
    warmup=20,
    decay="cosine",
    weight_decay=0.01,
    gradient_clip=1.0,
    average=0.99,
    cross_entropy_weight=1.0,
    dice_weight=1.0,
    balanced=False,
    hard_share=1.0,
    flips=True,
    rotation="any",
    scale_low=0.7,
    scale_high=1.4,
    brightness=0.2,
    gain=0.08,
    gamma=0.2,
    offset=0.0,
    noise=0.005,
    coarse_share=0.0,
)

LARGE = Recipe(
    name="large",
    network=SEGFORMERS["b0"],
    reduction=1,
    folds=1,
    steps=40_000,
    batch_size=8,
    crop=512,
    mine_share=0.5,
    learning_rate=6e-5,
    head_multiplier=10.0,
    warmup=1500,
    decay="linear",
    weight_decay=0.01,
    gradient_clip=1.0,
    average=0.999,
    cross_entropy_weight=1.0,
    dice_weight=0.0,
    balanced=True,
    hard_share=0.38,
    flips=True,
    rotation="quarters",
    scale_low=0.5,
    scale_high=2.0,
    brightness=0.1,
    gain=0.05,
    gamma=0.0,
    offset=0.005,
    noise=0.005,
    coarse_share=0.0,
)

RECIPES: dict[RecipeName, Recipe] = {"small": SMALL, "large": LARGE}


def choose(
    wanted: Literal["auto", "small", "large"], sites: int, own: Mapping[str, Any], finest: float = RESOLUTION
) -> Recipe:
    """The recipe for so many labelled sites, with the settings that a person made (`own`, by name) in place of the
    recipe's own.

    `finest` is the pixel in metres of the finest product that is learned from: a recipe's own `reduction` is for 5 m,
    and doubles where there is nothing finer than 10 m, because chips of such a product are only interpolated.

    Raises `BadInputError` where the settings do not fit each other or the recipe.
    """
    name: RecipeName = wanted if wanted != "auto" else ("small" if sites < FEW_SITES else "large")
    base = replace(RECIPES[name], reduction=RECIPES[name].reduction * max(1, round(finest / RESOLUTION)))
    known = {field.name for field in fields(Recipe)}
    chosen = {name: value for name, value in own.items() if name in known}
    recipe = replace(base, **chosen, network=_network(own, base.network))
    _check(recipe)
    return recipe


def _network(own: Mapping[str, Any], usual: NetworkShape) -> NetworkShape:
    """The recipe's network, or the one that was asked for, with what was set of it."""
    variant: Variant | None = own.get("variant")
    if own.get("initial_weights") == "efficientnet-lite0":
        own = {"architecture": "unet", "encoder": "efficientnet-lite0", "stem": 2} | dict(own)
    wanted = own.get("architecture") or ("segformer" if variant is not None else usual.architecture)
    shape: NetworkShape
    if wanted == "unet":
        shape = usual if isinstance(usual, UNetShape) else UNetShape()
    elif variant is not None:
        shape = SEGFORMERS[variant]
    else:
        shape = usual if isinstance(usual, SegformerShape) else SEGFORMERS["tiny"]
    known = type(shape).model_fields
    chosen = {name: value for name, value in own.items() if name in known}
    try:
        return type(shape).model_validate(shape.model_dump() | chosen | {"architecture": wanted})
    except ValidationError as error:
        raise BadInputError(f"[segmentation]: {error.errors()[0]['msg'].removeprefix('Value error, ')}") from error


def _check(recipe: Recipe) -> None:
    pixels = recipe.batch_size * (recipe.crop // recipe.reduction) ** 2
    if pixels > MOST_PIXELS:
        raise BadInputError(
            f"[segmentation]: batch_size {recipe.batch_size} of crop {recipe.crop} is {pixels:,} pixels at a time; "
            f"{MOST_PIXELS:,} are the most"
        )
    if recipe.crop % 32:
        raise BadInputError(f"[segmentation]: crop must be a multiple of 32, not {recipe.crop}")
    if recipe.network.parameters > MOST_PARAMETERS:
        raise BadInputError(
            f"[segmentation]: the network would have about {recipe.network.parameters:,} weights; "
            f"{MOST_PARAMETERS:,} are the most"
        )
    if recipe.cross_entropy_weight + recipe.dice_weight <= 0:
        raise BadInputError("[segmentation]: one of cross_entropy_weight and dice_weight must be above zero")
    if recipe.scale_low > recipe.scale_high:
        raise BadInputError(f"[segmentation]: scale_low {recipe.scale_low} is above scale_high {recipe.scale_high}")
