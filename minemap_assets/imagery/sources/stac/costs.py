"""What open scenes need: blocks of their files, for each scene the bands and the classes."""

import math
from dataclasses import dataclass, replace

from odc.geo.geobox import GeoBox

from minemap_assets.geo.grid import footprint_wgs84
from minemap_assets.imagery.costs import BYTES_PER_SECOND, Cost, FetchRequest, basis_of, sentinel2_scenes
from minemap_assets.imagery.seasons import Season
from minemap_assets.imagery.sources.stac.config import NAME, PRODUCT, StacConfig
from minemap_assets.imagery.sources.stac.source import StacSource

_BLOCK = 1024
"""Pixels on a side of a block in the open Sentinel-2 files."""

_BLOCK_BYTES = 1_450_000
_CLASSES_BYTES = 200_000
"""Compressed size of a block of reflectance, and of scene classes."""

_TWENTY_METRES = ("rededge1", "rededge2", "rededge3", "nir08", "swir16", "swir22")
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
        """True for Level-2A where the catalogues have a scene, or worldwide where they are not asked."""
        return self.product == PRODUCT and (self.source is None or self.source.shows(grid, season))

    def cost(self, request: FetchRequest) -> Cost:
        """What the source would fetch, block by block; or as assumed."""
        if self.source is None:
            requests, size = self._assumed(request)
        else:
            load = self.source.would_fetch(request.grids, request.season, request.bands)
            requests, size = load.requests, load.size
        return replace(
            Cost.of(request, basis_of(self.source)),
            requests=math.ceil(requests),
            other_bytes=round(size),
            seconds=max(size / BYTES_PER_SECOND, requests / self.config.rate),
        )

    def _assumed(self, request: FetchRequest) -> tuple[float, float]:
        """One request for a file's head and one for each row of blocks; and bytes."""
        scenes = sentinel2_scenes(request.season)
        requests = size = 0.0
        for grid in request.grids:
            for band in (*request.bands, "classes"):
                rows = _blocks_across(grid, 20.0 if band in (*_TWENTY_METRES, "classes") else 10.0)
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
