"""Settings of the map."""

import re
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from minemap_assets.project.settings import StrictModel

_ORIGIN = re.compile(r"https?://[A-Za-z0-9.-]+(:\d{1,5})?")


class MapConfig(StrictModel):
    """The page that `minemap map` makes.

    The folder takes at most `max_megabytes`: where the pictures of sites would be more, they get fewer pixels than
    `picture_pixels` on a side, then fewer years, then only the largest sites have some, and the page says so. Outlines
    are drawn to `max_zoom`; closer views enlarge them. The page asks no other host for anything, unless `basemap_url`
    names one: raster tiles with {z}, {x} and {y}, whose owner then sees what is looked at, and is named by
    `basemap_attribution`. `places` are the names of towns on the map: those of GeoNames that come with the project, or
    none. Simulated ground has none either way.
    """

    max_megabytes: float = Field(200.0, ge=1.5, le=20_000.0)
    picture_pixels: int = Field(512, ge=64, le=2048)
    max_zoom: int = Field(12, ge=6, le=14)
    basemap_url: str = ""
    basemap_attribution: str = ""
    places: Literal["geonames", "none"] = "geonames"

    @field_validator("basemap_url")
    @classmethod
    def _tiles(cls, value: str) -> str:
        if not value:
            return value
        if not _ORIGIN.fullmatch(origin_of(value)) or not all(part in value for part in ("{z}", "{x}", "{y}")):
            raise ValueError("write an address such as https://tiles.example.org/{z}/{x}/{y}.png")
        return value


def origin_of(url: str) -> str:
    """Scheme, host and port of an address; empty for none."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""
