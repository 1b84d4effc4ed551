"""A source whose pixels say where they are, sites for it, and their partition."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import geopandas as gpd
import numpy as np
from odc.geo.geobox import GeoBox
from shapely.geometry.base import BaseGeometry

from minemap_assets.errors import MinemapError
from minemap_assets.geo.grid import footprint_wgs84, square_grid, to_columns
from minemap_assets.imagery.build import build_imagery
from minemap_assets.imagery.seasons import Season, SeasonRule
from minemap_assets.imagery.source import Availability, Composite, ImagerySource, Latest, Provenance
from minemap_assets.lake.lake import Lake, build_partition
from minemap_assets.lake.manifests import Manifest, Outcome, PartitionRef
from minemap_assets.lake.writer import PartitionWriter

BANDS = ("blue", "green", "red", "nir")
SEASON = SeasonRule().season(2021)
REF = PartitionRef("imagery", "imagery", ("test", "2021"))


@dataclass
class GradientSource(ImagerySource):
    """Pixels that state where they are: band b at a point is 1000 b + easting in 100 m, with optional gaps."""

    name: str = "gradient"
    product: str = "planet-nicfi"
    revision: str = "r1"
    errors: dict[str, MinemapError] = field(default_factory=dict)
    clear_share: float = 1.0
    reads: list[GeoBox] = field(default_factory=list)

    def read(self, grid: GeoBox, season: Season, bands: Sequence[str]) -> Composite:
        self.reads.append(grid)
        error = self.errors.get(f"{grid.affine.c:.0f}") or self.errors.get("*")
        if error is not None:
            raise error
        height, width = grid.shape
        columns = grid.affine.c + (np.arange(width) + 0.5) * grid.affine.a
        plane = np.broadcast_to(columns / 100.0, (height, width))
        pixels = np.stack([1000.0 * (i + 1) + plane % 1000 for i in range(len(bands))]).astype(np.uint16)
        gap = round(height * (1.0 - self.clear_share))
        pixels[:, :gap] = 0
        count = np.where(pixels[0] > 0, 3, 0).astype(np.uint16)
        provenance = Provenance(
            self.name, self.product, ("a1", "a2"), f"{season.year}-06-01", f"{season.year}-07-01", "free", True
        )
        return Composite(grid, tuple(bands), pixels, count, provenance)

    def available(self, area: BaseGeometry, season: Season) -> Availability:  # noqa: ARG002
        return Availability(1, 1.0)

    def latest(self) -> Latest:
        return Latest()


def sites_frame(count: int = 3, resolution: float = 5.0, pixels: int = 64) -> gpd.GeoDataFrame:
    rows = []
    for number in reversed(range(count)):
        grid = square_grid(500_000 + 10_000 * number, 9_000_000, pixels, 32720, resolution)
        place = to_columns(grid)
        rows.append(
            {
                "site_id": f"m{number}",
                "region": "test",
                "crs": place.crs,
                "transform": list(place.transform),
                "width": place.width,
                "height": place.height,
                "ground_resolution": resolution,
                "geometry": footprint_wgs84(grid),
            }
        )
    return (
        gpd.GeoDataFrame(rows, crs="EPSG:4326")
        if rows
        else gpd.GeoDataFrame(
            {c: [] for c in ("site_id", "crs", "transform", "width", "height")}, geometry=[], crs="EPSG:4326"
        )
    )


def west(frame: gpd.GeoDataFrame, site_id: str) -> str:
    return f"{frame.loc[frame['site_id'] == site_id, 'transform'].iloc[0][2]:.0f}"


def build(
    lake: Lake,
    sources: Sequence[GradientSource],
    frame: gpd.GeoDataFrame | None = None,
    minimum: float = 0.5,
    workers: int = 1,
) -> Manifest:
    sites = sites_frame() if frame is None else frame

    def run(writer: PartitionWriter) -> Outcome:
        return build_imagery(sites, sources, SEASON, BANDS, minimum, writer, workers=workers)

    manifest, _ = build_partition(lake, REF, code_version="1", config={}, inputs={}, build=run)
    return manifest
