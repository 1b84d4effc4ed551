"""Probes of the real services: one for each belief about a service that nothing but the service itself can confirm.

The table in `docs/reference/evidence.md` names each of them. A probe asks as little as it can, over one kilometre of an
example mine, and says in a sentence what it found. Accounts come from the environment, as in any run. Planet counts
every quad as a download, so quads are fetched only where `DOWNLOADS` is set.
"""

import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlencode, urlsplit

import numpy as np
from odc.geo.geobox import GeoBox

from minemap_assets.errors import AuthenticationError, MinemapError, NotEntitledError, NotFoundError, RetryableError
from minemap_assets.geo.grid import footprint_wgs84
from minemap_assets.imagery.seasons import Season
from minemap_assets.imagery.source import Composite, ImagerySource
from minemap_assets.imagery.source_kind import kind_named
from minemap_assets.net.client import Client
from minemap_assets.net.policy import ClientPolicy
from minemap_assets.project.settings import SETTINGS_PATH
from projects import home_at

DOWNLOADS = "MINEMAP_LIVE_DOWNLOADS"
PATIENCE = 5.0
BANDS = ("blue", "green", "red", "nir")
DRY_2019 = Season(2019, date(2019, 7, 1), date(2019, 9, 1))
DRY_2023 = Season(2023, date(2023, 7, 1), date(2023, 9, 1))
YEARS = range(2016, 2026)
FEW = ClientPolicy(attempts=3)


@dataclass(frozen=True)
class Place:
    """Where the probes look, and an empty folder."""

    grid: GeoBox
    folder: Path


@dataclass(frozen=True)
class Found:
    """What the service answered, in a sentence, and whether it is what we believe."""

    sentence: str
    believed: bool = True


@dataclass(frozen=True)
class Probe:
    """One question. `name` is that of the row in the table; `address` is where it goes."""

    name: str
    address: Callable[[], str]
    ask: Callable[[Place], Found]


@dataclass(frozen=True)
class Outcome:
    """How a probe ended: `as believed`, `not as believed`, or `not tried`, and the sentence behind that."""

    verdict: Literal["as believed", "not as believed", "not tried"]
    sentence: str


class UntriedError(Exception):
    """The probe needs what is not here; the text says what."""


def unreachable(host: str, port: int = 443) -> str:
    """Why a host cannot be reached; empty where it can."""
    try:
        socket.create_connection((host, port), timeout=PATIENCE).close()
    except OSError as error:
        return str(error.strerror or error)
    return ""


def run(probe: Probe, place: Place) -> Outcome:
    """Ask, whatever comes of it."""
    host = urlsplit(probe.address()).hostname or probe.address()
    why = unreachable(host)
    if why:
        return Outcome("not tried", f"{host} could not be reached ({why}); run it where there is internet")
    try:
        found = probe.ask(place)
    except (UntriedError, AuthenticationError) as error:
        return Outcome("not tried", str(error))
    except RetryableError as error:
        return Outcome("not tried", f"could not be reached: {error}")
    except MinemapError as error:
        return Outcome("not as believed", f"{type(error).__name__}: {error}")
    return Outcome("as believed" if found.believed else "not as believed", found.sentence)


def _opened(place: Place, source: str, product: str, settings: str) -> ImagerySource:
    """A source as a project opens it."""
    home = home_at(place.folder / "lake", place.folder / "state")
    home.lake.store.write_bytes(SETTINGS_PATH, settings.encode())
    project = home.open()
    return kind_named(project, source).open(project, product)


def _seen(composite: Composite, season: Season) -> Found:
    """Tropical ground: not black, not cloud, greener in the near infrared than in the red; days within the season."""
    seen = composite.pixels[0] > 0
    medians = {b: float(np.median(band[seen])) for b, band in zip(composite.bands, composite.pixels, strict=True)}
    told = composite.provenance
    lies_within = season.start.isoformat() <= told.first_date <= told.last_date < season.end.isoformat()
    sane = all(50 < value < 6000 for value in medians.values()) and medians["nir"] > medians["red"]
    figures = ", ".join(f"{band} {value:.0f}" for band, value in medians.items())
    return Found(
        f"{len(told.acquisitions)} images of {told.first_date} to {told.last_date} show {seen.mean():.0%} of the place "
        f"({figures}; clouds by {told.cloud_mask}; {told.bytes_read / 1e6:.1f} MB)",
        bool(sane and lies_within and seen.mean() > 0.3 and told.terms and told.bytes_read),
    )


def _read(source: ImagerySource, place: Place, season: Season) -> Found:
    return _seen(source.read(place.grid, season, BANDS), season)


def _collection(name: str) -> Any:
    from minemap_assets.imagery.sources.stac.config import PRESETS

    return next(one for preset in PRESETS.values() for one in preset if one.name == name)


def _catalogue(row: str, use: str, season: Season) -> Probe:
    """Whether a ready set's images can be read and look like ground."""

    def ask(place: Place) -> Found:
        settings = f'[sources.stac]\nuse = ["{use}"]\nattempts = 3\n'
        return _read(_opened(place, "stac", "sentinel-2-l2a", settings), place, season)

    return Probe(row, lambda: _endpoint(use), ask)


def _endpoint(use: str) -> str:
    from minemap_assets.imagery.sources.stac.config import PRESETS

    return PRESETS[use][0].endpoint


def _all_catalogues(place: Place) -> Found:
    source = _opened(place, "stac", "sentinel-2-l2a", "[sources.stac]\nattempts = 3\n")
    found, newest = _read(source, place, DRY_2019), source.latest().newest
    return Found(f"{found.sentence}; the newest image is of {newest}", found.believed and newest is not None)


def _items(collection: Any, place: Place, season: Season) -> list[Mapping[str, Any]]:
    bounds = ",".join(f"{value:.5f}" for value in footprint_wgs84(place.grid).bounds)
    days = f"{season.start}T00:00:00Z/{season.end}T00:00:00Z"
    words = urlencode({"collections": collection.collection, "bbox": bounds, "datetime": days, "limit": 200})
    with Client(collection.name, FEW) as asking:
        return list(asking.get_json(f"{collection.endpoint}/search?{words}")["features"])


def _thinned(place: Place) -> Found:
    first, second = (
        _collection(name) for name in ("earth-search/sentinel-2-c1-l2a", "planetary-computer/sentinel-2-l2a")
    )
    counts = []
    for year in YEARS:
        season = Season(year, date(year, 6, 1), date(year, 12, 1))
        counts.append((year, len(_items(first, place, season)), len(_items(second, place, season))))
    said = ", ".join(f"{year} {here} of {there}" for year, here, there in counts)
    return Found(f"images from June to November here, of those of Planetary Computer: {said}")


def _first_bytes(name: str) -> Callable[[Place], Found]:
    """Whether a file of a collection can be read, without looking at its pixels."""

    def ask(place: Place) -> Found:
        collection = _collection(name)
        items = _items(collection, place, DRY_2023)
        if not items:
            return Found(f"{name} has no image of that place and season", believed=False)
        assets = items[0]["assets"]
        key = collection.assets.bands["red"]
        if key not in assets:
            return Found(f"{items[0]['id']} has no asset {key}, but {', '.join(sorted(assets))}", believed=False)
        href = str(assets[key]["href"])
        bucket, _, path = href.removeprefix("s3://").partition("/")
        url = f"{collection.storage.format(bucket=bucket)}/{path}" if href.startswith("s3://") else href
        try:
            with Client(name, FEW) as asking:
                part = asking.get_range(url, 0, 12)
        except AuthenticationError as error:
            return Found(f"{href}: {error}", believed=False)
        return Found(f"{href} has {part.total / 1e6:.1f} MB and begins with {part.data!r}")

    return ask


def _missing_key(_: Place) -> Found:
    with Client("sentinel-cogs", FEW, hidden_keys=True) as asking:
        try:
            asking.get_range(_COGS, 0, 4)
        except NotFoundError as error:
            return Found(str(error))
    return Found("a file that does not exist was served", believed=False)


_COGS = "https://sentinel-cogs.s3.us-west-2.amazonaws.com/sentinel-s2-l2a-cogs/no-such-file-of-minemap.tif"


def _planet(reads: Literal["quads", "tiles"], mark: str = "") -> Callable[[Place], Found]:
    def ask(place: Place) -> Found:
        settings = f'[sources.planet_basemaps]\nreads = "{reads}"\nattempts = 3\n'
        source = _opened(place, "planet-basemaps", "planet-nicfi", settings)
        latest = source.latest()
        if latest.newest is None:
            raise UntriedError("this account of Planet's sees no basemap")
        year = max(latest.revisions)
        season = Season(year, date(year, 1, 1), date(year + 1, 1, 1))
        there = source.available(footprint_wgs84(place.grid), season)
        if reads == "quads" and not os.environ.get(DOWNLOADS):
            raise UntriedError(
                f"{there.images} mosaics of {year} show {there.covered_share:.0%} of the place; set {DOWNLOADS}=1 to "
                "fetch quads, which count as downloads"
            )
        found = _read(source, place, season)
        if mark not in found.sentence.lower():
            raise UntriedError(f"{found.sentence}: this basemap came without a usable data mask")
        return found

    return ask


def _earth_engine_source(place: Place, product: str) -> ImagerySource:
    return _opened(place, "earth-engine", product, "[sources.earth_engine]\nattempts = 3\n")


def _earth_engine(product: str) -> Callable[[Place], Found]:
    return lambda place: _read(_earth_engine_source(place, product), place, DRY_2023)


def _refusal(place: Place) -> Found:
    _earth_engine_source(place, "sentinel-2-l2a").latest()
    raise UntriedError("Earth Engine does not refuse this account, so it shows no refusal")


def _earth_engine_basemaps(place: Place) -> Found:
    source: Any = _earth_engine_source(place, "planet-nicfi")
    answers = source.access()
    return Found("; ".join(f"{one.asset}: {'may be read' if one.granted else one.reason}" for one in answers))


def _embedding(place: Place) -> Found:
    from minemap_assets.imagery.products import product

    kind = product("satellite-embedding")
    season = Season(2023, date(2023, 1, 1), date(2024, 1, 1))
    try:
        composite = _earth_engine_source(place, kind.name).read(place.grid, season, kind.bands)
    except NotEntitledError as error:
        return Found(str(error), believed=False)
    seen = composite.pixels[0] > 0
    return Found(
        f"{len(kind.bands)} bands show {seen.mean():.0%} of the place, numbers {composite.pixels[:, seen].min()} to "
        f"{composite.pixels[:, seen].max()}; {composite.provenance.terms}",
        bool(seen.mean() > 0.3),
    )


def _reference_files(_: Place) -> Found:
    from minemap_assets.reference.published_sets import DATASETS

    said, believed = [], True
    for dataset in DATASETS.values():
        for name, address in dataset.files.items():
            with Client(dataset.name, FEW) as asking:
                reply = asking.request("HEAD", address)
            size = int(reply.headers.get("Content-Length") or 0)
            web_page = "html" in reply.headers.get("Content-Type", "")
            too_large = dataset.megabytes is not None and size > 1.5e6 * dataset.megabytes
            believed &= not (web_page or too_large)
            said.append(f"{name} {size / 1e6:.0f} MB{' (a web page)' if web_page else ''}")
    return Found(", ".join(said), believed)


def _planet_address() -> str:
    from minemap_assets.imagery.sources.planet.config import BASE_URL

    return BASE_URL


def _tiles_address() -> str:
    from minemap_assets.imagery.sources.planet.config import TILES_URL

    return TILES_URL


def _earth_engine_address() -> str:
    from minemap_assets.imagery.sources.earth_engine.config import API_URL

    return API_URL


def _first_reference() -> str:
    from minemap_assets.reference.published_sets import DATASETS

    return next(address for dataset in DATASETS.values() for address in dataset.files.values())


PROBES: tuple[Probe, ...] = (
    _catalogue("stac-earth-search", "earth-search", DRY_2023),
    _catalogue("stac-planetary-computer", "planetary-computer", DRY_2019),
    _catalogue("stac-earth-search-older", "earth-search-older", DRY_2023),
    _catalogue("stac-copernicus", "copernicus", DRY_2023),
    Probe("stac-catalogues", lambda: _endpoint("earth-search"), _all_catalogues),
    Probe("stac-thinned", lambda: _endpoint("earth-search"), _thinned),
    Probe(
        "stac-level-1c",
        lambda: _endpoint("earth-search"),
        _first_bytes("earth-search/sentinel-2-l1c"),
    ),
    Probe("stac-missing-keys", lambda: _COGS, _missing_key),
    Probe("planet-quads", _planet_address, _planet("quads")),
    Probe("planet-tiles", _tiles_address, _planet("tiles")),
    Probe("planet-udm2", _planet_address, _planet("quads", "udm2")),
    Probe("earth-engine-l2a", _earth_engine_address, _earth_engine("sentinel-2-l2a")),
    Probe("earth-engine-l1c", _earth_engine_address, _earth_engine("sentinel-2-l1c")),
    Probe("earth-engine-unverified", _earth_engine_address, _refusal),
    Probe("earth-engine-basemaps", _earth_engine_address, _earth_engine_basemaps),
    Probe("earth-engine-embedding", _earth_engine_address, _embedding),
    Probe("reference-files", _first_reference, _reference_files),
)
