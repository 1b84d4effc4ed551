"""Small worlds for polygons: masks of a few sites published through a real lake."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pytest
import shapely
from odc.geo.geobox import GeoBox

from minemap_assets.geo.grid import footprint_wgs84, square_grid, to_columns
from minemap_assets.geo.raster import write_cog
from minemap_assets.geo.vector import WGS84, write_geoparquet
from minemap_assets.lake.lake import Lake, build_partition
from minemap_assets.lake.manifests import Outcome, PartitionRef
from minemap_assets.lake.partitions import Partition
from minemap_assets.lake.writer import PartitionWriter
from minemap_assets.project.regions import Region

PIXELS = 64


def site_rows(grids: Mapping[str, GeoBox], region: str = "testland") -> gpd.GeoDataFrame:
    """A sites table over the given grids."""
    rows = []
    for site_id, grid in sorted(grids.items()):
        columns = to_columns(grid)
        outline = footprint_wgs84(grid)
        rows.append(
            {
                "site_id": site_id,
                "region": region,
                "origin": "reference",
                "split_group": "g",
                "longitude": outline.centroid.x,
                "latitude": outline.centroid.y,
                "crs": columns.crs,
                "transform": list(columns.transform),
                "width": columns.width,
                "height": columns.height,
                "ground_resolution": 5.0,
                "outline_km2": 0.1,
                "geometry": outline,
            }
        )
    return gpd.GeoDataFrame(rows, geometry="geometry", crs=WGS84)


@dataclass
class World:
    """A lake, sites with grids, and a region around them."""

    lake: Lake
    grids: dict[str, GeoBox]
    region: Region
    written: dict[int, Partition] = field(default_factory=dict)
    turn: Iterator[int] = field(default_factory=count)

    @property
    def sites(self) -> gpd.GeoDataFrame:
        return site_rows(self.grids, self.region.slug)

    def blank(self, value: int = 0) -> npt.NDArray[np.uint8]:
        return np.full((PIXELS, PIXELS), value, dtype=np.uint8)

    def masks(
        self,
        year: int,
        stored: Mapping[str, npt.NDArray[np.uint8]],
        threshold: float = 0.5,
        broken: Collection[str] = (),
        **columns: Any,
    ) -> Partition:
        """Publish the raw masks of a year for the given sites."""
        ref = PartitionRef("segmentation", "raw_masks", (self.region.slug, str(year)))

        def build(writer: PartitionWriter) -> Outcome:
            index = site_rows({s: self.grids[s] for s in stored}, self.region.slug)[["site_id", "geometry"]]
            index["file"] = [f"{s}.tif" for s in index["site_id"]]
            index["product"] = "planet-nicfi"
            index["threshold"] = threshold
            index["operating_point"] = "match_area"
            index["model_version"] = "abc"
            for name, value in columns.items():
                index[name] = value
            for site_id, pixels in stored.items():
                path = writer.path(f"{site_id}.tif")
                write_cog(path, pixels[None], self.grids[site_id], ["probability"], nodata=255)
                if site_id in broken:
                    path.write_bytes(b"broken")
                writer.add(f"{site_id}.tif")
            write_geoparquet(index, writer.path("index.parquet"))
            writer.add("index.parquet")
            return Outcome()

        build_partition(self.lake, ref, code_version="1", config={}, inputs={"turn": str(next(self.turn))}, build=build)
        self.written[year] = self.lake.open(ref)
        return self.written[year]

    def publish(self, asset: str, build: Callable[[PartitionWriter], Outcome], year: int = 2019) -> Partition:
        ref = PartitionRef("polygons", asset, (self.region.slug, str(year)))
        build_partition(self.lake, ref, code_version="1", config={}, inputs={"turn": str(next(self.turn))}, build=build)
        return self.lake.open(ref)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Two sites side by side in UTM zone 30N whose 64-pixel windows overlap by half."""
    grids = {
        "a": square_grid(600_000, 700_000, PIXELS, 32630),
        "b": square_grid(600_000 + 160, 700_000, PIXELS, 32630),
    }
    area = shapely.union_all([footprint_wgs84(g) for g in grids.values()]).buffer(0.01)
    region = Region("testland", "Testland", shapely.box(*area.bounds))
    return World(Lake.local(tmp_path / "home", tmp_path / "state"), grids, region)
