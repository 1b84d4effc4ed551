"""Simulated Sentinel-2 scenes with clouds, and what their composite must be by hand."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from odc.geo.geobox import GeoBox

from earth_engine_world import Asset, Band, Keys, Running, make_keys, served, write_catalogue
from minemap_assets.geo.grid import footprint_wgs84, square_grid
from minemap_assets.imagery.seasons import Season
from minemap_assets.imagery.sources.earth_engine.config import EarthEngineConfig

SEASON = Season(2021, date(2021, 6, 1), date(2021, 9, 1))
SITE = square_grid(500_000.0, 9_300_000.0, 64, 32722, 10.0)
FAR = square_grid(560_000.0, 9_300_000.0, 64, 32722, 10.0)
ELSEWHERE = footprint_wgs84(square_grid(500_000.0, 5_000_000.0, 64, 32632, 10.0))
BANDS = ("blue", "nir")
CONFIG = EarthEngineConfig()
L2A, L1C, SCORE = CONFIG.sentinel2_l2a, CONFIG.sentinel2_l1c, CONFIG.cloud_score
UNSCORED = "20210622T134021_0"

Numbers = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Layer:
    """A scene's pixels (band, row, column), and where they are clear."""

    pixels: Numbers
    seen: Numbers

    def shifted(self, first: int, size: int) -> "Layer":
        """Rows and columns from `first`, half a pixel further right and down: the mean of what is clear of four pixels,
        where the nearest one is; that is the last of them where all are equally near.
        """
        corners = [
            (slice(first + r, first + r + size), slice(first + c, first + c + size)) for r in (0, 1) for c in (0, 1)
        ]
        weights = np.stack([self.seen[rows, columns] for rows, columns in corners]).astype(np.float64)
        values = np.stack([self.pixels[:, rows, columns] for rows, columns in corners])
        total = (values * weights[:, np.newaxis]).sum(axis=0)
        return Layer(total / np.maximum(weights.sum(axis=0), 1.0), weights[3] > 0)


@dataclass(frozen=True, eq=False)
class Scenes:
    """A server with five usable scenes of four days, one overcast, and one without a cloud score."""

    server: Running
    keys: Keys
    layers: Sequence[Layer]

    def expected(self) -> Layer:
        """The median by hand, and the number of clear pictures: scenes of one day are one, the first on top."""
        first, second = self.layers[1], self.layers[2]
        merged = Layer(np.where(first.seen, first.pixels, second.pixels), first.seen | second.seen)
        pictures = [self.layers[0], merged, self.layers[3], self.layers[4]]
        values = np.stack([np.where(p.seen, p.pixels, np.nan) for p in pictures])
        count = np.sum([p.seen for p in pictures], axis=0)
        middle = np.floor(np.nanmedian(np.where(count > 0, values, 0.0), axis=0) + 0.5)
        return Layer(np.where(count > 0, middle, 0), count)


@contextmanager
def serve_scenes(root: Path) -> Iterator[Scenes]:
    """Write the scenes and serve them."""
    keys = make_keys()
    found, scores, layers = [], [], []
    for number, day in enumerate((3, 8, 8, 13, 28)):
        layer, clear = _layer(number)
        index = f"202106{day:02d}T134021_202106{day:02d}T134022_T22MDB_{number}"
        file = write(root / f"{index}.tif", layer.pixels)
        cloud = write(root / f"{index}_cs.tif", np.where(clear, 0.9, 0.3).astype(np.float32)[np.newaxis])
        found.append(_scene(index, day, file, 20.0, "05.00" if number else "03.01"))
        scores.append(Asset(index, date(2021, 6, day), footprint_wgs84(SITE), {"cs_cdf": Band((cloud,))}))
        layers.append(layer)
    found += [_scene("20210618T134021_0", 18, file, 99.0, "05.00"), _scene(UNSCORED, 22, file, 1.0, "05.00")]
    found.append(
        replace(_scene("20210705T134021_0", 5, file, 1.0, "05.00"), start=date(2021, 7, 5), footprint=ELSEWHERE)
    )
    basemaps: dict[str, list[Asset]] = {one.asset: [] for one in CONFIG.nicfi}
    write_catalogue(root, keys, {L2A: found, L1C: [], SCORE: scores, **basemaps})
    with served(root) as server:
        yield Scenes(server, keys, layers)


def write(path: Path, bands: Numbers, grid: GeoBox = SITE) -> str:
    """Write (band, row, column) as a GeoTIFF; returns the file's name."""
    import rasterio

    count, height, width = bands.shape
    profile = {"driver": "GTiff", "count": count, "height": height, "width": width, "dtype": bands.dtype.name}
    with rasterio.open(path, "w", **profile, crs=str(grid.crs), transform=grid.affine) as target:
        target.write(bands)
    return path.name


def _layer(number: int) -> tuple[Layer, Numbers]:
    """A scene with a bright cloud of its own and one that all share; the second scene lacks its left half."""
    pixels = np.random.default_rng(number).integers(100, 3000, (2, 64, 64)).astype(np.uint16)
    clear = np.ones((64, 64), dtype=np.bool_)
    clear[number * 10 : number * 10 + 14, 5:40] = False
    clear[60:, 60:] = False
    pixels[:, ~clear] = 9000
    if number == 1:
        pixels[:, :, :32] = 0
    pixels[0, 50, 50] = 0  # missing in one band of every scene
    return Layer(pixels, clear & (pixels.min(axis=0) > 0)), clear


def _scene(index: str, day: int, file: str, cloud_cover: float, baseline: str) -> Asset:
    bands = {"B2": Band((file,), 1), "B8": Band((file,), 2)}
    properties = {"CLOUDY_PIXEL_PERCENTAGE": cloud_cover, "PROCESSING_BASELINE": baseline}
    return Asset(index, date(2021, 6, day), footprint_wgs84(SITE), bands, properties=properties)
