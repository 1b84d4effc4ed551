"""What files that are there already need: only those behind an address are transferred."""

from dataclasses import dataclass, replace

from odc.geo.geobox import GeoBox

from minemap_assets.geo.grid import footprint_wgs84
from minemap_assets.imagery.costs import KNOWN, Cost, FetchRequest, pixels
from minemap_assets.imagery.seasons import Season
from minemap_assets.imagery.source import ImagerySource
from minemap_assets.imagery.sources.archive.indexed_images import NAME

_SECONDS_PER_SITE = 2.0
"""Assumed time for a site and season."""


@dataclass(frozen=True)
class ArchiveCosts:
    """Costs by the archives' indexes; `remote` where some lie behind an address."""

    source: ImagerySource
    remote: bool
    name: str = NAME

    def serves(self, grid: GeoBox, season: Season) -> bool:
        """True where the index has an image."""
        return self.source.available(footprint_wgs84(grid), season).images > 0

    def cost(self, request: FetchRequest) -> Cost:
        """Twice the grid's pixels for each image of the season, where files are remote."""
        images = [self.source.available(footprint_wgs84(grid), request.season).images for grid in request.grids]
        size = sum(n * pixels(g) * len(request.bands) * 2 * 2 for n, g in zip(images, request.grids, strict=True))
        return replace(
            Cost.of(request, KNOWN),
            requests=sum(images) * (len(request.bands) + 1) if self.remote else 0,
            other_bytes=size if self.remote else 0,
            seconds=len(request.grids) * _SECONDS_PER_SITE,
        )
