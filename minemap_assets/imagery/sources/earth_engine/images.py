"""Which images a composite is made from: what the service lists, and how images make up pictures."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from typing import Any

from minemap_assets.errors import BadInputError, PermanentError
from minemap_assets.imagery.basemaps.mosaics import Mosaic, choose
from minemap_assets.imagery.basemaps.nicfi import PRODUCT as NICFI
from minemap_assets.imagery.basemaps.quads import QuadGrid
from minemap_assets.imagery.files.scene_names import days_of_file
from minemap_assets.imagery.products import SENTINEL2_BANDS
from minemap_assets.imagery.products import product as known_product
from minemap_assets.imagery.seasons import Season
from minemap_assets.imagery.sources.earth_engine.config import (
    EMBEDDING,
    EMBEDDING_TERMS,
    SENTINEL2_TERMS,
    EarthEngineConfig,
)

_NICFI_BANDS = {"blue": "B", "green": "G", "red": "R", "nir": "N"}
_PLACES = ((-51.0, -6.33), (23.0, -1.5), (113.5, -0.5))
"""Longitude and latitude of forest in the Americas, Africa and Asia that every collection shows."""

_LONGEST_MOSAIC = timedelta(days=190)
"""Basemaps of half a year begin at most this long before a season that they belong to."""

_WORLD = (-180.0, -90.0, 180.0, 90.0)
_DAY_MS = 86_400_000


@dataclass(frozen=True)
class Collection:
    """A collection as one product sees it. `bands` maps common names to the service's; `cloud_score` is empty where
    pixels have no cloud score, `version` the property that says how an image was processed (empty where none does).
    """

    asset: str
    product: str
    bands: Mapping[str, str]
    cloud_score: str
    terms: str
    redistributable: bool
    version: str = ""

    @property
    def is_basemap(self) -> bool:
        """True for mosaics of a month or half-year."""
        return self.product == NICFI

    @property
    def is_annual(self) -> bool:
        """True for images of a calendar year, which are taken as they are."""
        return self.product == EMBEDDING

    def span(self, season: Season) -> tuple[date, date]:
        """Days on which images that may belong to a season begin; the last is not included.

        Raises `BadInputError` for annual images where the season is no calendar year.
        """
        if self.is_annual and (season.start, season.end) != (date(season.year, 1, 1), date(season.year + 1, 1, 1)):
            raise BadInputError(
                f"{self.product} has one image a calendar year and none of the days from {season.start} to "
                f"{season.end - timedelta(days=1)}; set the season's months to 1 and 12"
            )
        return (season.start - _LONGEST_MOSAIC if self.is_basemap else season.start), season.end


@dataclass(frozen=True, order=True)
class Listed:
    """An image that the service lists: the days from `start` up to but not including `end`; `zone` is the UTM zone of
    its pixels, such as 22S, where the service says so.
    """

    start: date
    end: date
    index: str
    zone: str = ""


@dataclass(frozen=True)
class Listing:
    """Images of a place and season; `unscored` are scenes without a cloud score, which cannot be used."""

    images: tuple[Listed, ...]
    versions: tuple[str, ...] = ()
    unscored: tuple[str, ...] = ()

    @property
    def pictures(self) -> tuple[tuple[str, ...], ...]:
        """Images of the same days in order of their names: the first lies on top, as in an archive."""
        return tuple(
            tuple(i.index for i in group) for _, group in groupby(sorted(self.images), key=lambda i: (i.start, i.end))
        )

    def around(self, zone: str) -> tuple[str, ...]:
        """All images by name, those of a UTM zone first: its pixels lie on the lattice of grids in that zone."""
        return tuple(image.index for image in sorted(self.images, key=lambda i: (i.zone != zone, i.index)))


def collection_for(product: str, config: EarthEngineConfig, longitude: float) -> Collection:
    """The collection that serves a product around a longitude (degrees). Raises `BadInputError` where none does."""
    if product == NICFI:
        assets = [one.asset for one in config.nicfi if one.west <= longitude < one.east]
        if not assets:
            raise BadInputError(
                f"no collection of basemaps is named for longitude {longitude:.2f}; add one to nicfi under "
                "[sources.earth_engine]"
            )
        return Collection(assets[0], product, _NICFI_BANDS, "", config.nicfi_terms, False)
    if product == EMBEDDING:
        axes = {band: band for band in known_product(product).bands}
        return Collection(config.satellite_embedding, product, axes, "", EMBEDDING_TERMS, True, version="MODEL_VERSION")
    assets_of = {"sentinel-2-l1c": config.sentinel2_l1c, "sentinel-2-l2a": config.sentinel2_l2a}
    bands = {common: f"B{name[1:].lstrip('0')}" for name, common in SENTINEL2_BANDS.items()}  # B2 for B02
    return Collection(
        assets_of[product], product, bands, config.cloud_score, SENTINEL2_TERMS, True, version="PROCESSING_BASELINE"
    )


def place_of(asset: str, config: EarthEngineConfig) -> tuple[float, float]:
    """Longitude and latitude of a place that a collection shows, to ask about its images there."""
    ranges = [(one.west, one.east) for one in config.nicfi if one.asset == asset] or [(-180.0, 180.5)]
    west, east = ranges[0]
    inside = (place for place in _PLACES if west <= place[0] < east)
    return next(inside, ((west + east) / 2.0, 0.0))


def parse_listing(answer: Mapping[str, Any], collection: Collection, season: Season) -> Listing:
    """A listing from the service's answer. Raises `PermanentError` where the answer lacks what is needed."""
    names = [str(name) for name in answer.get("index") or ()]
    starts = list(answer.get("start") or ())
    if len(names) != len(starts):
        raise PermanentError(
            f"Earth Engine lists {len(names)} images of {collection.asset} and {len(starts)} dates; "
            "name another collection under [sources.earth_engine]"
        )
    begun = [_day(ms) for ms in starts]
    versions = tuple(sorted({str(v) for v in answer.get("version") or ()}))
    if collection.is_annual:
        zones = [str(zone) for zone in answer.get("zone") or ()]
        known = zones if len(zones) == len(names) else [""] * len(names)
        years = (Listed(d, date(d.year + 1, 1, 1), n, z) for d, n, z in zip(begun, names, known, strict=True))
        return Listing(tuple(sorted(years)), versions)
    if collection.is_basemap:
        ends = list(answer.get("end") or ())
        found = [
            Listed(start, _end_of_mosaic(name, ends[i] if len(ends) == len(names) else None, start), name)
            for i, (name, start) in enumerate(zip(names, begun, strict=True))
        ]
        return Listing(_in_season(found, season))
    scored = {str(name) for name in answer.get("scored") or ()}
    scenes = sorted(Listed(d, d + timedelta(days=1), n) for n, d in zip(names, begun, strict=True))
    return Listing(
        tuple(s for s in scenes if s.index in scored),
        versions,
        tuple(s.index for s in scenes if s.index not in scored),
    )


def _in_season(found: Iterable[Listed], season: Season) -> tuple[Listed, ...]:
    """The mosaics of a season by the rule of the source `planet-basemaps`."""
    mosaics = [Mosaic(m.start, m.end, m.index, m.index, QuadGrid(2048), _WORLD, True, "") for m in found]
    return tuple(Listed(m.start, m.end, m.name) for m in choose(mosaics, season))


def _end_of_mosaic(name: str, stated: Any, start: date) -> date:
    """The first day not in a mosaic: as the service states, else as its name says."""
    if stated is not None:
        return _day(int(stated) + _DAY_MS - 1)
    named = days_of_file(name)
    if named is None:
        raise PermanentError(
            f"neither the properties nor the name of the basemap {name} say when it ends after {start}; "
            "name another collection in nicfi under [sources.earth_engine]"
        )
    return named.end + timedelta(days=1)


def _day(milliseconds: Any) -> date:
    return datetime.fromtimestamp(float(milliseconds) / 1000.0, UTC).date()


def wanted_bands(collection: Collection, bands: Sequence[str]) -> tuple[str, ...]:
    """The service's names of some bands of the product. Raises `BadInputError`."""
    known_product(collection.product).check_bands(bands)
    return tuple(collection.bands[band] for band in bands)
