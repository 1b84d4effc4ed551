"""Settings of the detection room: which classifier scans what, and which of its scores count."""

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from minemap_assets.detection.presets import PRESETS, Preset, PresetName
from minemap_assets.imagery.products import PRODUCTS
from minemap_assets.project.settings import LARGEST_SEED, StrictModel
from minemap_assets.segmentation.config import Device, Precision

Score = Annotated[float, Field(gt=0.0, lt=1.0)]


class DetectionConfig(StrictModel):
    """Scanning whole regions for mines that nobody knows of.

    With imported weights (`minemap scan weights`) what they read is scanned. Otherwise a classifier is trained on the
    sampling points (`minemap scan points`), and `product` is what is scanned and learnt from, in `bands` (by default
    all that are stored of the product).

    `preset` says which scores count, `threshold` and `isolated` what shall differ from it: the score from which a patch
    counts, and that of a patch without five others within 3 km. A patch of which less than `min_observed_share` was
    seen, or whose pixels were seen fewer than `min_observations` times on average, is not observed. Detections further
    than `far_metres` from the window of every known site are candidates for new sites. `sample_size` patches of a
    year's detections are drawn for labelling, by `sample_by` of `all` alike or as many in each `country`, and as many
    patches below the threshold, with `seed`.

    Of training, `members` are the networks of the ensemble, each of which leaves out its own share of the places,
    `steps` how long each learns, `batch_size` how many points a step sees, and `learning_rate` the highest rate of
    AdamW. Each is the first `levels` of EfficientNet-Lite0 over the patch enlarged `enlarge` times. `initial_weights`
    is empty for random weights, or `efficientnet-lite0`. A training that was interrupted goes on from its last
    checkpoint, kept every `checkpoint_minutes` (0: never). `device`, `precision` and `threads` are as for the
    segmentation; only `float32` gives the same scores everywhere.
    """

    product: str = "sentinel-2-l2a"
    bands: tuple[str, ...] = ()

    preset: PresetName = "default"
    threshold: Score | None = None
    isolated: Score | None = None
    min_observed_share: float = Field(0.9, gt=0.0, le=1.0)
    min_observations: float = Field(1.0, ge=0.0, le=1000.0)
    far_metres: float = Field(0.0, ge=0.0, le=1e6)
    sample_size: int = Field(500, ge=1, le=100_000)
    sample_by: Literal["all", "country"] = "all"
    seed: int = Field(0, ge=0, le=LARGEST_SEED)

    members: int = Field(6, ge=1, le=50)
    steps: int = Field(400, ge=1, le=1_000_000)
    batch_size: int = Field(32, ge=2, le=4096)
    learning_rate: float = Field(1e-3, gt=0.0, le=1.0)
    levels: int = Field(4, ge=1, le=5)
    enlarge: int = Field(2, ge=1, le=4)
    initial_weights: Literal["", "efficientnet-lite0"] = ""
    checkpoint_minutes: float = Field(5.0, ge=0.0, le=1440.0)
    device: Device = "auto"
    precision: Precision = "float32"
    threads: int = Field(1, ge=1, le=1024)

    @field_validator("product")
    @classmethod
    def _known_product(cls, value: str) -> str:
        if value not in PRODUCTS:
            raise ValueError(f"unknown product {value!r}; the products are {', '.join(PRODUCTS)}")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> "DetectionConfig":
        unknown = [band for band in self.bands if band not in PRODUCTS[self.product].bands]
        if unknown:
            has = ", ".join(PRODUCTS[self.product].bands)
            raise ValueError(f"{self.product} has no band {', '.join(unknown)}; it has {has}")
        if self.threshold is not None and self.isolated is not None and self.isolated < self.threshold:
            raise ValueError(f"isolated ({self.isolated}) is lower than threshold ({self.threshold}); swap them")
        return self

    @property
    def chosen(self) -> Preset:
        """The preset by its name, before a classifier's own thresholds and other settings take the place of its."""
        return PRESETS[self.preset]

    def training_settings(self) -> dict[str, Any]:
        """What a classifier that is trained hangs on, besides its points and their images."""
        names = {"members", "steps", "batch_size", "learning_rate", "levels", "enlarge", "initial_weights", "seed"}
        names |= {"threads", "min_observed_share", "min_observations"}
        return self.model_dump(mode="json", include=names)
