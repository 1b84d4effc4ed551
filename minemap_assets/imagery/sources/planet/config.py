"""Settings of the source `planet-basemaps`, and which of them decide pixels.

Credentials are no settings: they are read from the environment when a request is made.
"""

from typing import Literal

from pydantic import Field

from minemap_assets.imagery.basemaps import nicfi
from minemap_assets.imagery.basemaps.clarity import RULE_VERSION
from minemap_assets.lake.manifests import digest
from minemap_assets.project.settings import StrictModel, WebAddress

NAME = "planet-basemaps"
CODE_VERSION = "3"
"""Raised when the same quads would give other pixels."""

BASE_URL = "https://api.planet.com/basemaps/v1"
TILES_URL = "https://tiles.planet.com/basemaps/v1/planet-tiles"
AUTH_SERVER = "https://services.sentinel-hub.com/auth/realms/main"


class PlanetConfig(StrictModel):
    """Which mosaics are meant, how they are read and ranked, and how hard the service may be asked.

    Where `series` names any, a mosaic counts where it belongs to one of those series (names or ids), such as a
    subscription's `ps_monthly_normalized_analytic_subscription`; `name_contains` narrows that to names that contain a
    text (an empty one matches all). Without both it is the NICFI programme's `planet_medres_normalized_analytic`.
    8-bit pictures (`global_monthly_*`, `planet_medres_visual_*`) are never used. `bands` gives the order of a quad's
    bands before its validity, `-` for one that is not used, over what the file says.

    `reads` is how pixels are fetched. `quads` are whole files of about 160 MB, each of which counts as a download of
    the plan and serves all sites on it for good; `tiles` are the squares of 256 pixels that a site needs, in full
    depth, which the service streams at `tiles_url` as far as the plan includes streaming: about a hundredth of the
    bytes for a single site, and no download, but no quad to keep. Both show the same pixels, but `tiles` rank
    mosaics by a smaller picture of each quad. `udm2` hides what a basemap's usable data mask (UDM2) does not call
    clear, where it has one; NICFI's have none. It is read with `quads` only.

    `clarity` ranks the mosaics of a season by their pixels, by the metadata of their scenes, or by the latter where the
    account may read it (`auto`). `base_url` is where the service answers, `auth_server` gives out the access tokens of
    service accounts. `terms` and `redistributable` say what pixels may be used for (NICFI's licence, or that of your
    subscription where you say nothing), and whether they may be passed on.

    `rate` is requests a second, `concurrency` requests at a time. `timeout_s` is the longest silence in seconds. A
    request is sent at most `attempts` times, with growing waits from `backoff` up to `longest_wait` seconds between.
    What is fetched is kept on disk up to `cache_gb` under [imagery].
    """

    base_url: WebAddress = BASE_URL
    tiles_url: WebAddress = TILES_URL
    auth_server: WebAddress = AUTH_SERVER
    series: tuple[str, ...] = ()
    name_contains: str | None = None
    bands: tuple[str, ...] | None = None
    reads: Literal["quads", "tiles"] = "quads"
    udm2: bool = True
    clarity: Literal["pixels", "metadata", "auto"] = "pixels"
    terms: str | None = None
    redistributable: bool = False
    rate: float = Field(5.0, gt=0, le=10_000.0)
    concurrency: int = Field(4, ge=1, le=32)
    timeout_s: float = Field(60.0, gt=0, le=86_400.0)
    attempts: int = Field(6, ge=1, le=100)
    backoff: float = Field(1.0, ge=0.0, le=3600.0)
    longest_wait: float = Field(60.0, gt=0.0, le=86_400.0)

    @property
    def names(self) -> str:
        """What the names of the mosaics that are meant contain; empty for any name."""
        if self.name_contains is not None:
            return self.name_contains
        return "" if self.series else nicfi.NAMES

    @property
    def licence(self) -> str:
        """The terms of use of pixels, in words."""
        if self.terms is not None:
            return self.terms
        return nicfi.TERMS if self.names == nicfi.NAMES and not self.series else nicfi.SUBSCRIPTION_TERMS

    @property
    def masks(self) -> bool:
        """Whether usable data masks are looked for."""
        return self.udm2 and self.reads == "quads"


def revision_of(config: PlanetConfig) -> str:
    """Changes with the settings that decide pixels. A published mosaic stays as it is, so no request is made."""
    deciding = config.model_dump(include={"base_url", "series", "bands", "clarity", "reads"})
    return digest([CODE_VERSION, RULE_VERSION, deciding, config.names, config.masks])
