"""Pictures of quads: what a mosaic shows of one, read from whole files or from tiles."""

from contextlib import ExitStack
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from odc.geo.geobox import GeoBox

from minemap_assets.caching.loading_cache import LoadingCache
from minemap_assets.imagery.basemaps.clarity import Clarity
from minemap_assets.imagery.basemaps.mosaics import Mosaic
from minemap_assets.imagery.basemaps.quad_files import Shown, clarity_of, describe
from minemap_assets.imagery.basemaps.quads import QuadGrid, QuadId
from minemap_assets.imagery.basemaps.tiles import overview, under
from minemap_assets.imagery.files.band_names import QUAD_ORDER
from minemap_assets.imagery.files.images import Image
from minemap_assets.imagery.files.reading import Part
from minemap_assets.imagery.sources.planet.client import PlanetClient
from minemap_assets.imagery.sources.planet.quad_cache import QuadCache
from minemap_assets.imagery.sources.planet.tile_cache import TileCache
from minemap_assets.imagery.sources.planet.together import Together


@dataclass(frozen=True, order=True)
class Place:
    """A quad of the world that some mosaics divide in the same way."""

    quads: QuadGrid
    quad: QuadId


@dataclass(frozen=True)
class Picture:
    """One mosaic's picture of a quad."""

    mosaic: Mosaic
    quad: QuadId

    def __str__(self) -> str:
        return f"quad {self.quad} of {self.mosaic.name}"


class Offer(Enum):
    """Whether a picture is to be had."""

    ABSENT = "the mosaic shows nothing there"
    LOCKED = "the account may see but not fetch it"
    OPEN = "it may be fetched"


@dataclass(frozen=True)
class Piece:
    """As much of a picture as a grid needs, as files that lie there until whoever asked for them is done."""

    picture: Picture
    part: Part

    @property
    def masked(self) -> bool:
        """Whether a mask of clouds hides pixels of it."""
        return bool(self.part.image.clouds)


class Pictures(Protocol):
    """Where pictures come from. Safe to use from several threads; all methods raise as `PlanetClient` does."""

    def offer(self, picture: Picture) -> Offer:
        """Whether a picture is to be had."""

    def clarity(self, picture: Picture) -> Clarity:
        """How clear it is."""

    def piece(self, picture: Picture, grid: GeoBox, stack: ExitStack) -> Piece | None:
        """What a grid needs of it, there until the stack is closed; None where that is nothing."""


class QuadPictures:
    """Pictures as whole files, which are kept."""

    def __init__(
        self, cache: QuadCache, client: PlanetClient, product: str, bands: tuple[str, ...] | None, masks: bool
    ) -> None:
        """`masks`: usable data masks are looked for."""
        self._cache = cache
        self._client = client
        self._product = product
        self._bands = bands
        self._masks = masks
        self._offers: LoadingCache[Picture, Offer] = LoadingCache()
        self._described: LoadingCache[tuple[Path, Path | None], Image] = LoadingCache()

    def offer(self, picture: Picture) -> Offer:
        """Asked for once where the file was never kept."""
        if self._cache.known(picture.mosaic, picture.quad):
            return Offer.OPEN
        return self._offers.get(picture, lambda: self._offered(picture))

    def clarity(self, picture: Picture) -> Clarity:
        """By all pixels of the file."""
        return self._cache.clarity(picture.mosaic, picture.quad)

    def piece(self, picture: Picture, grid: GeoBox, stack: ExitStack) -> Piece | None:  # noqa: ARG002
        """The whole file."""
        mosaic, quad = picture.mosaic, picture.quad
        path = stack.enter_context(self._cache.reading(mosaic, quad))
        mask = stack.enter_context(self._cache.reading_mask(mosaic, quad)) if self._masks else None
        shown = _shown(picture, self._product, mask)
        image = self._described.get((path, mask), lambda: describe(path, shown, self._bands))
        return Piece(picture, Part(str(path.parent), image))

    def _offered(self, picture: Picture) -> Offer:
        answer = self._client.quad(picture.mosaic, picture.quad)
        if not answer.there:
            return Offer.ABSENT
        return Offer.OPEN if answer.link else Offer.LOCKED


class TilePictures:
    """Pictures from tiles, which are kept. A quad's clarity is that of the one tile that shows all of it: the same for
    all sites on the quad, but seen from further out than its own pixels.
    """

    def __init__(self, cache: TileCache, product: str, together: Together) -> None:
        self._cache = cache
        self._product = product
        self._together = together

    def offer(self, picture: Picture) -> Offer:
        """The service says of a tile only whether it shows anything."""
        tile = overview(picture.mosaic, picture.quad)
        return Offer.ABSENT if self._cache.pixels(picture.mosaic, tile) is None else Offer.OPEN

    def clarity(self, picture: Picture) -> Clarity:
        """By the pixels of the tile that shows the whole quad."""
        pixels = self._cache.pixels(picture.mosaic, overview(picture.mosaic, picture.quad))
        return Clarity(0, 0) if pixels is None else clarity_of(pixels, QUAD_ORDER)

    def piece(self, picture: Picture, grid: GeoBox, stack: ExitStack) -> Piece | None:
        """The tiles under a grid, put together."""
        block = under(picture.mosaic, picture.quad, grid)
        if block is None:
            return None
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="minemap-tiles-")))
        path = folder / f"{picture.quad}.tif"
        if not self._cache.write_block(picture.mosaic, block, path, self._together):
            return None
        image = describe(path, _shown(picture, self._product), QUAD_ORDER)
        return Piece(picture, Part(str(folder), image))


def _shown(picture: Picture, product: str, mask: Path | None = None) -> Shown:
    outline = picture.mosaic.quads.box_wgs84(picture.quad)
    return Shown(f"{picture.mosaic.name}/{picture.quad}", picture.mosaic, product, outline, mask)
