"""Settings of the source `stac`: which collections it searches, in which order, how it asks, and what decides pixels.

The three collections of the default hold the same images; they differ in years and in what their numbers mean:

- `sentinel-2-c1-l2a` (Earth Search): reprocessed with baseline 05.00 or later, so 1000 is always to be taken off the
  digital numbers; it lacks November 2016 to November 2019 and parts of 2022.
- `sentinel-2-l2a` (Planetary Computer): as delivered by ESA, so 1000 is to be taken off from baseline 04.00 on.
- `sentinel-2-l2a` (Earth Search): mostly corrected already, and its metadata do not say reliably which item is.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from minemap_assets.imagery.products import SENTINEL2_BANDS
from minemap_assets.lake.manifests import digest
from minemap_assets.project.settings import StrictModel

NAME = "stac"
PRODUCT = "sentinel-2-l2a"
CODE_VERSION = "2"
"""Raised when the same scenes would give other pixels."""

EARTH_SEARCH = "https://earth-search.aws.element84.com/v1"
PLANETARY_COMPUTER = "https://planetarycomputer.microsoft.com/api/stac/v1"
PLANETARY_COMPUTER_TOKENS = "https://planetarycomputer.microsoft.com/api/sas/v1/token"

TERMS = "Contains modified Copernicus Sentinel data (free, full and open; attribution required)"

OffsetRule = Literal["always", "baseline", "dark-pixels"]
"""When 1000 is taken off the digital numbers: always; from processing baseline 04.00 on; or as dark pixels tell."""


class Assets(StrictModel):
    """Asset keys of a collection: `bands` by common name, and `classes`, the scene classification."""

    bands: dict[str, str]
    classes: str


def _element84() -> Assets:
    return Assets(bands={band: band for band in SENTINEL2_BANDS.values() if band != "cirrus"}, classes="scl")


def _esa() -> Assets:
    return Assets(bands={band: key for key, band in SENTINEL2_BANDS.items() if band != "cirrus"}, classes="SCL")


class Collection(StrictModel):
    """One STAC collection: the `collection` of the API at `endpoint`.

    `name` is how provenance calls it. `assets` names its files. `offset` says when 1000 is taken off the digital
    numbers: `always`, from processing `baseline` 04.00 on, or as `dark-pixels` tell. `tokens` is where access tokens
    for its files' storage containers are to be had (empty where files are open), as `<tokens>/<account>/<container>`.
    `terms` and `redistributable` say what pixels may be used for, and whether they may be passed on.
    """

    name: str
    endpoint: str
    collection: str
    offset: OffsetRule
    assets: Assets = Field(default_factory=_element84)
    tokens: str = ""
    terms: str = TERMS
    redistributable: bool = True


def _collections() -> tuple[Collection, ...]:
    return (
        Collection(
            name="earth-search/sentinel-2-c1-l2a",
            endpoint=EARTH_SEARCH,
            collection="sentinel-2-c1-l2a",
            offset="always",
        ),
        Collection(
            name="planetary-computer/sentinel-2-l2a",
            endpoint=PLANETARY_COMPUTER,
            collection="sentinel-2-l2a",
            offset="baseline",
            assets=_esa(),
            tokens=PLANETARY_COMPUTER_TOKENS,
        ),
        Collection(
            name="earth-search/sentinel-2-l2a",
            endpoint=EARTH_SEARCH,
            collection="sentinel-2-l2a",
            offset="dark-pixels",
        ),
    )


class StacConfig(StrictModel):
    """Which collections are read, in which order, and how hard their services may be asked.

    The `collections` are asked one after the other. A later collection is asked only for stretches of more than
    `gap_days` without an image in the earlier ones. Images of more than `max_cloud_cover` percent cloud (of the whole
    tile) are left out, and pixels of the scene classes `masked_classes`: no data, defective, cloud shadow, cloud of
    medium and high probability, cirrus.

    Each service gets `rate` requests a second on average, `burst` at once at most, and `concurrency` at a time. A
    request is sent at most `attempts` times, with growing random waits from `backoff` up to `longest_wait` seconds
    between. `timeout` is the longest silence in seconds. `stack_bytes` bounds the memory of a composite, `cache_bytes`
    the blocks kept on disk.
    """

    collections: tuple[Collection, ...] = Field(default_factory=_collections, min_length=1)
    gap_days: int = Field(30, ge=1, le=3660)
    max_cloud_cover: float = Field(75.0, ge=0.0, le=100.0)
    masked_classes: tuple[Annotated[int, Field(ge=0, le=11)], ...] = (0, 1, 3, 8, 9, 10)
    rate: float = Field(40.0, gt=0.0, le=10_000.0)
    burst: int = Field(20, ge=1, le=10_000)
    concurrency: int = Field(8, ge=1, le=256)
    attempts: int = Field(8, ge=1, le=100)
    timeout: float = Field(30.0, gt=0.0, le=86_400.0)
    backoff: float = Field(0.5, ge=0.0, le=3600.0)
    longest_wait: float = Field(60.0, gt=0.0, le=86_400.0)
    stack_bytes: int = Field(256_000_000, ge=1_000_000, le=2**40)
    cache_bytes: int = Field(20_000_000_000, ge=0, le=2**60)


def revision_of(config: StacConfig) -> str:
    """Changes with the settings that pixels depend on; what a catalogue adds later does not change it."""
    shaping = {"collections", "gap_days", "max_cloud_cover", "masked_classes"}
    return digest([CODE_VERSION, config.model_dump(mode="json", include=shaping)])


def cache_folder(state: Path) -> Path:
    """Where parts of files are kept, below a project's local state."""
    return state / "stac-cache"
