"""Tiles kept on this machine as they arrived, and put together where a grid needs them.

`<mosaic id>/tiles/<zoom>-<x>-<y>.<tag>.tif`, where the tag stands for the mosaic's days: a mosaic that is revised has
other tiles. That a mosaic shows nothing in a tile is not kept.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from minemap_assets.caching.single_flight import SingleFlight
from minemap_assets.errors import PermanentError, RetryableError
from minemap_assets.geo.raster_files import alone, open_raster
from minemap_assets.imagery.basemaps.mosaics import TILE, Mosaic
from minemap_assets.imagery.basemaps.quad_files import band_order, check_reflectance
from minemap_assets.imagery.basemaps.tiles import TileBlock, TileId
from minemap_assets.imagery.files.band_names import QUAD_ORDER
from minemap_assets.imagery.sources.planet.client import PlanetClient
from minemap_assets.imagery.sources.planet.quad_cache import FOLDER
from minemap_assets.imagery.sources.planet.together import Together
from minemap_assets.lake.kept_files import KeptFiles
from minemap_assets.lake.manifests import digest

if TYPE_CHECKING:
    import rasterio.io

Pixels = npt.NDArray[np.uint16]

_INSTEAD = 'set reads to "quads" under [sources.planet_basemaps]'

_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def tile_path(kept: KeptFiles, mosaic: Mosaic, tile: TileId) -> Path:
    """Where a tile lies once it was fetched."""
    return kept.root / FOLDER / mosaic.id / "tiles" / f"{tile}.{digest([mosaic.revision])[:16]}.tif"


class TileCache:
    """Kept tiles. Safe to use from several threads and processes."""

    def __init__(self, kept: KeptFiles, client: PlanetClient, bands: tuple[str, ...] | None = None) -> None:
        """`bands` is the order of a tile's bands, as in `band_order`."""
        self._kept = kept
        self._client = client
        self._bands = bands
        self._flights: SingleFlight[Pixels | None] = SingleFlight()

    def pixels(self, mosaic: Mosaic, tile: TileId) -> Pixels | None:
        """A tile's reflectance x 10,000: blue, green, red, near infrared (band, row, column), 0 where one is not valid;
        None where the mosaic shows nothing there.

        Raises as `PlanetClient.tile` does, `RetryableError` where a tile keeps arriving damaged, and `PermanentError`
        where it is no full-depth GeoTIFF.
        """
        return self._flights.run((mosaic.id, tile), lambda: self._pixels(mosaic, tile))

    def write_block(self, mosaic: Mosaic, block: TileBlock, path: Path, together: Together) -> bool:
        """Fetch the tiles of a block and write them as one GeoTIFF; False where the mosaic shows nothing in any of
        them. Raises as `pixels` does.
        """
        places = list(block.tiles)
        found = together(lambda place: self.pixels(mosaic, place[0]), places)
        if all(part is None for part in found):
            return False
        pixels = np.zeros((len(QUAD_ORDER), *block.grid.shape), dtype=np.uint16)
        for part, (_, rows, columns) in zip(found, places, strict=True):
            if part is not None:
                pixels[:, rows, columns] = part
        _write_tif(path, pixels, block)
        return True

    def _pixels(self, mosaic: Mosaic, tile: TileId) -> Pixels | None:
        path = tile_path(self._kept, mosaic, tile)
        kept = self._kept.take(path)
        if kept is not None:
            try:
                return self._decoded(kept, mosaic)
            except RetryableError:
                path.unlink(missing_ok=True)
        arrived: list[Pixels] = []

        def check(content: bytes) -> None:
            arrived.append(self._decoded(content, mosaic))

        data = self._client.tile(mosaic, tile, check)
        if data is None:
            return None
        self._kept.keep(path, data)
        return arrived[-1]

    def _decoded(self, content: bytes, mosaic: Mosaic) -> Pixels:
        """Raises `RetryableError` for a tile that is cut off or damaged, `PermanentError` for another kind of
        picture.
        """
        import rasterio.io
        from rasterio.errors import RasterioError

        if not content.startswith(_TIFF):
            raise PermanentError(
                f"Planet's tiles of {mosaic.name} are no GeoTIFF, so it does not stream this mosaic in full depth; "
                f"{_INSTEAD}"
            )
        try:
            with alone(), rasterio.io.MemoryFile(content) as memory, open_raster(memory.name) as source:
                check_reflectance(source, mosaic)
                _check_size(source, mosaic)
                order = band_order(source, self._bands)
                raw: Pixels = source.read()
        except RasterioError as error:
            raise RetryableError(f"a tile of {mosaic.name} arrived damaged ({' '.join(str(error).split())})") from error
        found: Pixels = raw[[order.index(band) for band in QUAD_ORDER]]
        if raw.shape[0] > len(order):
            found[:, raw[-1] == 0] = 0
        return found


def _check_size(source: "rasterio.io.DatasetReader", mosaic: Mosaic) -> None:
    if source.shape != (TILE, TILE):
        raise PermanentError(
            f"a tile of {mosaic.name} has {source.width} x {source.height} pixels where {TILE} x {TILE} are needed; "
            f"{_INSTEAD}"
        )


def _write_tif(path: Path, pixels: Pixels, block: TileBlock) -> None:
    import rasterio

    count, height, width = pixels.shape
    profile = {"driver": "GTiff", "count": count, "height": height, "width": width, "dtype": "uint16"}
    grid = block.grid
    with rasterio.open(path, "w", **profile, tiled=True, crs=str(grid.crs), transform=grid.affine) as target:
        target.write(pixels)
