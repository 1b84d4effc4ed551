"""The source `planet-basemaps`: quads of Planet's basemaps, the clearest mosaic of a season in each quad.

What belongs here: from a grid and a season to quads, and from quads to a composite. What does not: requests
(`planet_client.py`), kept files (`planet_cache.py`), dates (`planet_mosaics.py`) and clarity (`planet_clarity.py`).

Each quad shows one mosaic, so that every pixel has one observation; neighbouring quads may show different months.
Pixels are brought onto the grid by the code that reads archives: the same quads give the same pixels in both sources.
"""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from fractions import Fraction
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import shapely
from odc.geo.geobox import GeoBox
from shapely.geometry.base import BaseGeometry

from minemap_assets.errors import BadInputError, NotCoveredError, NotEntitledError
from minemap_assets.imagery.compositing import mosaic as put_together
from minemap_assets.imagery.products import product as known_product
from minemap_assets.imagery.seasons import Season, SeasonRule
from minemap_assets.imagery.source import Availability, Composite, Latest, Provenance
from minemap_assets.imagery.sources.archive_features import Image
from minemap_assets.imagery.sources.archive_files import read_image
from minemap_assets.imagery.sources.planet_cache import Once, QuadCache, QuadFile
from minemap_assets.imagery.sources.planet_clarity import RULE_VERSION, clarity_of_scenes, clearest
from minemap_assets.imagery.sources.planet_client import PlanetClient
from minemap_assets.imagery.sources.planet_config import PlanetConfig
from minemap_assets.imagery.sources.planet_files import describe_quad
from minemap_assets.imagery.sources.planet_mosaics import Mosaic, choose, choose_downloadable
from minemap_assets.imagery.sources.planet_quads import QuadGrid, QuadId
from minemap_assets.imagery.transport import Discipline
from minemap_assets.lake import digest

NAME = "planet-basemaps"
PRODUCT = "planet-nicfi"
CODE_VERSION = "1"
"""Raised when the same quads would give other pixels."""

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, order=True)
class _Place:
    """A quad of the world that some mosaics divide in the same way."""

    quads: QuadGrid
    quad: QuadId


@dataclass(frozen=True)
class _Candidate:
    """One mosaic's picture of a quad."""

    mosaic: Mosaic
    quad: QuadId


@dataclass(frozen=True)
class _Chosen:
    """The picture of a quad that is used: its mosaic, folder and image."""

    mosaic: Mosaic
    folder: str
    image: Image


class PlanetSource:
    """Planet's basemaps seen through one account. Safe to use from several threads.

    `cache` is a folder for quads, shared by all sites and runs. Nothing is asked for and no key is read before the
    first call that needs it.
    """

    def __init__(
        self, product: str, config: PlanetConfig, cache: Path, *, discipline: Discipline | None = None
    ) -> None:
        self._kind = known_product(product)
        if self._kind.name != PRODUCT:
            raise BadInputError(f"{NAME} has {PRODUCT} only; name another source for {product} under [imagery] sources")
        self._config = config
        self._client = PlanetClient(config, discipline)
        self._cache = QuadCache(cache, self._client, config.bands)
        self._listed: Once[str, tuple[Mosaic, ...]] = Once()
        self._there: Once[_Candidate, bool] = Once()
        self._chosen: Once[tuple[_Place, Season], _Chosen | None] = Once()
        self._scenes_refused = False

    @property
    def name(self) -> str:
        """Name of the source."""
        return NAME

    @property
    def product(self) -> str:
        """Name of the product."""
        return self._kind.name

    @property
    def revision(self) -> str:
        """Changes with the settings that decide pixels. A published mosaic stays as it is, so no request is made."""
        deciding = self._config.model_dump(include={"base_url", "series", "name_contains", "bands", "clarity"})
        return digest([CODE_VERSION, RULE_VERSION, deciding])

    def read(self, grid: GeoBox, season: Season, bands: Sequence[str]) -> Composite:
        """The composite of a grid.

        Raises `NotCoveredError` where no mosaic of the season shows the place, `NotEntitledError` where the account
        may not have one, `AuthenticationError`, `QuotaError` and `RetryableError` where the site has to wait, and
        `PermanentError` where the service holds something else than its documentation says.
        """
        unknown = [band for band in bands if band not in self._kind.bands]
        if unknown or not bands:
            raise BadInputError(
                f"{self.product} has no band {', '.join(unknown) or '(none asked for)'}; "
                f"it has {', '.join(self._kind.bands)}"
            )
        mosaics = choose_downloadable(self._mosaics(), season, self._what)
        places = sorted({_Place(m.quads, quad) for m in mosaics for quad in m.quads.touching(grid)}, key=_by_name)
        found = [self._choose(place, mosaics, season) for place in places]
        chosen = [one for one in found if one is not None]
        tiles = [(one, read_image(one.folder, one.image, grid, grid, bands)) for one in chosen]
        seen = [(one, tile.pixels) for one, tile in tiles if tile.pixels.any()]
        if not seen:
            raise NotCoveredError(
                f"none of Planet's {len(mosaics)} mosaics from {season.start} to {season.end} shows this place; "
                "name another source or product for it"
            )
        pixels = put_together(picture for _, picture in seen)
        count: npt.NDArray[np.uint16] = (pixels[0] > 0).astype(np.uint16)
        read = sum(tile.bytes_read for _, tile in tiles)
        return Composite(grid, tuple(bands), pixels, count, self._provenance([one for one, _ in seen], read))

    def available(self, area: BaseGeometry, season: Season) -> Availability:
        """Mosaics of the season around an area (EPSG:4326), and the share of it in the quads of the last one."""
        touching = [m for m in choose(self._mosaics(), season) if m.downloadable and m.outline.intersects(area)]
        if not touching:
            return Availability(0, 0.0)
        last = touching[-1]
        quads = self._client.quads_in(last, area.bounds)
        covered = shapely.union_all([last.quads.box_wgs84(quad) for quad in quads]).intersection(area)
        share = float(covered.area / area.area) if area.area > 0 else 0.0
        return Availability(len(touching), min(1.0, share))

    def latest(self) -> Latest:
        """A revision for each calendar year that has mosaics, and the last day of the newest one."""
        mosaics = self._mosaics()
        years = {day.year for m in mosaics for day in (m.start, m.end - timedelta(days=1))}
        return self._latest({year: SeasonRule(first_month=1, last_month=12).season(year) for year in years}, mosaics)

    def latest_by_season(self, rule: SeasonRule) -> Latest:
        """Like `latest`, for the years of a season rule, which may run across New Year."""
        mosaics = self._mosaics()
        years = {m.start.year + d for m in mosaics for d in (-1, 0, 1)}
        return self._latest({year: rule.season(year) for year in years}, mosaics)

    def _latest(self, seasons: dict[int, Season], mosaics: Sequence[Mosaic]) -> Latest:
        found = {year: choose(mosaics, season) for year, season in sorted(seasons.items())}
        revisions = {year: digest([[m.id, m.revision] for m in chosen]) for year, chosen in found.items() if chosen}
        newest = max((m.end for m in mosaics), default=None)
        return Latest(revisions, None if newest is None else datetime.combine(newest, time(), UTC))

    @property
    def _what(self) -> str:
        """The mosaics that are meant, in words."""
        named = f"whose name contains {self._config.name_contains}" if self._config.name_contains else "of any name"
        return f"{named} in the series {', '.join(self._config.series)}" if self._config.series else named

    def _mosaics(self) -> tuple[Mosaic, ...]:
        return self._listed.get("", self._client.mosaics)

    def _choose(self, place: _Place, mosaics: Sequence[Mosaic], season: Season) -> _Chosen | None:
        """The clearest picture of a quad in a season, looked for once for all sites; None where there is none."""
        return self._chosen.get((place, season), lambda: self._clearest(place, mosaics))

    def _clearest(self, place: _Place, mosaics: Sequence[Mosaic]) -> _Chosen | None:
        offered = [_Candidate(m, place.quad) for m in mosaics if m.quads == place.quads]
        there = self._together(self._is_there, offered)
        candidates = [candidate for candidate, has in zip(offered, there, strict=True) if has]
        if not candidates:
            return None
        shares = self._shares(candidates) if len(candidates) > 1 else [Fraction(0)]
        best = clearest(candidates, shares)
        path = self._file(best).path
        return _Chosen(
            best.mosaic, str(path.parent), describe_quad(path, self._kind, best.mosaic, best.quad, self._config.bands)
        )

    def _shares(self, candidates: Sequence[_Candidate]) -> list[Fraction]:
        """Clarity of pictures of one quad, all by the same rule."""
        if self._config.clarity != "pixels":
            by_scenes = self._shares_of_scenes(candidates)
            if by_scenes is not None:
                return by_scenes
        return [file.clarity.share for file in self._together(self._file, candidates)]

    def _shares_of_scenes(self, candidates: Sequence[_Candidate]) -> list[Fraction] | None:
        """Clarity by scene metadata; None where some is not to be had and pixels may decide instead."""
        if self._scenes_refused:
            return None
        try:
            properties = self._together(lambda c: self._client.scenes(c.mosaic, c.quad), candidates)
        except NotEntitledError:
            if self._config.clarity == "metadata":
                raise
            self._scenes_refused = True
            return None
        shares = [clarity_of_scenes(scenes) for scenes in properties]
        known = [share for share in shares if share is not None]
        if len(known) == len(shares):
            return known
        if self._config.clarity == "auto":
            return None
        unknown = candidates[shares.index(None)]
        raise NotEntitledError(
            f"Planet shows this account no cloud and haze of the scenes of {unknown.mosaic.name}, quad {unknown.quad}; "
            'set clarity to "auto" or "pixels" under [sources.planet_basemaps]'
        )

    def _is_there(self, candidate: _Candidate) -> bool:
        if self._cache.known(candidate.mosaic, candidate.quad):
            return True
        return self._there.get(candidate, lambda: self._client.has_quad(candidate.mosaic, candidate.quad))

    def _file(self, candidate: _Candidate) -> QuadFile:
        return self._cache.get(candidate.mosaic, candidate.quad)

    def _together(self, ask: Callable[[T], R], things: Iterable[T]) -> list[R]:
        """Ask for several things at a time, answers in order. Raises the first error in order."""
        every = list(things)
        if len(every) < 2 or self._config.concurrency < 2:
            return [ask(thing) for thing in every]
        with ThreadPoolExecutor(max_workers=self._config.concurrency) as pool:
            return list(pool.map(ask, every))

    def _provenance(self, chosen: Sequence[_Chosen], bytes_read: int) -> Provenance:
        mosaics = [one.mosaic for one in chosen]
        return Provenance(
            source=NAME,
            product=self.product,
            acquisitions=tuple(sorted(one.image.id for one in chosen)),
            first_date=min(m.start for m in mosaics).isoformat(),
            last_date=(max(m.end for m in mosaics) - timedelta(days=1)).isoformat(),
            terms=self._config.terms,
            redistributable=self._config.redistributable,
            bytes_read=bytes_read,
        )


def _by_name(place: _Place) -> tuple[int, str]:
    """The order in which quads lie on top of each other where they meet: by name, as in an archive."""
    return place.quads.side, str(place.quad)


def open_planet(product: str, config: PlanetConfig, state: Path) -> PlanetSource:
    """The source `planet-basemaps` with its kept quads below a project's local state."""
    return PlanetSource(product, config, state / "cache" / "planet")


__all__ = ["NAME", "PlanetSource", "open_planet"]
