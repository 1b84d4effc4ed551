"""Settings of the segmentation room.

The defaults train a small SegFormer from random weights in minutes on two CPU cores. Table 6 of the SegFormer paper
(Xie et al. 2021) gives the widths and depths of B0 to B5; the seed paper used B5.
"""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from minemap_assets.project.settings import LARGEST_SEED, StrictModel

Device = Literal["auto", "cpu", "cuda"]
OperatingPoint = Literal["match_area", "max_miou"]

Width = Annotated[int, Field(ge=1, le=4096)]
Depth = Annotated[int, Field(ge=1, le=256)]
Heads = Annotated[int, Field(ge=1, le=256)]
Stride = Annotated[int, Field(ge=1, le=8)]

MOST_PARAMETERS = 500_000_000
"""Weights of the largest network: six times SegFormer-B5's, four bytes each before training makes copies of them."""

MOST_PIXELS = 2**27
"""Pixels of the largest batch: 512 chips of 512 x 512."""

PREDICTION_FIELDS = frozenset(
    {"operating_point", "batch_predict", "device", "threads", "preview_sites", "checkpoint_minutes"}
)
"""Settings that do not change a trained model (`threads` changes its last digits only through training)."""


class SegmentationConfig(StrictModel):
    """Network, training and prediction.

    The network has four stages, with `hidden_sizes` channels, `depths` blocks and `heads` of attention each. Its
    `decoder_width` is the number of channels of the decoder. `strides` are those of the patch embeddings (logits come
    at a resolution of input / strides[0]). While it trains, `drop_path` is the share of blocks that are left out, and
    `dropout` that of the values the last layer gets.

    Training takes a fixed number of `steps`. A step sees `batch_size` crops. `crop` is their side in pixels.
    `mine_share` of them are placed on a mine pixel. Every `validate_every` steps the model is scored on at most
    `validation_chips` whole chips, and the last one that is as good as any is kept. `learning_rate` is the highest rate
    of AdamW: it rises over `warmup` steps and then falls as `decay` says. `weight_decay` is AdamW's. Gradients are cut
    off at the norm `gradient_clip`. The loss is `cross_entropy_weight` times cross-entropy, in which a mine pixel
    counts `mine_weight` times, and `dice_weight` times Dice. `seed` is where every random number starts.

    Of the augmentation, `flips` mirrors crops, and `rotations` turns them by quarters of a circle. `gain` and `offset`
    are the spread of a factor and of a shift (reflectance) a band. `brightness` is that of one factor for all bands.
    `noise` is the standard deviation a pixel (reflectance).

    At most `normalisation_chips` chips give each band's mean and spread. At most `calibration_chips` chips of a product
    give calibration and operating points. `chip_cache_megabytes` bounds the chips that are kept in memory. The state of
    training is kept every `checkpoint_minutes` (0 = never), for a run that is killed to be gone on with; that changes
    nothing of the model.

    For masks, `operating_point` is a name or the user's own threshold in (0, 1). `batch_predict` chips are predicted at
    a time. The picture of a partition shows at most `preview_sites` sites. `device` is where torch computes: `auto` is
    the GPU where there is one. `threads` of torch, on a CPU: one by default, because two threads of a small network
    wait for each other as soon as anything else runs on the machine (measured: five times slower in all), and the last
    digits hang on their number.
    """

    hidden_sizes: tuple[Width, Width, Width, Width] = (16, 32, 64, 128)
    depths: tuple[Depth, Depth, Depth, Depth] = (1, 1, 1, 1)
    heads: tuple[Heads, Heads, Heads, Heads] = (1, 2, 4, 8)
    strides: tuple[Stride, Stride, Stride, Stride] = (4, 2, 2, 2)
    decoder_width: int = Field(64, ge=8, le=4096)
    drop_path: float = Field(0.0, ge=0.0, lt=1.0)
    dropout: float = Field(0.0, ge=0.0, lt=1.0)

    steps: int = Field(800, ge=1, le=10_000_000)
    batch_size: int = Field(8, ge=1, le=4096)
    crop: int = Field(160, ge=32, le=4096)
    mine_share: float = Field(0.6, ge=0.0, le=1.0)
    learning_rate: float = Field(1.5e-3, gt=0.0, le=10.0)
    warmup: int = Field(40, ge=0, le=10_000_000)
    weight_decay: float = Field(0.01, ge=0.0, le=10.0)
    decay: Literal["cosine", "linear"] = "cosine"
    gradient_clip: float = Field(1.0, gt=0.0, le=1e6)
    cross_entropy_weight: float = Field(1.0, ge=0.0, le=1e6)
    dice_weight: float = Field(0.5, ge=0.0, le=1e6)
    mine_weight: float = Field(1.0, gt=0.0, le=1e6)
    flips: bool = True
    rotations: bool = True
    gain: float = Field(0.05, ge=0.0, lt=1.0)
    brightness: float = Field(0.1, ge=0.0, lt=1.0)
    offset: float = Field(0.005, ge=0.0, lt=0.5)
    noise: float = Field(0.005, ge=0.0, lt=0.5)
    validate_every: int = Field(100, ge=1, le=10_000_000)
    validation_chips: int = Field(48, ge=1, le=1_000_000)
    calibration_chips: int = Field(256, ge=1, le=1_000_000)
    normalisation_chips: int = Field(256, ge=1, le=1_000_000)
    chip_cache_megabytes: int = Field(512, ge=0, le=1_000_000)
    seed: int = Field(0, ge=0, le=LARGEST_SEED)
    checkpoint_minutes: float = Field(2.0, ge=0.0, le=1440.0)

    operating_point: OperatingPoint | float = "match_area"
    batch_predict: int = Field(2, ge=1, le=1024)
    device: Device = "auto"
    threads: int = Field(1, ge=1, le=1024)
    preview_sites: int = Field(12, ge=1, le=1000)

    @model_validator(mode="after")
    def _consistent(self) -> "SegmentationConfig":
        if self.crop % 32:
            raise ValueError(f"crop must be a multiple of 32, not {self.crop}")
        if any(size % heads for size, heads in zip(self.hidden_sizes, self.heads, strict=True)):
            raise ValueError(f"each of hidden_sizes {self.hidden_sizes} must be a multiple of its heads {self.heads}")
        if self.batch_size * self.crop**2 > MOST_PIXELS:
            raise ValueError(
                f"batch_size {self.batch_size} of crop {self.crop} is {self.batch_size * self.crop**2:,} pixels at a "
                f"time; {MOST_PIXELS:,} are the most"
            )
        if self.parameters > MOST_PARAMETERS:
            raise ValueError(
                f"hidden_sizes {self.hidden_sizes}, depths {self.depths} and decoder_width {self.decoder_width} make a "
                f"network of about {self.parameters:,} weights; {MOST_PARAMETERS:,} are the most"
            )
        if isinstance(self.operating_point, float) and not 0.0 < self.operating_point < 1.0:
            raise ValueError(f"an own operating_point lies between 0 and 1, not {self.operating_point}")
        if self.cross_entropy_weight + self.dice_weight <= 0:
            raise ValueError("one of cross_entropy_weight and dice_weight must be above zero")
        return self

    @property
    def parameters(self) -> int:
        """About how many weights the network has: twelve times a stage's width squared in each of its blocks."""
        stages = sum(12 * depth * width**2 for depth, width in zip(self.depths, self.hidden_sizes, strict=True))
        joints = sum(9 * a * b for a, b in zip(self.hidden_sizes, self.hidden_sizes[1:], strict=False))
        return stages + joints + self.decoder_width * (sum(self.hidden_sizes) + 4 * self.decoder_width)

    def training_settings(self) -> dict[str, Any]:
        """The settings a trained model depends on, for its fingerprint."""
        plain = self.model_dump(mode="json")
        return {k: v for k, v in plain.items() if k not in PREDICTION_FIELDS or k == "threads"}

    def mask_settings(self) -> dict[str, Any]:
        """The settings that masks depend on, for their fingerprint."""
        return self.model_dump(mode="json", include={"operating_point", "preview_sites"})
