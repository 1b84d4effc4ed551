"""The source `planet-basemaps`: quads of Planet's basemaps, the clearest mosaic of a season in each quad.

Each quad shows one mosaic, so that every pixel has one observation; neighbouring quads may show different months.
Pixels are brought onto the grid by the code that reads archives: the same quads give the same pixels in both sources.
"""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
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

from minemap_assets.caching.loading_cache import LoadingCache
from minemap_assets.errors import BadInputError, NotCoveredError, NotEntitledError
from minemap_assets.imagery.basemaps.clarity import clarity_of_scenes, clearest
from minemap_assets.imagery.basemaps.mosaics import Mosaic, choose, choose_downloadable
from minemap_assets.imagery.basemaps.nicfi import PRODUCT
from minemap_assets.imagery.basemaps.quad_files import describe_quad
from minemap_assets.imagery.basemaps.quads import QuadGrid, QuadId
from minemap_assets.imagery.files.compositing import mosaic as put_together
from minemap_assets.imagery.files.images import Image
from minemap_assets.imagery.files.mosaic_pieces import read_together
from minemap_assets.imagery.files.reading import Part
from minemap_assets.imagery.products import product as known_product
from minemap_assets.imagery.seasons import CALENDAR_YEAR, Season, SeasonRule
from minemap_assets.imagery.source import Availability, Composite, ImagerySource, Latest, Provenance, days_text
from minemap_assets.imagery.sources.planet.client import PlanetClient
from minemap_assets.imagery.sources.planet.config import NAME, PlanetConfig, revision_of
from minemap_assets.imagery.sources.planet.quad_cache import QuadCache
from minemap_assets.lake.manifests import digest
from minemap_assets.net.policy import ClientPolicy

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


class PlanetSource(ImagerySource):
    """Planet's basemaps seen through one account. Safe to use from several threads.

    `cache` is a folder for quads, shared by all sites and runs. Nothing is asked for and no key is read before the
    first call that needs it.
    """

    def __init__(self, product: str, config: PlanetConfig, cache: Path, *, policy: ClientPolicy | None = None) -> None:
        self._kind = known_product(product)
        if product != PRODUCT:
            raise BadInputError(f"{NAME} has {PRODUCT} only; name another source for {product} under [imagery] sources")
        super().__init__(NAME, product, revision_of(config))
        self._config = config
        self._client = PlanetClient(config, policy)
        self._cache = QuadCache(cache, self._client, config.bands, config.cache_gb * 1e9)
        self._listed: LoadingCache[str, tuple[Mosaic, ...]] = LoadingCache()
        self._there: LoadingCache[_Candidate, bool] = LoadingCache()
        self._chosen: LoadingCache[tuple[_Place, Season], _Candidate | None] = LoadingCache()
        self._described: LoadingCache[Path, Image] = LoadingCache()
        self._scenes_refused = False

    def read(self, grid: GeoBox, season: Season, bands: Sequence[str]) -> Composite:
        """The composite of a grid.

        Raises `NotCoveredError` where no mosaic of the season shows the place, `NotEntitledError` where the account
        may not have one, `AuthenticationError`, `QuotaError` and `RetryableError` where the site has to wait, and
        `PermanentError` where the service holds something else than its documentation says.
        """
        self._kind.check_bands(bands)
        mosaics = self.mosaics_of(season)
        places = sorted({_Place(m.quads, quad) for m in mosaics for quad in m.quads.touching(grid)}, key=_by_name)
        found = [self._choose(place, mosaics, season) for place in places]
        with ExitStack() as stack:
            chosen = [self._opened(one, stack) for one in found if one is not None]
            parts = [Part(one.folder, one.image) for one in chosen]
            tiles = list(read_together(parts, grid, grid, bands))
        used = [chosen[place] for joined in tiles for place in joined.used]
        if not used:
            raise NotCoveredError(
                f"none of Planet's {len(mosaics)} mosaics from {season.start} to {season.end} shows this place; "
                "name another source or product for it"
            )
        pixels = put_together(joined.tile.pixels for joined in tiles)
        count: npt.NDArray[np.uint16] = (pixels[0] > 0).astype(np.uint16)
        read = sum(joined.tile.bytes_read for joined in tiles)
        return Composite(grid, tuple(bands), pixels, count, self._provenance(used, read))

    def stop(self) -> None:
        """Send nothing more."""
        self._client.stop()

    def mosaics_of(self, season: Season) -> tuple[Mosaic, ...]:
        """Mosaics of a season that the account may download. Raises as `read` does."""
        return choose_downloadable(self._mosaics(), season, self._what)

    def ranks_by_scenes(self, grid: GeoBox, season: Season) -> bool:
        """Whether scene metadata tell the clearest mosaic of a quad, so that only that one is fetched. Asks for the
        scenes of one quad. Raises as `read` does.
        """
        if self._config.clarity == "pixels":
            return False
        mosaic = self.mosaics_of(season)[0]
        offered = [_Candidate(mosaic, quad) for quad in mosaic.quads.touching(grid)]
        there = next((candidate for candidate in offered if self._is_there(candidate)), None)
        return there is not None and self._shares_of_scenes([there]) is not None

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
        return self._latest({year: CALENDAR_YEAR.season(year) for year in years}, mosaics)

    def latest_by_season(self, rule: SeasonRule) -> Latest:
        """Like `latest`, for the years of a season rule, which may run across New Year."""
        mosaics = self._mosaics()
        years = {m.start.year + d for m in mosaics for d in (-1, 0, 1)}
        return self._latest({year: rule.season(year) for year in years}, mosaics)

    def _latest(self, seasons: dict[int, Season], mosaics: Sequence[Mosaic]) -> Latest:
        found = {year: choose(mosaics, season) for year, season in sorted(seasons.items())}
        revisions = {year: digest([[m.id, m.revision] for m in chosen]) for year, chosen in found.items() if chosen}
        newest = max((m.end for m in mosaics), default=None)
        moment = None if newest is None else datetime.combine(newest, time(), UTC)
        return Latest(revisions, moment, remote=True)

    @property
    def _what(self) -> str:
        """The mosaics that are meant, in words."""
        named = f"whose name contains {self._config.name_contains}" if self._config.name_contains else "of any name"
        return f"{named} in the series {', '.join(self._config.series)}" if self._config.series else named

    def _mosaics(self) -> tuple[Mosaic, ...]:
        return self._listed.get("", self._client.mosaics)

    def _opened(self, candidate: _Candidate, stack: ExitStack) -> _Chosen:
        """A quad's file and what it holds; it stays on disk until the stack is closed."""
        mosaic, quad, bands = candidate.mosaic, candidate.quad, self._config.bands
        path = stack.enter_context(self._cache.reading(mosaic, quad))
        image = self._described.get(path, lambda: describe_quad(path, self._kind, mosaic, quad, bands))
        return _Chosen(mosaic, str(path.parent), image)

    def _choose(self, place: _Place, mosaics: Sequence[Mosaic], season: Season) -> _Candidate | None:
        """The clearest picture of a quad in a season, looked for once for all sites; None where there is none."""
        return self._chosen.get((place, season), lambda: self._clearest(place, mosaics))

    def _clearest(self, place: _Place, mosaics: Sequence[Mosaic]) -> _Candidate | None:
        offered = [_Candidate(m, place.quad) for m in mosaics if m.quads == place.quads]
        there = self._together(self._is_there, offered)
        candidates = [candidate for candidate, has in zip(offered, there, strict=True) if has]
        if not candidates:
            return None
        shares = self._shares(candidates) if len(candidates) > 1 else [Fraction(0)]
        return clearest(candidates, shares)

    def _shares(self, candidates: Sequence[_Candidate]) -> list[Fraction]:
        """Clarity of pictures of one quad, all by the same rule."""
        if self._config.clarity != "pixels":
            by_scenes = self._shares_of_scenes(candidates)
            if by_scenes is not None:
                return by_scenes
        clarities = self._together(lambda c: self._cache.clarity(c.mosaic, c.quad), candidates)
        return [clarity.share for clarity in clarities]

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
            acquisition_days=tuple(sorted({days_text(m.start, m.end - timedelta(days=1)) for m in mosaics})),
        )


def _by_name(place: _Place) -> tuple[int, str]:
    """The order in which quads lie on top of each other where they meet: by name, as in an archive."""
    return place.quads.side, str(place.quad)
