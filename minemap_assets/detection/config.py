"""Settings of the detection room: which classifier scans what, and which of its scores count."""

from typing import Annotated

from pydantic import Field, field_validator, model_validator

from minemap_assets.detection.presets import PRESETS, Preset, PresetName
from minemap_assets.imagery.products import PRODUCTS
from minemap_assets.project.settings import LARGEST_SEED, StrictModel
from minemap_assets.segmentation.config import Device

Score = Annotated[float, Field(gt=0.0, lt=1.0)]


class DetectionConfig(StrictModel):
    """Scanning whole regions for mines that nobody knows of.

    `weights` are those of a patch classifier: the path or web address of a Keras `.h5` file, such as the published ones
    of Amazon Mining Watch; `sha256` its checksum, where it has to be that very file, and `licence` what it may be used
    for. Without `weights` a classifier is trained on the sampling points (`minemap scan points`). `product` is what is
    scanned, in `bands` (those that the published networks read, or all that are stored of the product). The published
    weights read sentinel-2-l1c.

    `preset` says which scores count, `threshold` and `isolated` what shall differ from it: the score from which a patch
    counts, and that of a patch without five others within 3 km. A patch of which less than `min_observed_share` was
    seen, or whose pixels were seen fewer than `min_observations` times on average, is not observed. Detections further
    than `far_metres` from the window of every known site are candidates for new sites. `sample_size` detections of a
    year are drawn for labelling, with `seed`.

    Of training, `members` are the networks of the ensemble, each trained on its own draw of the points, `epochs` how
    often each point is seen, `batch_size` how many at a time, and `learning_rate` the highest rate of AdamW. `device`
    and `threads` are as for the segmentation.
    """

    weights: str = ""
    sha256: str = Field("", pattern=r"^([0-9a-f]{64})?$")
    licence: str = ""
    product: str = "sentinel-2-l2a"
    bands: tuple[str, ...] = ()

    preset: PresetName = "default"
    threshold: Score | None = None
    isolated: Score | None = None
    min_observed_share: float = Field(0.9, gt=0.0, le=1.0)
    min_observations: float = Field(1.0, ge=0.0, le=1000.0)
    far_metres: float = Field(0.0, ge=0.0, le=1e6)
    sample_size: int = Field(500, ge=1, le=100_000)
    seed: int = Field(0, ge=0, le=LARGEST_SEED)

    members: int = Field(6, ge=1, le=50)
    epochs: int = Field(60, ge=1, le=100_000)
    batch_size: int = Field(32, ge=2, le=4096)
    learning_rate: float = Field(1e-3, gt=0.0, le=1.0)
    device: Device = "auto"
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
