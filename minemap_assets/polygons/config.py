"""Settings of the polygons room and its two presets."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from minemap_assets.project.settings import PresetModel

WIDEST_WINDOW = 2
"""Years on each side of a year that may decide about it, at most."""


class PolygonsConfig(PresetModel):
    """How masks become mining polygons.

    The defaults are this project's; the `preset` parity is the published rule, wherever no value is given (its variant
    also widens by 100 m). `window` is the number of years looked at on each side. With the `rule` hmm each pixel is a
    chain of two states over these years: `appear` and `disappear` are the yearly chances that mining begins or ends on
    a pixel, or they are estimated from the masks of the window (`hmm_parameters` "estimated"), and `hmm_trust` says how
    much a year's own probability counts (1: as if the errors of neighbouring years had nothing in common). With
    intersect, the published rule, a polygon stays where the nearest observed year on either side has one there, and
    `buffer_m` widens polygons (metres) before they are compared. `outlines` "pixels" follow pixel edges; "smoothed"
    ones cut their corners at unchanged area. With `holes` "small", holes below
    `min_hole_km2` are filled, with "all" every hole. Polygons below `min_area_km2` are noise: they are neither kept nor
    evidence for another year. The threshold is that of an `operating_point`: a name that the model has, `recall>=0.9`
    for the highest threshold with that recall on held-out ground, or `f2` for the best F score with such a beta;
    `threshold` is a number of your own, and `product_thresholds` are numbers for some products. What lies outside every
    country goes to the nearest one within `border_tolerance_km` (coast lines are generalised).
    """

    PARITY: ClassVar[Mapping[str, Any]] = {"rule": "intersect", "window": 1, "holes": "all", "min_area_km2": 0.0}
    """Paper, postprocessing: one year on each side, every hole filled, nothing too small."""

    rule: Literal["hmm", "intersect"] = "hmm"
    window: int = Field(2, ge=1, le=WIDEST_WINDOW)
    hmm_parameters: Literal["set", "estimated"] = "set"
    appear: float = Field(0.04, gt=0.0, lt=0.5)
    disappear: float = Field(0.08, gt=0.0, lt=0.5)
    hmm_trust: float = Field(1.0, gt=0.0, le=1.0)
    outlines: Literal["pixels", "smoothed"] = "pixels"
    buffer_m: float = Field(0.0, ge=0.0, le=5_000.0)
    holes: Literal["small", "all", "none"] = "small"
    min_hole_km2: float = Field(0.01, ge=0.0, le=1e6)
    min_area_km2: float = Field(0.0005, ge=0.0, le=1e6)
    operating_point: str = Field("match_area", min_length=1, max_length=60)
    threshold: float | None = Field(None, gt=0.0, le=1.0)
    product_thresholds: dict[str, Annotated[float, Field(gt=0.0, le=1.0)]] = Field(default_factory=dict)
    border_tolerance_km: float = Field(5.0, ge=0.0, le=100.0)

    @model_validator(mode="after")
    def _named_threshold(self) -> "PolygonsConfig":
        if self.threshold is not None and self.operating_point in ("match_area", "max_miou"):
            raise ValueError(
                f"threshold {self.threshold} is yours, so operating_point may not be {self.operating_point!r}; "
                "give it a name of your own, such as 'custom'"
            )
        return self

    @property
    def rule_name(self) -> str:
        """The temporal rule in one word, as stored with every polygon: `intersect-2`, `intersect-1+100m`."""
        widened = f"+{self.buffer_m:g}m" if self.buffer_m else ""
        return f"{self.rule}-{self.window}{widened}"
