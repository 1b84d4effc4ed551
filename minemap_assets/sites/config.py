"""Settings of the sites room."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator

from minemap_assets.project.settings import PresetModel

Longitude = Annotated[float, Field(ge=-180.0, le=180.0)]
Latitude = Annotated[float, Field(ge=-90.0, le=90.0)]

RESOLUTION = 5.0
"""Metres a pixel of a site's grid, unless it was squeezed."""

BADLY_DRAWN = (-2.02629645, 5.8978455)
"""A point (longitude, latitude) inside the one polygon of the published sets that the paper removes."""


class SitesConfig(PresetModel):
    """How ground truth is cleaned and how large a site's window is.

    `large` says what happens to windows above `min_pixels` at 5 m: `tile` keeps 5 m and more pixels, `squeeze` keeps
    the pixels and coarsens them (the paper's rule, preset `parity`). Polygons holding a point of `known_bad`
    (longitude, latitude) are dropped, and so is what is smaller than `min_area_m2`. A window's side is `window_factor`
    times the longest side of its outline. `sample` limits the sites of each region for a pilot: a larger sample holds a
    smaller one. `preset` is the file's unless it is set here.
    """

    PARITY: ClassVar[Mapping[str, Any]] = {"large": "squeeze"}

    min_pixels: int = Field(512, ge=2, le=16_384)
    window_factor: float = Field(2.0, ge=1.0, le=100.0)
    large: Literal["tile", "squeeze"] = "tile"
    known_bad: tuple[tuple[Longitude, Latitude], ...] = (BADLY_DRAWN,)
    min_area_m2: float = Field(500.0, ge=0.0, le=1e12)
    sample: int | None = Field(None, ge=1, le=10**9)

    @field_validator("min_pixels")
    @classmethod
    def _even(cls, value: int) -> int:
        if value % 2:
            raise ValueError(f"min_pixels must be even, so that 10 m pixels nest in 5 m ones, not {value}")
        return value
