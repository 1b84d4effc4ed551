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
from minemap_assets.imagery.sources.earth_engine.config import SENTINEL2_TERMS, EarthEngineConfig

_NICFI_BANDS = {"blue": "B", "green": "G", "red": "R", "nir": "N"}
_LONGEST_MOSAIC = timedelta(days=190)
"""Basemaps of half a year begin at most this long before a season that they belong to."""

_WORLD = (-180.0, -90.0, 180.0, 90.0)
_DAY_MS = 86_400_000


@dataclass(frozen=True)
class Collection:
    """A collection as one product sees it. `bands` maps common names to the service's; `cloud_score` is empty where
    pixels have no cloud score.
    """

    asset: str
    product: str
    bands: Mapping[str, str]
    cloud_score: str
    terms: str
    redistributable: bool

    @property
    def is_basemap(self) -> bool:
        """True for mosaics of a month or half-year, False for scenes."""
        return self.product == NICFI

    def span(self, season: Season) -> tuple[date, date]:
        """Days on which images that may belong to a season begin; the last is not included."""
        return (season.start - _LONGEST_MOSAIC if self.is_basemap else season.start), season.end


@dataclass(frozen=True, order=True)
class Listed:
    """An image that the service lists: the days from `start` up to but not including `end`."""

    start: date
    end: date
    index: str


@dataclass(frozen=True)
class Listing:
    """Images of a place and season; `unscored` are scenes without a cloud score, which cannot be used."""

    images: tuple[Listed, ...]
    baselines: tuple[str, ...] = ()
    unscored: tuple[str, ...] = ()

    @property
    def pictures(self) -> tuple[tuple[str, ...], ...]:
        """Images of the same days in order of their names: the first lies on top, as in an archive."""
        return tuple(
            tuple(i.index for i in group) for _, group in groupby(sorted(self.images), key=lambda i: (i.start, i.end))
        )


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
    assets_of = {"sentinel-2-l1c": config.sentinel2_l1c, "sentinel-2-l2a": config.sentinel2_l2a}
    bands = {common: f"B{name[1:].lstrip('0')}" for name, common in SENTINEL2_BANDS.items()}  # B2 for B02
    return Collection(assets_of[product], product, bands, config.cloud_score, SENTINEL2_TERMS, True)


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
        tuple(sorted({str(b) for b in answer.get("baseline") or ()})),
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
