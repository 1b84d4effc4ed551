"""The source `earth-engine`: composites that Google Earth Engine computes, of all products.

Each grid takes two requests: one lists the images, the other brings the pixels on the grid itself. Sentinel-2 is
read from the harmonised collections, in which no offset is left, and pixels count where Cloud Score+ calls them clear.
Of basemaps the median over the season's mosaics is taken, as an archive does; interpolation is between four pixels,
where archives average over slightly more once a basemap pixel is smaller than 4.5 m (beyond 18 degrees of latitude).
Annual embeddings are not computed but fetched, as the nearest pixel has them.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from odc.geo.geobox import GeoBox
from shapely.geometry.base import BaseGeometry

from minemap_assets.errors import NotCoveredError, NotEntitledError, PermanentError, RetryableError
from minemap_assets.geo.grid import footprint_wgs84
from minemap_assets.imagery.basemaps.nicfi import PRODUCT as NICFI
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
    latest_until,
)
from minemap_assets.imagery.sources.earth_engine import expressions
from minemap_assets.imagery.sources.earth_engine.config import EMBEDDING, NAME, EarthEngineConfig, revision_of
from minemap_assets.imagery.sources.earth_engine.images import (
    Collection,
    Listed,
    Listing,
    collection_for,
    parse_listing,
    place_of,
    wanted_bands,
)
from minemap_assets.imagery.sources.earth_engine.service_errors import TooMuchError
from minemap_assets.imagery.sources.earth_engine.session import Session
from minemap_assets.imagery.sources.earth_engine.tiles import halves, parts
from minemap_assets.net.connection import Counters
from minemap_assets.net.policy import Clock

FIRST_YEAR = 2015
FIRST_EMBEDDING = 2017
RECENT = timedelta(days=45)
"""The newest image is looked for in these last days; a basemap or an annual image in more of them."""

_FEWEST_PIXELS = 4096
"""A computation that is too large for so few pixels is too large for any."""


@dataclass(frozen=True)
class EarthEngineProvenance(Provenance):
    """Provenance with the collection that was read, and the scenes left out for want of a cloud score.

    Its acquisitions are all images that touch the grid; which of them is clear at which pixel the service keeps to
    itself.
    """

    collection: str = ""
    without_cloud_score: tuple[str, ...] = ()


@dataclass(frozen=True)
class Access:
    """Whether the account may read a collection; `reason` says in one sentence why not."""

    collection: str
    granted: bool
    reason: str = ""


class EarthEngineSource(ImagerySource):
    """Earth Engine seen through one account. Safe to use from several threads.

    No credential is read and nothing is asked for before the first call that needs it.
    """

    def __init__(self, product: str, config: EarthEngineConfig, *, clock: Clock | None = None) -> None:
        self._kind = known_product(product)
        super().__init__(NAME, product, revision_of(config))
        self._config = config
        self._clock = clock or Clock()
        self._annual = product == EMBEDDING
        url = config.endpoint(computes=not self._annual)
        self._session = Session(config.model_copy(update={"url": url}), clock)
        self._lock = threading.Lock()
        self._refused: dict[str, str] = {}

    @property
    def counters(self) -> Counters:
        """What this process has asked of the service so far."""
        return self._session.counters

    def read(self, grid: GeoBox, season: Season, bands: Sequence[str]) -> Composite:
        """The composite of a grid.

        Raises `NotCoveredError` where no image of the season shows the place clearly, `NotEntitledError` where the
        account may not read the collection, and `AuthenticationError`, `QuotaError` or `RetryableError` where the
        site has to wait; `BadInputError` where a product of calendar years is asked for another season.
        """
        outline = footprint_wgs84(grid)
        collection = self._collection(outline)
        names = dict(zip(bands, wanted_bands(collection, bands), strict=True))
        where = expressions.Where(collection, outline, *collection.span(season))
        listed = self._list(where, season)
        if not listed.images:
            raise NotCoveredError(self._nothing(listed, collection, season))
        blocks = [self._pixels(part, where, listed, names) for part in self._parts(grid, len(bands))]
        whole = _assemble(grid, blocks)
        observed = (whole > 0).all(axis=0)
        if not observed.any():
            raise NotCoveredError(
                f"no pixel of the {len(listed.images)} images in {collection.asset} is clear at this place from "
                f"{season.start} to {season.end}"
            )
        stored = np.where(observed, whole, np.uint16(0))
        provenance = self._provenance(collection, listed, whole.nbytes)
        return Composite(grid, tuple(bands), stored[:-1], stored[-1], provenance)

    def stop(self) -> None:
        """Send nothing more."""
        self._session.stop()

    def images(self, grid: GeoBox, season: Season) -> int:
        """Images that a composite would be made from. Raises as `read` does."""
        outline = footprint_wgs84(grid)
        collection = self._collection(outline)
        return len(self._list(expressions.Where(collection, outline, *collection.span(season)), season).images)

    def available(self, area: BaseGeometry, season: Season) -> Availability:
        """Images of the season that touch an area (EPSG:4326), and the share of it in their footprints.

        A basemap's footprint is its whole continent, so that its share is 1 wherever there is one.
        """
        outline = shapely.box(*area.bounds)
        collection = self._collection(outline)
        where = expressions.Where(collection, outline, *collection.span(season))
        listed = self._list(where, season)
        if not listed.images:
            return Availability(0, 0.0)
        if collection.is_basemap:
            return Availability(len(listed.images), 1.0)
        found = self._fact(collection.asset, lambda ee: expressions.outlines(ee, where, self._config).getInfo())
        covered = shapely.union_all([_polygon(one) for one in found]).intersection(area)
        share = float(covered.area / area.area) if area.area > 0 else 0.0
        return Availability(len(listed.images), min(1.0, share))

    def latest(self) -> Latest:
        """What there is of each calendar year, by the newest image of the first collection."""
        return self.latest_by_season(CALENDAR_YEAR)

    def latest_by_season(self, rule: SeasonRule) -> Latest:
        """Like `latest`, for the years of a season rule. It asks about one place, for all that a collection shows."""
        asset = self._assets()[0]
        today = self._clock.now().date()
        span = RECENT * (24 if self._annual else 12 if self.product == NICFI else 1)
        question = self._newest(asset, today + timedelta(days=1) - span, today + timedelta(days=1))
        found = self._fact(asset, question)
        if found is None:
            return Latest()
        moment = datetime.fromtimestamp(float(found) / 1000.0, UTC)
        if self._annual:
            return Latest(dict.fromkeys(range(FIRST_EMBEDDING, moment.year + 1), "complete"), moment, remote=True)
        return latest_until(moment, rule, FIRST_YEAR)

    def access(self) -> tuple[Access, ...]:
        """Ask for one image of each collection of the product, and report which the account may read.

        Raises `AuthenticationError`, `QuotaError` or `RetryableError` where that cannot be found out.
        """
        return tuple(self._probe(asset) for asset in self._assets())

    def _probe(self, asset: str) -> Access:
        first = date(FIRST_YEAR, 1, 1)
        try:
            self._session.ask(asset, self._newest(asset, first, first + timedelta(days=366)))
        except NotEntitledError as error:
            return Access(asset, False, str(error))
        return Access(asset, True)

    def _newest(self, asset: str, first: date, end: date) -> Callable[[Any], Any]:
        place = place_of(asset, self._config)
        return lambda ee: expressions.newest(ee, asset, place, first, end).getInfo()

    def _assets(self) -> tuple[str, ...]:
        config = self._config
        return {
            EMBEDDING: (config.satellite_embedding,),
            NICFI: tuple(dict.fromkeys(one.asset for one in config.nicfi)),
            "sentinel-2-l1c": (config.sentinel2_l1c, config.cloud_score),
            "sentinel-2-l2a": (config.sentinel2_l2a, config.cloud_score),
        }[self.product]

    def _collection(self, outline: BaseGeometry) -> Collection:
        return collection_for(self.product, self._config, float(outline.centroid.x))

    def _ask(self, asset: str, question: Callable[[Any], Any]) -> Any:
        """Ask about a collection; one that the account may not read is not asked for again."""
        with self._lock:
            refused = self._refused.get(asset)
        if refused is not None:
            raise NotEntitledError(refused)
        try:
            return self._session.ask(asset, question)
        except NotEntitledError as error:
            with self._lock:
                self._refused[asset] = str(error)
            raise

    def _fact(self, asset: str, question: Callable[[Any], Any]) -> Any:
        """Like `_ask`, for a question that cannot be asked in smaller pieces."""
        try:
            return self._ask(asset, question)
        except TooMuchError as error:
            raise RetryableError(f"{error}; run again later") from None

    def _list(self, where: expressions.Where, season: Season) -> Listing:
        asset = where.collection.asset
        answer = self._fact(asset, lambda ee: expressions.listing(ee, where, self._config).getInfo())
        return parse_listing(answer, where.collection, season)

    def _parts(self, grid: GeoBox, bands: int) -> list[GeoBox]:
        pixel_bytes = (bands + 1) * np.dtype(np.uint16).itemsize
        return list(parts(grid, pixel_bytes, self._config.max_request_bytes))

    def _pixels(self, grid: GeoBox, where: expressions.Where, listed: Listing, names: dict[str, str]) -> "_Block":
        """Pixels of a part of the grid, in ever smaller pieces where the service says it is too much."""

        def compute(ee: Any) -> Any:
            if self._annual:
                order = listed.around(utm_zone(grid))
                image = expressions.vectors(ee, where, self._config, order, names)
            else:
                image = expressions.composite(ee, where, self._config, listed.pictures, names)
            return ee.data.computePixels(expressions.request(image, grid))

        try:
            answer = self._ask(where.collection.asset, compute)
        except TooMuchError as error:
            if grid.shape[0] * grid.shape[1] <= _FEWEST_PIXELS:
                raise PermanentError(f"{error}; take fewer bands or a shorter season") from None
            pieces = [self._pixels(half, where, listed, names) for half in halves(grid)]
            return _Block(grid, _assemble(grid, pieces))
        order = (*names, expressions.COUNT)
        if answer.shape != tuple(grid.shape) or tuple(answer.dtype.names or ()) != order:
            raise PermanentError(f"Earth Engine sent other pixels of {where.collection.asset} than it was asked for")
        return _Block(grid, np.stack([answer[name] for name in order]).astype(np.uint16))

    def _nothing(self, listed: Listing, collection: Collection, season: Season) -> str:
        if listed.unscored:
            return (
                f"none of {len(listed.unscored)} scenes in {collection.asset} has a cloud score in "
                f"{collection.cloud_score} from {season.start} to {season.end}"
            )
        return (
            f"Earth Engine's {collection.asset} has no image of this place from {season.start} to {season.end}; "
            "name another source or product for that year"
        )

    def _provenance(self, collection: Collection, listed: Listing, bytes_read: int) -> EarthEngineProvenance:
        images: tuple[Listed, ...] = listed.images
        # Which scenes are clear somewhere in the grid the service keeps to itself; mosaics are clear by themselves.
        mosaics = () if collection.cloud_score else images
        days = tuple(sorted({days_text(image.start, image.end - timedelta(days=1)) for image in mosaics}))
        cloud_mask = f"Cloud Score+ {self._config.cloud_score_band}, shows {self._config.clear_score:g} and more"
        return EarthEngineProvenance(
            source=NAME,
            product=self.product,
            acquisitions=tuple(sorted(image.index for image in images)),
            first_date=min(image.start for image in images).isoformat(),
            last_date=(max(image.end for image in images) - timedelta(days=1)).isoformat(),
            terms=collection.terms,
            redistributable=collection.redistributable,
            processing_baseline=", ".join(listed.versions),
            offset=0.0,
            bytes_read=bytes_read,
            acquisition_days=days,
            cloud_mask=cloud_mask if collection.cloud_score else NO_CLOUD_MASK,
            collection=collection.asset,
            without_cloud_score=listed.unscored,
        )


@dataclass(frozen=True, eq=False)
class _Block:
    """Bands and count, uint16 (band, row, column), of a part of a grid."""

    grid: GeoBox
    pixels: npt.NDArray[np.uint16]


def _assemble(grid: GeoBox, blocks: Sequence[_Block]) -> npt.NDArray[np.uint16]:
    """Parts put together on the grid they were cut from."""
    whole = np.zeros((blocks[0].pixels.shape[0], *grid.shape), dtype=np.uint16)
    for block in blocks:
        column, row = (~grid.affine) @ (block.grid.affine.c, block.grid.affine.f)
        top, left = round(row), round(column)
        height, width = block.grid.shape
        whole[:, top : top + height, left : left + width] = block.pixels
    return whole


def utm_zone(grid: GeoBox) -> str:
    """The UTM zone of a grid, such as 22S; empty for another CRS."""
    code = grid.crs.to_epsg() if grid.crs is not None else None
    north = {326: "N", 327: "S"}.get((code or 0) // 100, "")
    return f"{(code or 0) % 100}{north}" if north else ""


def _polygon(ring: Any) -> BaseGeometry:
    """A footprint of the service's as a polygon; empty where it has none."""
    geometry = dict(ring or {})
    if geometry.get("type") == "LinearRing":
        return shapely.make_valid(shapely.Polygon(geometry["coordinates"]))
    if geometry.get("type") in ("Polygon", "MultiPolygon"):
        return shapely.make_valid(shapely.geometry.shape(geometry))
    return shapely.Polygon()
