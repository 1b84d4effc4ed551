"""What files that are there already need: only those behind an address are transferred."""

from dataclasses import dataclass

from odc.geo.geobox import GeoBox

from minemap_assets.geo.grid import footprint_wgs84
from minemap_assets.imagery.costs import KNOWN, Cost, Job, pixels, stored_bytes
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

    def cost(self, job: Job) -> Cost:
        """Twice the grid's pixels for each image of the season, where files are remote."""
        images = [self.source.available(footprint_wgs84(grid), job.season).images for grid in job.grids]
        size = sum(n * pixels(g) * len(job.bands) * 2 * 2 for n, g in zip(images, job.grids, strict=True))
        return Cost(
            site_years=len(job.grids),
            requests=sum(images) * (len(job.bands) + 1) if self.remote else 0,
            other_bytes=size if self.remote else 0,
            stored_bytes=stored_bytes(job),
            seconds=len(job.grids) * _SECONDS_PER_SITE,
            basis=frozenset({KNOWN}),
        )
