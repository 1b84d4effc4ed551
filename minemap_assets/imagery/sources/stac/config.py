"""Settings of the source `stac`: which collections it searches, in which order, how it asks, and what decides pixels.

Collections are named by the service that has them, each in a ready set:

- `earth-search`: `sentinel-2-c1-l2a`, reprocessed with baseline 05.00 or later, so that 1000 is always to be taken off
  the digital numbers (it lacks scenes of 2018, 2019 and 2022); and `sentinel-2-l1c`, as delivered by ESA.
- `planetary-computer`: `sentinel-2-l2a`, as delivered by ESA, so 1000 is to be taken off from baseline 04.00 on.
- `earth-search-older`: `sentinel-2-l2a`, mostly corrected already, whose metadata do not say reliably which item is.
- `copernicus`: `sentinel-2-l2a` and `sentinel-2-l1c` of ESA's own archive; its files want the keys of an account.
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from minemap_assets.imagery.products import SENTINEL2_BANDS
from minemap_assets.lake.manifests import digest
from minemap_assets.messages import suggestion
from minemap_assets.project.settings import StrictModel

NAME = "stac"
PRODUCT = "sentinel-2-l2a"
LEVEL_1C = "sentinel-2-l1c"
SERVED = (PRODUCT, LEVEL_1C)
CODE_VERSION = "3"
"""Raised when the same scenes would give other pixels."""

EARTH_SEARCH = "https://earth-search.aws.element84.com/v1"
LEVEL_1C_BUCKET = "sentinel-s2-l1c"
"""Some of Earth Search's Level-1C items name files of Level-2A in another bucket (its issue 2)."""

LEVEL_1C_STORAGE = "https://{bucket}.s3.eu-central-1.amazonaws.com"
"""Where the bucket `sentinel-s2-l1c` is served. It can be read without a signature since December 2025."""

PLANETARY_COMPUTER = "https://planetarycomputer.microsoft.com/api/stac/v1"
PLANETARY_COMPUTER_TOKENS = "https://planetarycomputer.microsoft.com/api/sas/v1/token"

COPERNICUS = "https://stac.dataspace.copernicus.eu/v1"
COPERNICUS_STORAGE = "https://eodata.dataspace.copernicus.eu"
COPERNICUS_CONNECTIONS = 4
"""At a time, of a general user (Copernicus Data Space Ecosystem, Quotas and Limitations)."""

TERMS = "Contains modified Copernicus Sentinel data (free, full and open; attribution required)"

OffsetRule = Literal["always", "baseline", "dark-pixels"]
"""When 1000 is taken off the digital numbers: always; from processing baseline 04.00 on; or as dark pixels tell."""

FileFormat = Literal["cog", "jp2"]
Login = Literal["", "planetary-computer", "copernicus", "s3-unsigned"]
CloudMask = Literal["classes", "probability", "s2cloudless"]


class Assets(StrictModel):
    """Asset keys of a collection: `bands` by common name; `classes`, the scene classification, and `probability`, that
    of cloud in percent, each empty where the collection has none.
    """

    bands: dict[str, str]
    classes: str = ""
    probability: str = ""

    @property
    def keys(self) -> frozenset[str]:
        """All keys that are named here."""
        return frozenset({*self.bands.values(), self.classes, self.probability} - {""})


def _element84(probability: str = "") -> Assets:
    bands = {band: band for band in SENTINEL2_BANDS.values() if band != "cirrus"}
    return Assets(bands=bands, classes="scl", probability=probability)


class Collection(StrictModel):
    """One STAC collection: the `collection` of the API at `endpoint`, which may be a stac-geoparquet file (`file://`).

    `name` is how provenance calls it, `product` what its images are. `assets` names its files, `files` their format.
    `offset` says when 1000 is taken off the digital numbers: `always`, from processing `baseline` 04.00 on, or as
    `dark-pixels` tell.

    `login` says how files are asked for: plainly (empty), with tokens of the `planetary-computer`, signed with the keys
    of an account at the `copernicus` data space, or `s3-unsigned`. `storage` is where `s3://` addresses are served: the
    address below which buckets lie, or one with `{bucket}` in place of the bucket; where `bucket` names one, addresses
    in others are not read. `tokens` is where access tokens for storage containers are to be had, as
    `<tokens>/<account>/<container>`. `concurrency` is how many requests its files' service allows at a time, where that
    is less than the section says. `terms` and `redistributable` say what pixels may be used for, and whether they may
    be passed on.
    """

    name: str
    endpoint: str
    collection: str
    offset: OffsetRule
    product: str = PRODUCT
    assets: Assets = Field(default_factory=_element84)
    files: FileFormat = "cog"
    login: Login = ""
    storage: str = ""
    bucket: str = ""
    tokens: str = ""
    concurrency: int | None = Field(None, ge=1, le=256)
    terms: str = TERMS
    redistributable: bool = True

    @model_validator(mode="after")
    def _reachable(self) -> "Collection":
        if self.product not in SERVED:
            raise ValueError(f"{self.name}: product {self.product!r} is not one of {', '.join(SERVED)}")
        if self.product == PRODUCT and not self.assets.classes:
            raise ValueError(f"{self.name}: assets name no classes; Level-2A is masked by its scene classification")
        if self.login in ("copernicus", "s3-unsigned") and not self.storage:
            raise ValueError(f"{self.name}: login {self.login!r} needs storage, where s3:// addresses are served")
        if self.login == "planetary-computer" and not self.tokens:
            raise ValueError(f"{self.name}: login {self.login!r} needs tokens, where access tokens are to be had")
        return self

    def reads(self, href: str) -> bool:
        """Whether files of this address can be fetched and read: a scheme that is served, and the format of `files`."""
        parts = urlsplit(href)
        held = parts.scheme == "s3" and bool(self.storage) and self.bucket in ("", parts.netloc)
        served = parts.scheme in ("http", "https") or held
        return served and parts.path.lower().endswith(".jp2") == (self.files == "jp2")


def _esa() -> Assets:
    return Assets(bands={band: key for key, band in SENTINEL2_BANDS.items() if band != "cirrus"}, classes="SCL")


_FINEST = {"B02": 10, "B03": 10, "B04": 10, "B08": 10, "B01": 60, "B09": 60}
"""Metres a pixel as sensed; the other bands have 20."""


def _eodata() -> Assets:
    bands = {band: f"{key}_{_FINEST.get(key, 20)}m" for key, band in SENTINEL2_BANDS.items() if band != "cirrus"}
    return Assets(bands=bands, classes="SCL_20m")


_EARTH_SEARCH = (
    Collection(
        name="earth-search/sentinel-2-c1-l2a",
        endpoint=EARTH_SEARCH,
        collection="sentinel-2-c1-l2a",
        offset="always",
        assets=_element84(probability="cloud"),
    ),
    Collection(
        name="earth-search/sentinel-2-l1c",
        endpoint=EARTH_SEARCH,
        collection=LEVEL_1C,
        offset="baseline",
        product=LEVEL_1C,
        assets=Assets(bands={band: band for band in SENTINEL2_BANDS.values()}),
        files="jp2",
        login="s3-unsigned",
        storage=LEVEL_1C_STORAGE,
        bucket=LEVEL_1C_BUCKET,
    ),
)
_PLANETARY_COMPUTER = (
    Collection(
        name="planetary-computer/sentinel-2-l2a",
        endpoint=PLANETARY_COMPUTER,
        collection=PRODUCT,
        offset="baseline",
        assets=_esa(),
        login="planetary-computer",
        tokens=PLANETARY_COMPUTER_TOKENS,
    ),
)
_EARTH_SEARCH_OLDER = (
    Collection(name="earth-search/sentinel-2-l2a", endpoint=EARTH_SEARCH, collection=PRODUCT, offset="dark-pixels"),
)
_COPERNICUS = tuple(
    Collection(
        name=f"copernicus/{product}",
        endpoint=COPERNICUS,
        collection=product,
        offset="baseline",
        product=product,
        assets=assets,
        files="jp2",
        login="copernicus",
        storage=COPERNICUS_STORAGE,
        concurrency=COPERNICUS_CONNECTIONS,
    )
    for product, assets in (
        (PRODUCT, _eodata()),
        (LEVEL_1C, Assets(bands={band: key for key, band in SENTINEL2_BANDS.items()})),
    )
)

PRESETS: Mapping[str, tuple[Collection, ...]] = MappingProxyType(
    {
        "earth-search": _EARTH_SEARCH,
        "planetary-computer": _PLANETARY_COMPUTER,
        "earth-search-older": _EARTH_SEARCH_OLDER,
        "copernicus": _COPERNICUS,
    }
)
"""The ready sets of collections, by the names that `use` takes."""


class StacConfig(StrictModel):
    """Which collections are read, in which order, and how hard their services may be asked.

    `use` names ready sets of collections: `earth-search`, `planetary-computer`, `earth-search-older`, and `copernicus`
    for those who hold keys of the Copernicus Data Space. `collections` describes others, which `use` calls by their
    names; where `use` is not given, they are all that is asked. They are asked one after the other, later ones for
    images that earlier ones lack. `static_index` is a stac-geoparquet file, a path or a web address, that stands in for
    a search service while it cannot be reached.

    Images of more than `max_cloud_cover` percent cloud (of the whole tile) are left out. In the others `cloud_mask`
    decides what is hidden: `classes`, the pixels of the scene classes `masked_classes` (no data, defective, cloud
    shadow, cloud of medium and high probability, cirrus); `probability`, pixels of at least `cloud_probability` percent
    in place of the two classes of cloud, where a collection tells the probability; `s2cloudless`, a model that has to
    be installed (`pip install 'minemap[clouds]'`). Level-1C has neither classes nor probability and is always masked by
    s2cloudless, Level-2A never. What is no data or defective is hidden whatever the settings say.

    Each service gets `rate` requests a second on average, `burst` at once at most, and `concurrency` at a time. A
    request is sent at most `attempts` times, with growing random waits from `backoff` up to `longest_wait` seconds
    between. `timeout` is the longest silence in seconds. `stack_bytes` bounds the memory of a composite.
    """

    use: tuple[str, ...] = ("earth-search", "planetary-computer", "earth-search-older")
    collections: tuple[Collection, ...] = ()
    static_index: str = ""
    max_cloud_cover: float = Field(75.0, ge=0.0, le=100.0)
    cloud_mask: CloudMask = "classes"
    masked_classes: tuple[Annotated[int, Field(ge=0, le=11)], ...] = (0, 1, 3, 8, 9, 10)
    cloud_probability: float = Field(40.0, gt=0.0, le=100.0)
    rate: float = Field(40.0, gt=0.0, le=10_000.0)
    burst: int = Field(20, ge=1, le=10_000)
    concurrency: int = Field(8, ge=1, le=256)
    attempts: int = Field(8, ge=1, le=100)
    timeout: float = Field(30.0, gt=0.0, le=86_400.0)
    backoff: float = Field(0.5, ge=0.0, le=3600.0)
    longest_wait: float = Field(60.0, gt=0.0, le=86_400.0)
    stack_bytes: int = Field(256_000_000, ge=1_000_000, le=2**40)

    @model_validator(mode="after")
    def _known_and_used(self) -> "StacConfig":
        own = [collection.name for collection in self.collections]
        doubled = sorted({name for name in own if own.count(name) > 1 or name in PRESETS})
        if doubled:
            raise ValueError(f"collections calls more than one {', '.join(doubled)}; give each a name of its own")
        if len(set(self.use)) < len(self.use):
            raise ValueError("use names something twice; name each once, in the order in which they are to be asked")
        known = [*PRESETS, *own]
        for name in self.use:
            if name not in known:
                raise ValueError(f"use: {name!r} is unknown{suggestion(name, known)}; known are {', '.join(known)}")
        idle = [name for name in own if name not in self._asked]
        if idle or not self._asked:
            raise ValueError(f"use does not name {', '.join(idle) or 'anything'}; name what is to be asked, in order")
        return self

    @property
    def _asked(self) -> tuple[str, ...]:
        """Names of sets and collections in their order: own collections alone where nothing is said of use."""
        alone = self.collections and "use" not in self.model_fields_set
        return tuple(collection.name for collection in self.collections) if alone else self.use

    def collections_for(self, product: str) -> tuple[Collection, ...]:
        """The collections that hold a product's images, in the order in which they are asked."""
        sets = {**PRESETS, **{collection.name: (collection,) for collection in self.collections}}
        return tuple(one for name in self._asked for one in sets[name] if one.product == product)


def revision_of(config: StacConfig, product: str = PRODUCT) -> str:
    """Changes with the settings that a product's pixels depend on; what a catalogue adds later does not change it, nor
    an index that stands in for one.
    """
    shaping = {"max_cloud_cover", "cloud_mask", "masked_classes"}
    shaping |= {"cloud_probability"} if config.cloud_mask == "probability" else set()
    said = config.model_dump(mode="json", include=shaping)
    collections = [c.model_dump(mode="json", exclude={"concurrency"}) for c in config.collections_for(product)]
    return digest([CODE_VERSION, said, collections])


def cache_folder(state: Path) -> Path:
    """Where remote images are kept, of whatever source, below a project's local state."""
    return state / "cache"
