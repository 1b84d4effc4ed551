"""What Earth Engine needs: for each composite a list of images and the pixels, in parts of at most 48 MB."""

from dataclasses import dataclass, replace

from odc.geo.geobox import GeoBox

from minemap_assets.imagery.basemaps.nicfi import PRODUCT as NICFI
from minemap_assets.imagery.basemaps.nicfi import expected_mosaics, is_covered
from minemap_assets.imagery.costs import Cost, FetchRequest, basis_of, pixels, raw_bytes, sentinel2_scenes
from minemap_assets.imagery.seasons import Season
from minemap_assets.imagery.sources.earth_engine.config import EMBEDDING, NAME, EarthEngineConfig
from minemap_assets.imagery.sources.earth_engine.source import FIRST_EMBEDDING, EarthEngineSource
from minemap_assets.imagery.sources.earth_engine.tiles import parts

_EECU_SECONDS = 0.5
"""Assumed compute units, in seconds, for a million pixels of one band of one image."""

_GRIDS_ASKED = 3
"""Grids of a request whose images the service is asked for; their mean stands for all."""

_SECONDS_PER_SITE = 20.0
"""Assumed time for a site and season."""


@dataclass(frozen=True)
class EarthEngineCosts:
    """Composites that the service computes."""

    config: EarthEngineConfig
    product: str
    source: EarthEngineSource | None = None
    name: str = NAME

    def serves(self, grid: GeoBox, season: Season) -> bool:
        """True worldwide for Sentinel-2, and for embeddings from their first year on; where and when there are basemaps
        for those.
        """
        if self.product == EMBEDDING:
            return season.year >= FIRST_EMBEDDING
        return self.product != NICFI or is_covered(grid, season)

    def cost(self, request: FetchRequest) -> Cost:
        """Compute units by images, bands and pixels."""
        images = self._images(request)
        width = (len(request.bands) + 1) * 2
        asked = sum(1 + sum(1 for _ in parts(g, width, self.config.max_request_bytes)) for g in request.grids)
        work = sum(pixels(grid) for grid in request.grids) * len(request.bands) * images / 1e6
        return replace(
            Cost.of(request, basis_of(self.source)),
            requests=asked,
            other_bytes=raw_bytes(request),
            eecu_hours=work * _EECU_SECONDS / 3600.0,
            seconds=len(request.grids) * _SECONDS_PER_SITE,
        )

    def _images(self, request: FetchRequest) -> float:
        """Images of a grid, on average."""
        if self.source is not None:
            asked = request.grids[:: max(1, len(request.grids) // _GRIDS_ASKED)][:_GRIDS_ASKED]
            return sum(self.source.images(grid, request.season) for grid in asked) / len(asked)
        if self.product == EMBEDDING:
            return 1
        if self.product == NICFI:
            return len(expected_mosaics(request.season))
        return sentinel2_scenes(request.season)
