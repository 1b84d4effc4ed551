"""Settings of the source `earth-engine`, and which of them decide pixels.

Credentials are no settings: they are read when the first request is made.
"""

from typing import Literal

from pydantic import Field, model_validator

from minemap_assets.imagery.basemaps.nicfi import TERMS as NICFI_TERMS
from minemap_assets.lake.manifests import digest
from minemap_assets.project.settings import StrictModel, WebAddress

NAME = "earth-engine"
CODE_VERSION = "2"
"""Raised when the same images would give other pixels."""

API_URL = "https://earthengine.googleapis.com"
"""The standard endpoint, which keeps intermediate results: complex computations cost less there."""

HIGH_VOLUME_URL = "https://earthengine-highvolume.googleapis.com"
"""The endpoint for many requests that compute next to nothing, such as images that are there already; for a composite
it needs more computing time (Earth Engine guide, Processing environments).
"""

EMBEDDING = "satellite-embedding"
"""The product of one image a calendar year."""

SENTINEL2_TERMS = "Contains modified Copernicus Sentinel data (free, full and open; attribution required)"

EMBEDDING_TERMS = (
    "The AlphaEarth Foundations Satellite Embedding dataset is produced by Google and Google DeepMind. "
    "(CC BY 4.0; this attribution is required)"
)
"""The text that the licence asks for (AlphaEarth Foundations GCS data, License)."""

MOST_BYTES = 48 * 1024 * 1024
"""What one answer with pixels may hold, uncompressed (Earth Engine quotas)."""

_SHAPING = frozenset(
    {"url", "sentinel2_l1c", "sentinel2_l2a", "cloud_score", "cloud_score_band", "clear_score", "max_cloud_cover"}
    | {"nicfi", "satellite_embedding"}
)

CredentialsKind = Literal["auto", "service-account", "adc", "user"]


class BasemapAsset(StrictModel):
    """The collection of basemaps `asset`, for places whose longitude is at least `west` and less than `east`."""

    asset: str
    west: float = Field(ge=-180.0, le=180.0)
    east: float = Field(ge=-180.0, le=180.5)


def _nicfi() -> tuple[BasemapAsset, ...]:
    folder = "projects/planet-nicfi/assets/basemaps"
    return (
        BasemapAsset(asset=f"{folder}/americas", west=-180.0, east=-25.0),
        BasemapAsset(asset=f"{folder}/africa", west=-25.0, east=60.0),
        BasemapAsset(asset=f"{folder}/asia", west=60.0, east=180.5),
    )


class EarthEngineConfig(StrictModel):
    """Which collections are read, through which account, and how hard the service may be asked.

    `credentials` says where they come from: the key file of a service account or other application default credentials
    (both through GOOGLE_APPLICATION_CREDENTIALS), those of `earthengine authenticate` (`user`), or the first of these
    that is there (`auto`). `project` is the cloud project that is charged; by default GOOGLE_CLOUD_PROJECT or the
    credentials' own. `url` is where requests go: by default the standard endpoint, and the high-volume one where
    nothing has to be computed; one that is set serves everything. `token_url` is for private endpoints. Google's
    reports of usage show requests under `workload_tag`; an empty one is left away.

    `sentinel2_l1c` and `sentinel2_l2a` are the collections of the two products, `cloud_score` that of their clouds;
    `satellite_embedding` is that of the annual embeddings. The basemaps of `nicfi` are chosen by longitude, and
    `nicfi_terms` are the terms of use that go with their pixels. A Sentinel-2 pixel is clear where the band
    `cloud_score_band` of Cloud Score+ is at least `clear_score`; scenes of more than `max_cloud_cover` percent cloud
    (of the whole tile) are left out. `deadline` is the longest time of one attempt in seconds, `max_request_bytes` the
    most pixels of one answer. `rate` is requests a second, `concurrency` requests at a time. A request is sent at most
    `attempts` times, with growing waits from `backoff` up to `longest_wait` seconds between.
    """

    url: WebAddress = API_URL
    token_url: WebAddress = "https://oauth2.googleapis.com/token"
    project: str = ""
    credentials: CredentialsKind = "auto"
    workload_tag: str = Field("minemap", pattern=r"^([a-z0-9]([-_a-z0-9]{0,61}[a-z0-9])?)?$")
    sentinel2_l1c: str = "COPERNICUS/S2_HARMONIZED"
    sentinel2_l2a: str = "COPERNICUS/S2_SR_HARMONIZED"
    cloud_score: str = "GOOGLE/CLOUD_SCORE_PLUS/V1/S2_HARMONIZED"
    cloud_score_band: str = "cs_cdf"
    satellite_embedding: str = "GOOGLE/SATELLITE_EMBEDDING/V1/ANNUAL"
    clear_score: float = Field(0.60, ge=0.0, le=1.0)
    max_cloud_cover: float = Field(75.0, ge=0.0, le=100.0)
    nicfi: tuple[BasemapAsset, ...] = Field(default_factory=_nicfi, min_length=1)
    nicfi_terms: str = NICFI_TERMS
    deadline: float = Field(300.0, gt=0.0, le=86_400.0)
    max_request_bytes: int = Field(MOST_BYTES, ge=4096, le=MOST_BYTES)
    rate: float = Field(20.0, gt=0.0, le=100.0)
    concurrency: int = Field(8, ge=1, le=40)
    attempts: int = Field(6, ge=1, le=100)
    backoff: float = Field(1.0, ge=0.0, le=3600.0)
    longest_wait: float = Field(60.0, gt=0.0, le=86_400.0)

    def endpoint(self, *, computes: bool) -> str:
        """Where requests of a product go whose pixels have to be computed, or are there already."""
        return HIGH_VOLUME_URL if self.url == API_URL and not computes else self.url

    @model_validator(mode="after")
    def _in_order(self) -> "EarthEngineConfig":
        for one in self.nicfi:
            if one.west >= one.east:
                raise ValueError(f"nicfi: {one.asset} lies between {one.west} and {one.east}; west is less than east")
        return self


def revision_of(config: EarthEngineConfig) -> str:
    """Changes with the settings that decide pixels; what a collection adds later does not change it."""
    return digest([CODE_VERSION, config.model_dump(mode="json", include=set(_SHAPING))])
