"""Settings of the segmentation room.

The defaults train a small SegFormer from random weights in minutes on two CPU cores. Table 6 of the SegFormer paper
(Xie et al. 2021) gives the widths and depths of B0 to B5; the seed paper used B5.
"""

from typing import Any, Literal

from pydantic import Field, model_validator

from minemap_assets.project.settings import StrictModel

Device = Literal["auto", "cpu", "cuda"]
OperatingPoint = Literal["match_area", "max_miou"]

PREDICTION_FIELDS = frozenset({"operating_point", "batch_predict", "device", "threads", "preview_sites"})
"""Settings that do not change a trained model (`threads` changes its last digits only through training)."""


class SegmentationConfig(StrictModel):
    """Network, training and prediction.

    Network: `hidden_sizes`, `depths` and `heads` of the four stages; `decoder_width`; `strides` of the patch
    embeddings (logits come at a resolution of input / strides[0]).
    Training: a fixed number of `steps`; `crop` and `batch_size` in pixels and crops; `mine_share` of the crops are
    placed on a mine pixel; every `validate_every` steps the model is scored on at most `validation_chips` whole chips,
    and the last one that is as good as any is kept. Augmentation: `gain` and `offset` are the spread of a factor and of
    a shift (reflectance) a band, `brightness` that of one factor for all bands, `noise` the standard deviation a pixel
    (reflectance).
    Prediction: `operating_point` is a name or the user's own threshold in (0, 1); `batch_predict` chips at a time.
    `threads` of torch, on a CPU: one by default, because two threads of a small network wait for each other as soon as
    anything else runs on the machine (measured: five times slower in all), and the last digits hang on their number.
    """

    hidden_sizes: tuple[int, int, int, int] = (16, 32, 64, 128)
    depths: tuple[int, int, int, int] = (1, 1, 1, 1)
    heads: tuple[int, int, int, int] = (1, 2, 4, 8)
    strides: tuple[int, int, int, int] = (4, 2, 2, 2)
    decoder_width: int = Field(64, ge=8)
    drop_path: float = Field(0.0, ge=0.0, lt=1.0)
    dropout: float = Field(0.0, ge=0.0, lt=1.0)

    steps: int = Field(800, ge=1)
    batch_size: int = Field(8, ge=1)
    crop: int = Field(160, ge=32)
    mine_share: float = Field(0.6, ge=0.0, le=1.0)
    learning_rate: float = Field(1.5e-3, gt=0.0)
    warmup: int = Field(40, ge=0)
    weight_decay: float = Field(0.01, ge=0.0)
    decay: Literal["cosine", "linear"] = "cosine"
    gradient_clip: float = Field(1.0, gt=0.0)
    cross_entropy_weight: float = Field(1.0, ge=0.0)
    dice_weight: float = Field(0.5, ge=0.0)
    mine_weight: float = Field(1.0, gt=0.0)
    flips: bool = True
    rotations: bool = True
    gain: float = Field(0.05, ge=0.0, lt=1.0)
    brightness: float = Field(0.1, ge=0.0, lt=1.0)
    offset: float = Field(0.005, ge=0.0, lt=0.5)
    noise: float = Field(0.005, ge=0.0, lt=0.5)
    validate_every: int = Field(100, ge=1)
    validation_chips: int = Field(48, ge=1)
    calibration_chips: int = Field(256, ge=1)
    normalisation_chips: int = Field(256, ge=1)
    chip_cache_megabytes: int = Field(512, ge=0)
    seed: int = Field(0, ge=0)

    operating_point: OperatingPoint | float = "match_area"
    batch_predict: int = Field(2, ge=1)
    device: Device = "auto"
    threads: int = Field(1, ge=1)
    preview_sites: int = Field(12, ge=1)

    @model_validator(mode="after")
    def _consistent(self) -> "SegmentationConfig":
        if self.crop % 32:
            raise ValueError(f"crop must be a multiple of 32, not {self.crop}")
        if any(size % heads for size, heads in zip(self.hidden_sizes, self.heads, strict=True)):
            raise ValueError(f"each of hidden_sizes {self.hidden_sizes} must be a multiple of its heads {self.heads}")
        if isinstance(self.operating_point, float) and not 0.0 < self.operating_point < 1.0:
            raise ValueError(f"an own operating_point lies between 0 and 1, not {self.operating_point}")
        if self.cross_entropy_weight + self.dice_weight <= 0:
            raise ValueError("one of cross_entropy_weight and dice_weight must be above zero")
        return self

    def training_settings(self) -> dict[str, Any]:
        """The settings a trained model depends on, for its fingerprint."""
        plain = self.model_dump(mode="json")
        return {k: v for k, v in plain.items() if k not in PREDICTION_FIELDS or k == "threads"}

    def mask_settings(self) -> dict[str, Any]:
        """The settings that masks depend on, for their fingerprint."""
        return self.model_dump(mode="json", include={"operating_point", "preview_sites"})
