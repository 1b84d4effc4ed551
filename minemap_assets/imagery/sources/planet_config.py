"""Settings of the source `planet-basemaps`.

What belongs here: what a person may set under `[sources.planet_basemaps]`. What does not: credentials, which are read
from the environment when a request is made (`planet_client.py`).
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

BASE_URL = "https://api.planet.com/basemaps/v1"
NICFI_NAMES = "planet_medres_normalized_analytic"
NICFI_TERMS = (
    "Planet NICFI Participant License Agreement: non-commercial use, pixels must not be redistributed; "
    "includes imagery (c) Planet Labs PBC"
)


class PlanetConfig(BaseModel):
    """Which mosaics are meant, how they are ranked, and how hard the service may be asked.

    A mosaic counts where its name contains `name_contains` (an empty text matches all) and, where `series` names any,
    where it belongs to one of those series (names or ids). `bands` gives the order of a quad's bands over what the
    file says. `clarity` ranks the mosaics of a season by their pixels, by the metadata of their scenes, or by the
    latter where the account may read it (`auto`). `rate` is requests a second, `concurrency` requests at a time.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    base_url: str = BASE_URL
    series: tuple[str, ...] = ()
    name_contains: str = NICFI_NAMES
    bands: tuple[str, ...] | None = None
    clarity: Literal["pixels", "metadata", "auto"] = "pixels"
    terms: str = NICFI_TERMS
    redistributable: bool = False
    rate: float = Field(5.0, gt=0)
    concurrency: int = Field(4, ge=1, le=32)
    timeout_s: float = Field(60.0, gt=0)

    @field_validator("base_url")
    @classmethod
    def _no_slash(cls, value: str) -> str:
        if not value.startswith(("https://", "http://")):
            raise ValueError(f"{value!r} is no web address; write https://...")
        return value.rstrip("/")
