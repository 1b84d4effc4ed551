"""What scenes need: blocks of their files or whole ones, for each scene the bands and the classes."""

import math
from dataclasses import dataclass, replace

from odc.geo.geobox import GeoBox

from minemap_assets.geo.grid import footprint_wgs84
from minemap_assets.imagery.costs import BYTES_PER_SECOND, Cost, FetchRequest, basis_of, sentinel2_scenes
from minemap_assets.imagery.products import SENTINEL2_BANDS
from minemap_assets.imagery.seasons import Season
from minemap_assets.imagery.sources.stac.config import LEVEL_1C, NAME, StacConfig
from minemap_assets.imagery.sources.stac.source import StacSource

_BLOCK = 1024
"""Pixels on a side of a block in the open Sentinel-2 files."""

_BLOCK_BYTES = 1_450_000
_CLASSES_BYTES = 200_000
"""Compressed size of a block of reflectance, and of scene classes."""

_FILE_BYTES = {10.0: 130_000_000, 20.0: 35_000_000, 60.0: 5_000_000}
"""Size of a JPEG 2000 file of a tile by its pixels in metres."""

_TWENTY_METRES = ("rededge1", "rededge2", "rededge3", "nir08", "swir16", "swir22", "classes")
_SIXTY_METRES = ("coastal", "nir09", "cirrus")
_CELL = 0.25
"""Degrees: neighbouring sites share a search of a cell of this size."""


@dataclass(frozen=True)
class StacCosts:
    """Blocks of whole scenes' files, for each scene the bands and the classes."""

    config: StacConfig
    product: str
    source: StacSource | None = None
    name: str = NAME

    def serves(self, grid: GeoBox, season: Season) -> bool:
        """True where the catalogues have a scene, or worldwide where they are not asked."""
        held = bool(self.config.collections_for(self.product))
        return held and (self.source is None or self.source.shows(grid, season))

    def cost(self, request: FetchRequest) -> Cost:
        """What the source would fetch, block by block or file by file; or as assumed."""
        if self.source is None:
            whole = any(collection.files == "jp2" for collection in self.config.collections_for(self.product)[:1])
            requests, size = self._assumed_files(request) if whole else self._assumed_blocks(request)
        else:
            load = self.source.would_fetch(request.grids, request.season, request.bands)
            requests, size = load.requests, load.size
        return replace(
            Cost.of(request, basis_of(self.source)),
            requests=math.ceil(requests),
            other_bytes=round(size),
            seconds=max(size / BYTES_PER_SECOND, requests / self.config.rate),
        )

    def _assumed_files(self, request: FetchRequest) -> tuple[float, float]:
        """Whole files, each once for all sites of a tile."""
        scenes = sentinel2_scenes(request.season)
        bands = {*request.bands, *(SENTINEL2_BANDS.values() if self.product == LEVEL_1C else ())}
        places = len({_cell(grid) for grid in request.grids})
        return scenes * len(bands) * places, scenes * places * sum(_FILE_BYTES[_resolution(band)] for band in bands)

    def _assumed_blocks(self, request: FetchRequest) -> tuple[float, float]:
        """One request for a file's head and one for each row of blocks; and bytes."""
        scenes = sentinel2_scenes(request.season)
        requests = size = 0.0
        for grid in request.grids:
            for band in (*request.bands, "classes"):
                rows = _blocks_across(grid, _resolution(band))
                requests += scenes * (1 + rows)
                size += scenes * rows**2 * (_CLASSES_BYTES if band == "classes" else _BLOCK_BYTES)
        return requests + 2 * len({_cell(grid) for grid in request.grids}), size


def _blocks_across(grid: GeoBox, resolution: float) -> float:
    """Blocks along a side of a grid, on average over where the grid lies in a file."""
    across = max(grid.shape) * abs(float(grid.affine.a)) / resolution
    return 1.0 + (across - 1.0) / _BLOCK


def _cell(grid: GeoBox) -> tuple[int, int]:
    west, south, _, _ = footprint_wgs84(grid).bounds
    return math.floor(west / _CELL), math.floor(south / _CELL)


def _resolution(band: str) -> float:
    """Metres a pixel in the files of a band."""
    return 20.0 if band in _TWENTY_METRES else 60.0 if band in _SIXTY_METRES else 10.0
