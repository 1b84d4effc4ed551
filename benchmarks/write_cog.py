"""Writing a composite and a mask as a Cloud Optimized GeoTIFF with overviews, beside a plain deflate GeoTIFF.

Both hold the same pixels in blocks of the same size behind the same predictor; the plain file has GDAL's own level of
deflate and no overviews, which are a quarter more pixels. The same at our level is printed as well, not judged. They
take turns in one process. Prints CPU milliseconds and sizes, and the ratios; exits with 1 where the median of a ratio
passes the limit.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
from odc.geo.geobox import GeoBox
from scipy.ndimage import gaussian_filter

from minemap_assets.geo.raster import BLOCK, DEFLATE_LEVELS, write_cog

LIMIT = 1.1
RUNS = 15
SIDE = 1024
GRID = GeoBox((SIDE, SIDE), rasterio.transform.from_origin(500_000, 9_000_000, 10, 10), "EPSG:32733")


def relief(random: np.random.Generator, sigma: float) -> npt.NDArray[np.float64]:
    """A smooth field of deviation 1."""
    field = gaussian_filter(random.normal(size=(SIDE, SIDE)), sigma)
    return np.asarray(field / field.std())


def composite(random: np.random.Generator) -> npt.NDArray[np.uint16]:
    """Five bands of a landscape whose parts of 200 m differ most, with the noise of a sensor in every band."""
    ground = relief(random, 20) * 250 + relief(random, 1.5) * 80
    levels = (600, 800, 900, 2600, 2100)
    bands = [np.clip(level + ground + random.normal(size=ground.shape) * 25, 1, 10_000) for level in levels]
    return np.stack(bands).astype(np.uint16)


def mask(random: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Probabilities, high in a tenth of the picture."""
    return (254 / (1 + np.exp(-6 * (relief(random, 12) - 1.3))))[None].astype(np.uint8)


def plain(path: Path, pixels: npt.NDArray[Any], **options: int) -> None:
    """Write a deflate GeoTIFF."""
    count, height, width = pixels.shape
    profile = {"count": count, "height": height, "width": width, "dtype": pixels.dtype.name, "nodata": 0}
    blocks = {"tiled": True, "blockxsize": BLOCK, "blockysize": BLOCK, "compress": "deflate", "predictor": 2}
    placed = {"crs": str(GRID.crs), "transform": GRID.affine}
    with (
        rasterio.Env(GDAL_NUM_THREADS="1"),
        rasterio.open(path, "w", "GTiff", **profile, **blocks, **placed, **options) as file,
    ):
        file.write(pixels)
        file.descriptions = tuple(f"band {band}" for band in range(count))


def milliseconds(write: Callable[[], None]) -> float:
    """CPU time of writing once."""
    start = time.process_time()
    write()
    return (time.process_time() - start) * 1000


def judge(name: str, pixels: npt.NDArray[Any], folder: Path) -> bool:
    """Measure and print; whether the limit is kept."""
    level = DEFLATE_LEVELS[pixels.dtype.itemsize]
    bands = tuple(f"band {band}" for band in range(len(pixels)))
    ways: dict[str, Callable[[], None]] = {
        "ours": lambda: write_cog(folder / "ours.tif", pixels, GRID, bands, nodata=0),
        "plain": lambda: plain(folder / "plain.tif", pixels),
        f"plain, level {level}": lambda: plain(folder / "same.tif", pixels, zlevel=level),
    }
    found = [{way: milliseconds(write) for way, write in ways.items()} for _ in range(RUNS)]
    sizes = [(folder / file).stat().st_size for file in ("ours.tif", "plain.tif", "same.tif")]
    for way, size in zip(ways, sizes, strict=True):
        print(f"{name:<10} {way:<15} {statistics.median(run[way] for run in found):8.1f} ms {size:10,} bytes")
    passed = True
    for other in list(ways)[1:]:
        ratio = statistics.median(run["ours"] / run[other] for run in found)
        judged = other == "plain"
        passed &= not judged or ratio <= LIMIT
        print(f"{name:<10} ratio to {other}: {ratio:.2f}{f', limit {LIMIT}' if judged else ''}")
    return passed


def main() -> None:
    """Measure, print and judge."""
    random = np.random.default_rng(1)
    pictures: dict[str, npt.NDArray[Any]] = {"composite": composite(random), "mask": mask(random)}
    with tempfile.TemporaryDirectory() as folder:
        passed = [judge(name, pixels, Path(folder)) for name, pixels in pictures.items()]
    sys.exit(0 if all(passed) else 1)


if __name__ == "__main__":
    main()
