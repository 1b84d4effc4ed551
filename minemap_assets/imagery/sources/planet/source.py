"""The source `planet-basemaps`: Planet's basemaps, the clearest mosaic of a season in each quad.

Each quad shows one mosaic, so that every pixel has one observation; neighbouring quads may show different months.
Pixels are brought onto the grid by the code that reads archives: the same quads give the same pixels in both sources.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, time, timedelta

import numpy as np
import numpy.typing as npt
import shapely
from odc.geo.geobox import GeoBox
from shapely.geometry.base import BaseGeometry

from minemap_assets.caching.loading_cache import LoadingCache
from minemap_assets.errors import BadInputError, NotCoveredError, NotEntitledError
from minemap_assets.imagery.basemaps.mosaics import Listing, Mosaic, choose, choose_usable
from minemap_assets.imagery.basemaps.nicfi import PRODUCT
from minemap_assets.imagery.files.compositing import mosaic as put_together
from minemap_assets.imagery.files.mosaic_pieces import read_together
from minemap_assets.imagery.products import product as known_product
from minemap_assets.imagery.seasons import CALENDAR_YEAR, Season, SeasonRule
from minemap_assets.imagery.source import (
    NO_CLOUD_MASK,
    Availability,
    Composite,
    ImagerySource,
    Latest,
    Provenance,
    days_text,
)
from minemap_assets.imagery.sources.planet.choosing import Choice, Chosen
from minemap_assets.imagery.sources.planet.client import PlanetClient
from minemap_assets.imagery.sources.planet.config import NAME, PlanetConfig, revision_of
from minemap_assets.imagery.sources.planet.pictures import Picture, Pictures, Piece, Place, QuadPictures, TilePictures
from minemap_assets.imagery.sources.planet.quad_cache import QuadCache
from minemap_assets.imagery.sources.planet.tile_cache import TileCache
from minemap_assets.imagery.sources.planet.together import Together
from minemap_assets.lake.kept_files import KeptFiles
from minemap_assets.lake.manifests import digest
from minemap_assets.net.policy import ClientPolicy

UDM2_MASK = "usable data mask (UDM2)"
"""How provenance calls the masks of basemaps."""


class PlanetSource(ImagerySource):
    """Planet's basemaps seen through one account. Safe to use from several threads.

    What is fetched lies among the `kept` files, shared by all sites and runs. Nothing is asked for and no key is read
    before the first call that needs it.
    """

    def __init__(
        self, product: str, config: PlanetConfig, kept: KeptFiles, *, policy: ClientPolicy | None = None
    ) -> None:
        self._kind = known_product(product)
        if product != PRODUCT:
            raise BadInputError(f"{NAME} has {PRODUCT} only; name another source for {product} under [imagery] sources")
        super().__init__(NAME, product, revision_of(config))
        self._config = config
        self._client = PlanetClient(config, policy)
        together = Together(config.concurrency)
        self._pictures: Pictures
        if config.reads == "tiles":
            self._pictures = TilePictures(TileCache(kept, self._client, config.bands), product, together)
        else:
            cache = QuadCache(kept, self._client, config.bands)
            self._pictures = QuadPictures(cache, self._client, product, config.bands, config.masks)
        self._choice = Choice(self._pictures, self._client, config.clarity, together)
        self._listed: LoadingCache[str, Listing] = LoadingCache()

    def read(self, grid: GeoBox, season: Season, bands: Sequence[str]) -> Composite:
        """The composite of a grid.

        Raises `NotCoveredError` where no mosaic of the season shows the place, `NotEntitledError` where the account
        may not have one, `AuthenticationError`, `QuotaError` and `RetryableError` where the site has to wait, and
        `PermanentError` where the service holds something else than its documentation says.
        """
        self._kind.check_bands(bands)
        mosaics = self.mosaics_of(season)
        places = sorted({Place(m.quads, quad) for m in mosaics for quad in m.quads.touching(grid)}, key=_by_name)
        found = [self._choice.best(place, mosaics, season) for place in places]
        with ExitStack() as stack:
            pieces = self._pieces([one.picture for one in found if one.picture is not None], grid, stack)
            tiles = list(read_together([piece.part for piece in pieces], grid, grid, bands))
        used = [pieces[place] for joined in tiles for place in joined.used]
        if not used:
            raise _nothing(found, mosaics, season)
        pixels = put_together(joined.tile.pixels for joined in tiles)
        count: npt.NDArray[np.uint16] = (pixels[0] > 0).astype(np.uint16)
        read = sum(joined.tile.bytes_read for joined in tiles)
        return Composite(grid, tuple(bands), pixels, count, self._provenance(used, read))

    def stop(self) -> None:
        """Send nothing more."""
        self._client.stop()

    def mosaics_of(self, season: Season) -> tuple[Mosaic, ...]:
        """Mosaics of a season that the account may fetch. Raises as `read` does."""
        return choose_usable(self._mosaics(), season, self._what, tiles=self._config.reads == "tiles")

    def ranks_by_scenes(self, grid: GeoBox, season: Season) -> bool:
        """Whether scene metadata tell the clearest mosaic of a quad, so that only that one is fetched. Asks for the
        scenes of one quad. Raises as `read` does.
        """
        mosaic = self.mosaics_of(season)[0]
        return self._choice.by_scenes([Picture(mosaic, quad) for quad in mosaic.quads.touching(grid)])

    def available(self, area: BaseGeometry, season: Season) -> Availability:
        """Mosaics of the season around an area (EPSG:4326), and the share of it in the quads of the last one."""
        found = [m for m in choose(self._mosaics().mosaics, season) if m.outline.intersects(area)]
        touching = [m for m in found if m.downloadable or self._config.reads == "tiles"]
        if not touching:
            return Availability(0, 0.0)
        last = touching[-1]
        quads = self._client.quads_in(last, area.bounds)
        covered = shapely.union_all([last.quads.box_wgs84(quad) for quad in quads]).intersection(area)
        share = float(covered.area / area.area) if area.area > 0 else 0.0
        return Availability(len(touching), min(1.0, share))

    def latest(self) -> Latest:
        """A revision for each calendar year that has mosaics, and the last day of the newest one."""
        mosaics = self._mosaics().mosaics
        years = {day.year for m in mosaics for day in (m.start, m.end - timedelta(days=1))}
        return self._latest({year: CALENDAR_YEAR.season(year) for year in years}, mosaics)

    def latest_by_season(self, rule: SeasonRule) -> Latest:
        """Like `latest`, for the years of a season rule, which may run across New Year."""
        mosaics = self._mosaics().mosaics
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
        named = f"whose name contains {self._config.names}" if self._config.names else "of any name"
        return f"{named} in the series {', '.join(self._config.series)}" if self._config.series else named

    def _mosaics(self) -> Listing:
        return self._listed.get("", self._client.mosaics)

    def _pieces(self, pictures: Sequence[Picture], grid: GeoBox, stack: ExitStack) -> list[Piece]:
        found = [self._pictures.piece(picture, grid, stack) for picture in pictures]
        return [piece for piece in found if piece is not None]

    def _provenance(self, pieces: Sequence[Piece], bytes_read: int) -> Provenance:
        mosaics = [piece.picture.mosaic for piece in pieces]
        return Provenance(
            source=NAME,
            product=self.product,
            acquisitions=tuple(sorted(piece.part.image.id for piece in pieces)),
            first_date=min(m.start for m in mosaics).isoformat(),
            last_date=(max(m.end for m in mosaics) - timedelta(days=1)).isoformat(),
            terms=self._config.licence,
            redistributable=self._config.redistributable,
            bytes_read=bytes_read,
            acquisition_days=tuple(sorted({days_text(m.start, m.end - timedelta(days=1)) for m in mosaics})),
            cloud_mask=UDM2_MASK if all(piece.masked for piece in pieces) else NO_CLOUD_MASK,
        )


def _nothing(found: Sequence[Chosen], mosaics: Sequence[Mosaic], season: Season) -> NotCoveredError | NotEntitledError:
    """Why a site has no pixels."""
    locked = [picture for one in found for picture in one.locked]
    if locked:
        more = f" and {len(locked) - 1} more quads" if len(locked) > 1 else ""
        return NotEntitledError(
            f"the Planet account may see but not download {locked[0]}{more} under this place; name a series whose area "
            'your plan includes, or set reads to "tiles" under [sources.planet_basemaps] if it lets you stream this one'
        )
    return NotCoveredError(
        f"none of Planet's {len(mosaics)} mosaics from {season.start} to {season.end} shows this place; "
        "name another source or product for it"
    )


def _by_name(place: Place) -> tuple[int, str]:
    """The order in which quads lie on top of each other where they meet: by name, as in an archive."""
    return place.quads.side, str(place.quad)
