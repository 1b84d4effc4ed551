"""Settings of the source `planet-basemaps`, and which of them decide pixels.

Credentials are no settings: they are read from the environment when a request is made.
"""

from pathlib import Path
from typing import Literal

from pydantic import Field

from minemap_assets.imagery.basemaps import nicfi
from minemap_assets.imagery.basemaps.clarity import RULE_VERSION
from minemap_assets.lake.manifests import digest
from minemap_assets.project.settings import StrictModel, WebAddress

NAME = "planet-basemaps"
CODE_VERSION = "2"
"""Raised when the same quads would give other pixels."""

BASE_URL = "https://api.planet.com/basemaps/v1"
AUTH_SERVER = "https://services.sentinel-hub.com/auth/realms/main"


class PlanetConfig(StrictModel):
    """Which mosaics are meant, how they are ranked, and how hard the service may be asked.

    A mosaic counts where its name contains `name_contains` (an empty text matches all) and, where `series` names any,
    where it belongs to one of those series (names or ids). `bands` gives the order of a quad's bands over what the file
    says. `clarity` ranks the mosaics of a season by their pixels, by the metadata of their scenes, or by the latter
    where the account may read it (`auto`). `base_url` is where the service answers, `auth_server` gives out the access
    tokens of service accounts. `terms` and `redistributable` say what pixels may be used for, and whether they may be
    passed on.

    `rate` is requests a second, `concurrency` requests at a time. `timeout_s` is the longest silence in seconds. A
    request is sent at most `attempts` times, with growing waits from `backoff` up to `longest_wait` seconds between.
    `cache_gb` bounds the quads kept on disk (160 MB each): above it those that were used longest ago are removed, and
    fetched again where they are needed again.
    """

    base_url: WebAddress = BASE_URL
    auth_server: WebAddress = AUTH_SERVER
    series: tuple[str, ...] = ()
    name_contains: str = nicfi.NAMES
    bands: tuple[str, ...] | None = None
    clarity: Literal["pixels", "metadata", "auto"] = "pixels"
    terms: str = nicfi.TERMS
    redistributable: bool = False
    rate: float = Field(5.0, gt=0, le=10_000.0)
    concurrency: int = Field(4, ge=1, le=32)
    timeout_s: float = Field(60.0, gt=0, le=86_400.0)
    attempts: int = Field(6, ge=1, le=100)
    backoff: float = Field(1.0, ge=0.0, le=3600.0)
    longest_wait: float = Field(60.0, gt=0.0, le=86_400.0)
    cache_gb: float = Field(300.0, gt=0.0, le=1e6)


def revision_of(config: PlanetConfig) -> str:
    """Changes with the settings that decide pixels. A published mosaic stays as it is, so no request is made."""
    deciding = config.model_dump(include={"base_url", "series", "name_contains", "bands", "clarity"})
    return digest([CODE_VERSION, RULE_VERSION, deciding])


def quads_folder(state: Path) -> Path:
    """Where quads are kept, below a project's local state."""
    return state / "cache" / "planet"
