"""Small worlds of drawn masks: published through a real lake, and run through the whole room of polygons."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from odc.geo.geobox import GeoBox

from minemap_assets.geo.grid import to_columns
from minemap_assets.geo.raster import write_cog
from minemap_assets.geo.vector import WGS84, read_geoparquet, write_geoparquet
from minemap_assets.lake.lake import Lake, build_partition
from minemap_assets.lake.manifests import Outcome, PartitionRef
from minemap_assets.lake.partitions import Partition
from minemap_assets.lake.writer import PartitionWriter
from minemap_assets.polygons.chosen_threshold import chosen_thresholds
from minemap_assets.polygons.config import PolygonsConfig
from minemap_assets.polygons.correction_file import Correction
from minemap_assets.polygons.mining import build_mining_polygons
from minemap_assets.polygons.raw import MaskYear, build_raw_polygons, vectorise_year
from minemap_assets.project.regions import Region
from minemap_assets.sites.cells import SiteCell, site_cells
from minemap_assets.sites.windows import window_outlines

PIXELS = 64


def site_rows(grids: Mapping[str, GeoBox], region: str = "testland") -> gpd.GeoDataFrame:
    """A sites table over the given grids."""
    rows = []
    for site_id, grid in sorted(grids.items()):
        columns = to_columns(grid)
        (outline,) = window_outlines([grid])
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
            index["observed_fraction"] = [float((stored[s] != 255).mean()) for s in index["site_id"]]
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

    @property
    def cells(self) -> dict[str, SiteCell]:
        return site_cells(self.sites)

    def outlined(self, year: int = 2019, config: PolygonsConfig | None = None) -> MaskYear:
        """The masks of a year, outlined."""
        rule = chosen_thresholds(None, config or PolygonsConfig())
        return vectorise_year(self.region, year, self.cells, self.written[year], rule)

    def raw(self, year: int = 2019, config: PolygonsConfig | None = None) -> Partition:
        """The raw polygons of a year, published."""
        rule = chosen_thresholds(None, config or PolygonsConfig())
        masks = self.written[year]
        return self.publish(
            "raw_polygons",
            lambda writer: build_raw_polygons(self.region, year, self.cells, masks, rule, writer),
            year,
        )

    def publish(self, asset: str, build: Callable[[PartitionWriter], Outcome], year: int = 2019) -> Partition:
        ref = PartitionRef("polygons", asset, (self.region.slug, str(year)))
        build_partition(self.lake, ref, code_version="1", config={}, inputs={"turn": str(next(self.turn))}, build=build)
        return self.lake.open(ref)


PIXEL_KM2 = 25e-6


def country(world: World) -> gpd.GeoDataFrame:
    west, south, east, north = world.sites.total_bounds
    middle = (west + east) / 2
    shapes = [shapely.box(west - 1, south - 1, middle, north + 1), shapely.box(middle, south - 1, east + 1, north + 1)]
    columns = {"iso3": ["XWA", "XEA"], "name": ["West", "East"], "continent": ["Testia", "Testia"]}
    return gpd.GeoDataFrame(columns, geometry=shapes, crs="EPSG:4326")


def imagery(world: World) -> gpd.GeoDataFrame:
    frame = world.sites[["site_id", "geometry"]].copy()
    frame["product"] = "planet-nicfi"
    frame["source"] = [f"source-{s}" for s in frame["site_id"]]
    frame["acquisitions"] = [[f"quad-{s}", "mosaic"] for s in frame["site_id"]]
    frame["clear_fraction"] = [0.5, 1.0][: len(frame)]
    return frame


INTERSECT: dict[str, Any] = {"rule": "intersect"}


def mine(
    world: World,
    year: int = 2019,
    config: PolygonsConfig | None = None,
    first_year: int = 2016,
    corrections: Sequence[Correction] = (),
    raw: Mapping[int, Partition] | None = None,
) -> Partition:
    """The mining polygons of a year, from whatever masks there are; by the intersect rule where nothing is said."""
    rule = config or PolygonsConfig(**INTERSECT)
    outlined = raw or {y: world.raw(y, rule) for y in world.written}
    return world.publish(
        "mining_polygons",
        lambda writer: build_mining_polygons(
            world.region,
            year,
            cells=world.cells,
            raw=outlined,
            masks=world.written,
            imagery_index=imagery(world),
            boundaries=country(world),
            corrections=corrections,
            first_year=first_year,
            last_year=None,
            config=rule,
            writer=writer,
        ),
        year,
    )


def table(partition: Partition, name: str) -> pd.DataFrame:
    path = partition.file(f"{name}.parquet")
    return read_geoparquet(path) if name == "mining_polygons" else pd.read_parquet(path)


def square(world: World, rows: slice, columns: slice, value: int = 200) -> npt.NDArray[np.uint8]:
    mask = world.blank()
    mask[rows, columns] = value
    return mask
