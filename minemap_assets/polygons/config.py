"""Settings of the polygons room and its two presets."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from minemap_assets.project.settings import PresetModel

WIDEST_WINDOW = 2
"""Years on each side of a year that may decide about it, at most."""


class PolygonsConfig(PresetModel):
    """How masks become mining polygons.

    The defaults are this project's; the `preset` parity is the published rule, wherever no value is given (its variant
    also widens by 100 m). A polygon counts where the `rule` finds it confirmed: `intersect` is the only one. `window`
    is the number of years looked at on each side: of these, the nearest one in which the ground was observed decides.
    `buffer_m` widens polygons (metres) before they are compared with another year's. With `holes` "small", holes below
    `min_hole_km2` are filled, with "all" every hole. Polygons below `min_area_km2` are noise: they are neither kept nor
    evidence for another year. The masks have to be made for the same `operating_point`, unless `threshold` overrides
    the one stored with them. What lies outside every country goes to the nearest one within `border_tolerance_km`
    (coast lines are generalised).
    """

    PARITY: ClassVar[Mapping[str, Any]] = {"window": 1, "holes": "all", "min_area_km2": 0.0}
    """Paper, postprocessing: one year on each side, every hole filled, nothing too small."""

    rule: Literal["intersect"] = "intersect"
    window: int = Field(2, ge=1, le=WIDEST_WINDOW)
    buffer_m: float = Field(0.0, ge=0.0, le=5_000.0)
    holes: Literal["small", "all", "none"] = "small"
    min_hole_km2: float = Field(0.01, ge=0.0, le=1e6)
    min_area_km2: float = Field(0.0005, ge=0.0, le=1e6)
    operating_point: str = Field("match_area", min_length=1, max_length=60)
    threshold: float | None = Field(None, gt=0.0, le=1.0)
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
