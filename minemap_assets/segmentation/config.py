"""Settings of the segmentation room: what may be set of a recipe, and how a model is used."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from minemap_assets.errors import BadInputError
from minemap_assets.project.settings import LARGEST_SEED, StrictModel
from minemap_assets.segmentation.networks.shapes import (
    Architecture,
    Depth,
    Encoder,
    Heads,
    Share,
    Stride,
    Variant,
    Width,
)
from minemap_assets.segmentation.recipes import Decay, Recipe, Rotation, choose
from minemap_assets.sites.config import RESOLUTION

Device = Literal["auto", "cpu", "cuda"]
OperatingPoint = Literal["match_area", "max_miou"]
Precision = Literal["auto", "float32", "bfloat16"]

Weight = Annotated[float, Field(ge=0.0, le=1e6)]
Steps = Annotated[int, Field(ge=0, le=10_000_000)]
Four = tuple[Width, Width, Width, Width]

PREDICTION_FIELDS = frozenset(
    {"operating_point", "batch_predict", "device", "threads", "preview_sites", "checkpoint_minutes"}
)
"""Settings that do not change a trained model (`threads` changes its last digits only through training)."""


class SegmentationConfig(StrictModel):
    """Recipe, network, training and prediction.

    `recipe` is how the network is trained: `small` fits fewer than 200 labelled sites, `large` more, and `auto` counts
    them. Every setting that stands in the recipe may be made by hand; where none is made, the recipe's holds.

    `architecture` is the network: a U-Net or a SegFormer. `variant` is a SegFormer's size, from which
    `hidden_sizes`, `depths`, `heads`, `strides` and `decoder_width` may differ: four stages with so many channels,
    blocks and heads of attention each. `encoder` is a U-Net's way down, `widths` are its channels a level, `stem`
    the stride before the first one, and `detail` the channels that go round the stem for finer outlines.
    `drop_path` is the share of blocks that are left out while a SegFormer trains, and `dropout` that of channels.
    `initial_weights` is what training starts from: empty for random weights, a local folder, a hub id such as
    `nvidia/mit-b5`, or `efficientnet-lite0` for the installed package.

    `reduction` is how many pixels of a chip a side make one of the network's: 2 is 10 m. `folds` is the number of
    models, each trained without its own fold of the ground, that together are the ensemble; with 1 a single model is
    trained, and the validation sites are its held-out ground. Training takes a fixed number of `steps` a model. A step
    sees `batch_size` crops of `crop` chip pixels a side. `mine_share` of them are placed on a mine pixel.
    `learning_rate` is the highest rate of AdamW, `head_multiplier` times that for the decoder: it rises over `warmup`
    steps and then falls as `decay` says. `weight_decay` is AdamW's. Gradients are cut off at the norm `gradient_clip`.
    The weights that are kept are a running average that forgets the share 1 - `average` a step. The loss is
    `cross_entropy_weight` times cross-entropy and `dice_weight` times Dice; `balanced` weighs both classes by their
    rarity, and only the `hard_share` of pixels with the highest loss counts. `seed` is where every random number
    starts.

    Of the augmentation, `flips` mirrors crops, `rotation` turns them by quarters of a circle or any angle, and
    `scale_low` to `scale_high` is the range in which they are enlarged. `brightness` is the spread of one factor for
    all bands, `gain` that of one a band, `gamma` that of the exponent of reflectance, and `offset` that of a shift a
    band. `noise` is the standard deviation a pixel (reflectance). `coarse_share` of the crops are shown as by a sensor
    of half the resolution.

    At most `normalisation_chips` chips give each band's mean and spread. Of one model every `validate_every` steps are
    scored on at most `validation_chips` chips. `chip_cache_megabytes` bounds the chips that are kept in memory. The
    state of training is kept every `checkpoint_minutes` (0 = never), for a run that is killed to be gone on with; that
    changes nothing of the model.

    For masks, `operating_point` is a name or the user's own threshold in (0, 1). On a GPU at most `batch_predict`
    chips are predicted at a time, on a CPU always one. The picture of a partition shows at most `preview_sites`
    sites. `device` is where torch computes: `auto` is the GPU where there is one. `precision` is that of the
    network's sums: `auto` is bfloat16 where the processor has it, which is about twice as fast; a U-Net learns so
    and is predicted in float32, because its decisions change otherwise. `threads` of torch, on a CPU: one by
    default, because two threads of a small network wait for each other as soon as anything else runs on the machine
    (measured: five times slower in all), and the last digits hang on their number.
    """

    recipe: Literal["auto", "small", "large"] = "auto"

    architecture: Architecture | None = None
    variant: Variant | None = None
    initial_weights: str = ""
    hidden_sizes: Four | None = None
    depths: tuple[Depth, Depth, Depth, Depth] | None = None
    heads: tuple[Heads, Heads, Heads, Heads] | None = None
    strides: tuple[Stride, Stride, Stride, Stride] | None = None
    decoder_width: int | None = Field(None, ge=8, le=4096)
    encoder: Encoder | None = None
    widths: tuple[Width, ...] | None = Field(None, min_length=2, max_length=8)
    stem: Stride | None = None
    detail: int | None = Field(None, ge=0, le=1024)
    drop_path: Share | None = None
    dropout: Share | None = None

    reduction: Literal[1, 2, 4, 8] | None = None
    folds: int | None = Field(None, ge=1, le=10)
    steps: int | None = Field(None, ge=1, le=10_000_000)
    batch_size: int | None = Field(None, ge=1, le=4096)
    crop: int | None = Field(None, ge=32, le=4096)
    mine_share: float | None = Field(None, ge=0.0, le=1.0)
    learning_rate: float | None = Field(None, gt=0.0, le=10.0)
    head_multiplier: float | None = Field(None, gt=0.0, le=1000.0)
    warmup: Steps | None = None
    decay: Decay | None = None
    weight_decay: float | None = Field(None, ge=0.0, le=10.0)
    gradient_clip: float | None = Field(None, gt=0.0, le=1e6)
    average: Share | None = None
    cross_entropy_weight: Weight | None = None
    dice_weight: Weight | None = None
    balanced: bool | None = None
    hard_share: float | None = Field(None, gt=0.0, le=1.0)
    flips: bool | None = None
    rotation: Rotation | None = None
    scale_low: float | None = Field(None, gt=0.1, le=1.0)
    scale_high: float | None = Field(None, ge=1.0, le=10.0)
    brightness: Share | None = None
    gain: Share | None = None
    gamma: Share | None = None
    offset: float | None = Field(None, ge=0.0, lt=0.5)
    noise: float | None = Field(None, ge=0.0, lt=0.5)
    coarse_share: float | None = Field(None, ge=0.0, le=1.0)

    validate_every: int = Field(1000, ge=1, le=10_000_000)
    validation_chips: int = Field(48, ge=1, le=1_000_000)
    normalisation_chips: int = Field(256, ge=1, le=1_000_000)
    chip_cache_megabytes: int = Field(512, ge=0, le=1_000_000)
    seed: int = Field(0, ge=0, le=LARGEST_SEED)
    checkpoint_minutes: float = Field(2.0, ge=0.0, le=1440.0)

    operating_point: OperatingPoint | float = "match_area"
    batch_predict: int = Field(4, ge=1, le=1024)
    device: Device = "auto"
    precision: Precision = "auto"
    threads: int = Field(1, ge=1, le=1024)
    preview_sites: int = Field(12, ge=1, le=1000)

    @model_validator(mode="after")
    def _consistent(self) -> "SegmentationConfig":
        if isinstance(self.operating_point, float) and not 0.0 < self.operating_point < 1.0:
            raise ValueError(f"an own operating_point lies between 0 and 1, not {self.operating_point}")
        for sites in (1, 10**9) if self.recipe == "auto" else (1,):
            try:
                self.recipe_for(sites)
            except BadInputError as error:
                raise ValueError(str(error).removeprefix("[segmentation]: ")) from error
        return self

    def recipe_for(self, sites: int, finest: float = RESOLUTION) -> Recipe:
        """The recipe for so many labelled sites, whose finest product has pixels of so many metres.

        Raises `BadInputError` where settings do not fit each other.
        """
        own = {name: value for name in type(self).model_fields if (value := getattr(self, name)) is not None}
        return choose(self.recipe, sites, own, finest)

    def training_settings(self) -> dict[str, Any]:
        """The settings a trained model depends on, for its fingerprint."""
        plain = self.model_dump(mode="json", exclude_none=True)
        return {k: v for k, v in plain.items() if k not in PREDICTION_FIELDS or k == "threads"}

    def mask_settings(self) -> dict[str, Any]:
        """The settings that masks depend on, for their fingerprint."""
        return self.model_dump(mode="json", include={"operating_point", "precision", "preview_sites"})
