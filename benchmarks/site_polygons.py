"""Raw and mining polygons of a region and year from its masks: processor time a site, against outlining five years.

Run: `python benchmarks/site_polygons.py [sites]`. Prints one JSON object. Masks are 512 px a side, with mines on a
third of the sites and a few doubtful pixels on the others. The baseline does the least that reading the rasters of the
year and of the four around it and outlining them with `rasterio.features.shapes` costs: no ownership, rule or table.
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from odc.geo.geobox import GeoBox
from rasterio.features import shapes
from scipy.ndimage import gaussian_filter

from minemap_assets.geo.grid import footprint_wgs84, square_grid, to_columns
from minemap_assets.geo.raster import read_raster, write_cog
from minemap_assets.geo.vector import WGS84, read_geoparquet, write_geoparquet
from minemap_assets.lake.lake import Lake, build_partition
from minemap_assets.lake.manifests import Outcome, PartitionRef
from minemap_assets.lake.partitions import Partition
from minemap_assets.lake.writer import PartitionWriter
from minemap_assets.polygons.chosen_threshold import chosen_thresholds
from minemap_assets.polygons.config import PolygonsConfig
from minemap_assets.polygons.mining import build_mining_polygons
from minemap_assets.polygons.raw import build_raw_polygons
from minemap_assets.project.regions import Region
from minemap_assets.sites.cells import SiteCell, site_cells
from minemap_assets.sites.owned_ground import build_owned_ground

SIDE = 512
YEARS = range(2017, 2022)
YEAR = 2019
RULES = ("hmm", "intersect")
SPACING = 2_400
"""Metres between centres: windows of 2,560 m overlap."""
T = TypeVar("T")
Build = Callable[[PartitionWriter], Outcome]


def grids(sites: int) -> dict[str, GeoBox]:
    """Windows in rows, each overlapping its neighbours a little."""
    across = int(np.ceil(np.sqrt(sites)))
    places = [(600_000 + SPACING * (n % across), 700_000 + SPACING * (n // across)) for n in range(sites)]
    return {f"s{n:05d}": square_grid(x, y, SIDE, 32630) for n, (x, y) in enumerate(places)}


def site_table(windows: Mapping[str, GeoBox]) -> gpd.GeoDataFrame:
    """A sites table over windows."""
    columns = [to_columns(grid) for grid in windows.values()]
    facts = {name: [getattr(c, name) for c in columns] for name in ("crs", "transform", "width", "height")}
    outlines = [footprint_wgs84(grid) for grid in windows.values()]
    return gpd.GeoDataFrame({"site_id": list(windows), **facts}, geometry=outlines, crs=WGS84)


def probabilities(number: int, year: int) -> npt.NDArray[np.uint8]:
    """A mask: one site in three has mines of some hectares that grow, all have doubtful specks."""
    ground, noise = np.random.default_rng([number]), np.random.default_rng([number, year])
    field = gaussian_filter(ground.normal(size=(SIDE, SIDE)), 14)
    specks = gaussian_filter(noise.normal(size=(SIDE, SIDE)), 3)
    level = field / field.std() - (1.6 if number % 3 == 0 else 6.0) + 0.05 * (year - YEAR)
    logit = np.maximum(3.0 * level, 2.0 * (specks / specks.std() - 4.2))
    return np.asarray(254.0 / (1.0 + np.exp(-logit)), dtype=np.uint8)


def publish(lake: Lake, ref: PartitionRef, build: Build) -> Partition:
    """A partition of the lake."""
    build_partition(lake, ref, code_version="1", config={}, inputs={}, build=build)
    return lake.open(ref)


def masks(lake: Lake, windows: Mapping[str, GeoBox], year: int) -> Partition:
    """The raw masks of a year."""

    def build(writer: PartitionWriter) -> Outcome:
        index = site_table(windows)[["site_id", "geometry"]]
        index["file"] = [f"{site}.tif" for site in windows]
        facts = {"product": "planet-nicfi", "threshold": 0.5, "operating_point": "match_area", "model_version": "abc"}
        index = index.assign(**facts, observed_fraction=1.0)
        for number, (site, grid) in enumerate(windows.items()):
            write_cog(writer.path(f"{site}.tif"), probabilities(number, year)[None], grid, ["probability"], nodata=255)
            writer.add(f"{site}.tif")
        writer.write("index.parquet", lambda path: write_geoparquet(index, path))
        return Outcome()

    return publish(lake, PartitionRef("segmentation", "raw_masks", ("r", str(year))), build)


def plain(partitions: Mapping[int, Partition]) -> int:
    """Read and outline every mask of every year."""
    found = 0
    for partition in partitions.values():
        for name in read_geoparquet(partition.file("index.parquet"))["file"]:
            raster = read_raster(partition.file(name))
            mine = raster.pixels[0] >= 127
            polygons = [shapely.geometry.shape(s) for s, _ in shapes(mine.astype(np.uint8), mask=mine, connectivity=4)]
            found += len(polygons)
    return found


def timed(work: Callable[[], T]) -> tuple[float, T]:
    """Seconds of processor time, and the result."""
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


def main(sites: int) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measured(Lake.local(Path(folder) / "home", Path(folder) / "state"), sites), indent=1))


@dataclass(frozen=True)
class Bench:
    """A region of sites with masks of all years."""

    lake: Lake
    table: gpd.GeoDataFrame
    region: Region
    masks: Mapping[int, Partition]

    def cells(self) -> tuple[float, Mapping[str, SiteCell]]:
        """The ground of every site, and what it took to compute."""
        ref = PartitionRef("sites", "owned_ground", ("r",))
        seconds, ground = timed(lambda: publish(self.lake, ref, lambda w: build_owned_ground(self.table, w)))
        return seconds, site_cells(self.table, read_geoparquet(ground.file("owned_ground.parquet")))

    def raw(self, cells: Mapping[str, SiteCell], config: PolygonsConfig, year: int) -> Partition:
        """Raw polygons of a year."""
        thresholds = chosen_thresholds(None, config)
        ref = PartitionRef("polygons", "raw_polygons", (f"r-{config.rule}", str(year)))
        return publish(
            self.lake,
            ref,
            lambda writer: build_raw_polygons(self.region, year, cells, self.masks[year], thresholds, writer),
        )

    def mining(self, cells: Mapping[str, SiteCell], config: PolygonsConfig, raw: Mapping[int, Partition]) -> Partition:
        """Mining polygons of the year."""
        sites = list(self.table["site_id"])
        imagery = pd.DataFrame({"site_id": sites, "clear_fraction": 1.0, "source": "archive"})
        imagery["acquisitions"] = [["a"]] * len(sites)
        names = {"iso3": ["XAA"], "name": ["A"], "continent": [""], "sovereign_iso3": ["XAA"], "sovereign_name": ["A"]}
        land = gpd.GeoDataFrame(names, geometry=[self.region.geometry], crs=WGS84)
        return publish(
            self.lake,
            PartitionRef("polygons", "mining_polygons", (config.rule, str(YEAR))),
            lambda writer: build_mining_polygons(
                self.region,
                YEAR,
                cells=cells,
                raw=raw,
                masks=self.masks,
                imagery_index=imagery,
                boundaries=land,
                corrections=(),
                first_year=2016,
                last_year=None,
                config=config,
                writer=writer,
            ),
        )


def measured(lake: Lake, sites: int) -> dict[str, float]:
    """Milliseconds a site of each step, and ratios to the baseline."""
    windows = grids(sites)
    table = site_table(windows)
    region = Region("r", "R", shapely.box(*table.total_bounds))
    bench = Bench(lake, table, region, {year: masks(lake, windows, year) for year in YEARS})
    ground_s, cells = bench.cells()
    found = {"owned_ground_once": ground_s}
    for rule in RULES:
        config = PolygonsConfig.model_validate({"rule": rule})
        around = {year: bench.raw(cells, config, year) for year in YEARS if year != YEAR}
        raw_s, own = timed(partial(bench.raw, cells, config, YEAR))
        mining_s, _ = timed(partial(bench.mining, cells, config, {**around, YEAR: own}))
        found |= {f"raw_{rule}": raw_s, f"mining_{rule}": mining_s, f"both_{rule}": raw_s + mining_s}
    found["baseline"], _ = timed(lambda: plain(bench.masks))
    per_site = {f"ms_a_site_{name}": round(1000.0 * seconds / sites, 2) for name, seconds in found.items()}
    ratios = {f"ratio_baseline_to_{rule}": round(found["baseline"] / found[f"both_{rule}"], 2) for rule in RULES}
    return {"sites": sites, **per_site, **ratios}


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 150)
