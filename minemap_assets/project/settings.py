"""What a project configures: one TOML file, checked as a whole, one section a room.

What belongs here: gathering the rooms' settings and reading the file. What does not: the settings of one room (its
`config.py`), and the process environment (`dagster_project/environment.py`).
"""

import tomllib
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from minemap_assets.chips.config import ChipsConfig
from minemap_assets.errors import BadInputError
from minemap_assets.imagery.config import ImageryConfig
from minemap_assets.imagery.products import PRODUCTS
from minemap_assets.imagery.sources.earth_engine.config import EarthEngineConfig
from minemap_assets.imagery.sources.planet.config import PlanetConfig
from minemap_assets.imagery.sources.stac.config import StacConfig
from minemap_assets.messages import explain
from minemap_assets.polygons.config import PolygonsConfig
from minemap_assets.segmentation.config import SegmentationConfig
from minemap_assets.sites.config import SitesConfig

SETTINGS_PATH = "inputs/minemap.toml"

Strict = ConfigDict(frozen=True, extra="forbid")

PARITY: dict[str, dict[str, Any]] = {
    "sites": {"large": "squeeze"},
    "polygons": {"preset": "parity", "window": 1, "holes": "all"},
}
"""What the preset `parity` changes: only where the published rule gives measurably other outcomes."""


class TrainingConfig(BaseModel):
    """Which regions and products enter training; empty means every active region, and the reference products."""

    model_config = Strict
    regions: tuple[str, ...] = ()
    products: tuple[str, ...] = ()

    @field_validator("products")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [name for name in value if name not in PRODUCTS]
        if unknown:
            raise ValueError(f"unknown product {unknown[0]!r}; the products are {', '.join(PRODUCTS)}")
        return value


class SimulatedConfig(BaseModel):
    """Which simulated world the source `simulated` renders."""

    model_config = Strict
    world: str = "demo"


class SourcesConfig(BaseModel):
    """Settings of single sources."""

    model_config = Strict
    planet_basemaps: PlanetConfig = PlanetConfig()
    earth_engine: EarthEngineConfig = EarthEngineConfig()
    simulated: SimulatedConfig = SimulatedConfig()
    stac: StacConfig = StacConfig()


class Settings(BaseModel):
    """All settings of a project."""

    model_config = Strict
    preset: Literal["default", "parity"] = "default"
    sites: SitesConfig = Field(default_factory=SitesConfig)
    imagery: ImageryConfig = Field(default_factory=ImageryConfig)
    sources: SourcesConfig = SourcesConfig()
    chips: ChipsConfig = Field(default_factory=ChipsConfig)
    training: TrainingConfig = TrainingConfig()
    segmentation: SegmentationConfig = Field(default_factory=SegmentationConfig)
    polygons: PolygonsConfig = Field(default_factory=PolygonsConfig)


def parse_settings(text: str | bytes, where: str = SETTINGS_PATH) -> Settings:
    """Settings from TOML. Raises `BadInputError` naming the file, the first wrong entry and what is valid there."""
    try:
        raw = tomllib.loads(text if isinstance(text, str) else text.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise BadInputError(f"{where} is not text in UTF-8; save it in that encoding") from error
    except tomllib.TOMLDecodeError as error:
        raise BadInputError(
            f"{where} is not valid TOML: {error}; a setting is written as name = value under its [section], text in "
            "quotes"
        ) from error
    if raw.get("preset") == "parity":
        raw = _layered(PARITY, raw)
    try:
        return Settings.model_validate(raw)
    except ValidationError as error:
        raise BadInputError(f"{where}: {explain(error, Settings)}") from error


def _layered(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = _layered(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged
