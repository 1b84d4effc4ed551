"""A small site with a real imagery partition, written as the imagery room writes it."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
from shapely.geometry import box

from minemap_assets.geo.grid import at_resolution, footprint_wgs84, square_grid, to_columns
from minemap_assets.geo.raster import write_cog
from minemap_assets.geo.vector import WGS84, write_geoparquet
from minemap_assets.imagery.not_observed import write_not_observed
from minemap_assets.imagery.products import PRODUCTS
from minemap_assets.imagery.reader import ImagerySet, open_imagery
from minemap_assets.lake.lake import Lake, build_partition
from minemap_assets.lake.manifests import Outcome, PartitionRef
from minemap_assets.lake.partitions import Partition

BANDS = ("blue", "green", "red", "nir")


def site_row(name: str, easting: float, pixels: int = 512, group: str = "") -> dict[str, Any]:
    grid = square_grid(easting, 9_300_000.0, pixels, 32721)
    columns = to_columns(grid)
    outline = footprint_wgs84(grid)
    return {
        "site_id": name,
        "region": "here",
        "origin": "reference",
        "split_group": group or name,
        "longitude": outline.centroid.x,
        "latitude": outline.centroid.y,
        "crs": columns.crs,
        "transform": list(columns.transform),
        "width": columns.width,
        "height": columns.height,
        "ground_resolution": 5.0,
        "outline_km2": 1.0,
        "geometry": outline,
    }


def site_frame(*rows: dict[str, Any]) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(list(rows), geometry="geometry", crs=WGS84)


def truth_frame(*boxes_lonlat: tuple[float, float, float, float], layer: str = "labels") -> gpd.GeoDataFrame:
    shapes = [box(*b) for b in boxes_lonlat]
    return gpd.GeoDataFrame(
        {"truth_id": [f"t{i}" for i in range(len(shapes))], "layer": [layer] * len(shapes)}, geometry=shapes, crs=WGS84
    )


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake.local(tmp_path / "lake", tmp_path / "state")


@pytest.fixture
def make_partition(lake: Lake) -> Callable[..., Partition]:
    """Runs a build and opens what it published."""

    def make(room: str, asset: str, *keys: str, build: Callable[..., Outcome]) -> Partition:
        ref = PartitionRef(room, asset, keys)
        build_partition(lake, ref, code_version="1", config={}, inputs={}, build=build)
        return lake.open(ref)

    return make


@pytest.fixture
def imagery_of(make_partition: Callable[..., Partition]) -> Callable[..., ImagerySet]:
    """An imagery partition of given pixels: site_id -> uint16 (band, row, column) at the product's resolution."""

    def make(
        sites: gpd.GeoDataFrame,
        images: dict[str, np.ndarray],
        product: str = "planet-nicfi",
        bands: tuple[str, ...] = BANDS,
        not_observed: Mapping[str, str] = MappingProxyType({}),
    ) -> ImagerySet:
        def build(writer: Any) -> Outcome:
            rows = []
            for row in sites.itertuples():
                if row.site_id not in images:
                    continue
                from minemap_assets.sites.windows import site_grid

                grid = at_resolution(site_grid(row), PRODUCTS[product].resolution)
                pixels = images[row.site_id]
                count = (pixels[:1] > 0).astype(np.uint16)
                name = f"{row.site_id}.tif"
                write_cog(writer.path(name), np.concatenate([pixels, count]), grid, (*bands, "clear_count"), nodata=0)
                writer.add(name)
                rows.append({"site_id": row.site_id, "product": product, "file": name, "geometry": row.geometry})
            columns = ["site_id", "product", "file", "geometry"]
            index = gpd.GeoDataFrame(rows, columns=columns, geometry="geometry", crs=WGS84)
            write_geoparquet(index, writer.path("index.parquet"))
            writer.add("index.parquet")
            write_not_observed(not_observed, writer)
            return Outcome({"product": product, "bands": list(bands)})

        return open_imagery(make_partition("imagery", "imagery", "here", product, build=build))

    return make
