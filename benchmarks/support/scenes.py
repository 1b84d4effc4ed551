"""Stand-ins for open Sentinel-2: scenes of noise as COGs with blocks of 1024 pixels, and the servers that offer them.

What belongs here: what several benchmarks need. What does not: what they measure.
"""

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from affine import Affine
from odc.geo.geobox import GeoBox
from shapely.geometry import mapping

from minemap_assets.geo.grid import footprint_wgs84
from minemap_assets.imagery.sources.stac.config import Collection, StacConfig

sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "support"))

from servers.processes import free_port, running, stac_api
from stac_world import write_catalogue

BLOCK = 1024
GROUND, CLOUD = 4, 9
CLOUDINESS = 0.3


@dataclass(frozen=True)
class Catalogue:
    """Scenes that are on offer, as settings of the source that reads them."""

    config: StacConfig

    @property
    def collection(self) -> Collection:
        """The only collection."""
        return self.config.collections[0]


def write_scenes(
    root: Path, tile: GeoBox, days: Sequence[date], bands: Sequence[str], mgrs: str = "22MDB"
) -> list[dict[str, Any]]:
    """A scene of a tile (10 m, called `mgrs`) for every day below `root`; items whose assets are relative to it.

    Ground is rolling with noise, so that blocks are about as large as real ones, under clouds of some hundred metres.
    """
    rows, columns = np.mgrid[: tile.shape[0], : tile.shape[1]].astype(np.float32)
    ground = 2500 + 800 * np.sin(rows / 90) * np.cos(columns / 130)
    items = []
    outline = footprint_wgs84(tile)
    for number, day in enumerate(days):
        chance = np.random.default_rng(number)
        patches = chance.random((tile.shape[0] // 64 + 1, tile.shape[1] // 64 + 1)) < CLOUDINESS
        cloudy = np.kron(patches, np.ones((32, 32), dtype=np.bool_))[: tile.shape[0] // 2, : tile.shape[1] // 2]
        classes = np.where(cloudy, CLOUD, GROUND).astype(np.uint8)
        halved = GeoBox(classes.shape, tile.affine @ Affine.scale(2), tile.crs)
        _write(root / f"{mgrs}/{day}/scl.tif", classes, halved)
        for band in bands:
            _write(root / f"{mgrs}/{day}/{band}.tif", _noisy(ground, chance), tile)
        facts = {"datetime": f"{day}T13:40:21Z", "platform": "sentinel-2a", "eo:cloud_cover": 100 * CLOUDINESS}
        items.append(
            {
                "type": "Feature",
                "stac_version": "1.0.0",
                "id": f"S2A_{mgrs}_{day:%Y%m%d}",
                "collection": "sentinel-2-c1-l2a",
                "geometry": mapping(outline),
                "bbox": list(outline.bounds),
                "properties": facts | {"s2:processing_baseline": "05.10", "s2:mgrs_tile": mgrs},
                "assets": {key: {"href": f"{mgrs}/{day}/{key}.tif"} for key in ("scl", *bands)},
                "links": [],
            }
        )
    return items


@contextmanager
def served(
    root: Path, items: Sequence[dict[str, Any]], *, latency: float = 0.0, bandwidth: float = 0.0
) -> Iterator[Catalogue]:
    """The scenes behind a STAC API (`rustac serve`) and a file server at a distance."""
    port = free_port()
    script = Path(__file__).with_name("slow_files.py")
    command = [sys.executable, str(script), str(root), str(port), str(latency), str(bandwidth)]
    whole = json.loads(json.dumps(list(items)))
    for item in whole:
        for asset in item["assets"].values():
            asset["href"] = f"http://127.0.0.1:{port}/{asset['href']}"
    first = StacConfig().collections_for("sentinel-2-l2a")[0]
    with running(command, port), stac_api(write_catalogue(root / "catalogue", first, whole)) as url:
        collection = first.model_copy(update={"endpoint": url})
        yield Catalogue(StacConfig(use=(collection.name,), collections=(collection,), rate=10_000.0, burst=1000))


def every(days: int, count: int, first: date = date(2021, 6, 1)) -> list[date]:
    """So many dates, some days apart."""
    return [first + timedelta(days=days * number) for number in range(count)]


def square(pixels: int) -> GeoBox:
    """A tile of 10 m pixels."""
    return GeoBox((pixels, pixels), Affine(10.0, 0.0, 600_000.0, 0.0, -10.0, 9_300_040.0), "EPSG:32722")


def _noisy(ground: npt.NDArray[np.float32], chance: np.random.Generator) -> npt.NDArray[np.uint16]:
    return (ground + 100 * chance.standard_normal(ground.shape, dtype=np.float32)).astype(np.uint16)


def _write(path: Path, pixels: npt.NDArray[Any], grid: GeoBox) -> None:
    import rasterio
    from rasterio.io import MemoryFile
    from rasterio.shutil import copy

    path.parent.mkdir(parents=True, exist_ok=True)
    height, width = pixels.shape
    profile = {"driver": "GTiff", "count": 1, "height": height, "width": width, "dtype": pixels.dtype.name, "nodata": 0}
    threads = str(os.cpu_count() or 1)
    with rasterio.Env(GDAL_NUM_THREADS=threads), MemoryFile() as memory:
        with memory.open(**profile, crs=str(grid.crs), transform=grid.affine) as target:
            target.write(pixels, 1)
        with memory.open() as source:
            copy(source, path, driver="COG", compress="DEFLATE", predictor="YES", blocksize=BLOCK, overviews="NONE")
