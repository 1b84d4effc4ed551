"""A season's composite by the source `stac`, beside odc-stac with `numpy.nanmedian` on the same scenes.

All ask the same STAC API and file server on loopback, mask the same classes and take the same offset off; each runs
in a process of its own, in turn. odc-stac reads one file after the other as it comes; a third process has it read with
as many threads as the source has. Prints seconds and peak memory above the imports, and the ratios; exits with 1 where
the median of the ratios to odc-stac as it comes passes the limit, or where the pixels differ.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).parent))

from support.scenes import every, served, square, write_scenes

from minemap_assets.imagery.seasons import Season
from minemap_assets.imagery.sources.stac.config import StacConfig

LIMIT = 0.6
RUNS = 3
DATES = 10
BANDS = ("blue", "green", "red", "nir", "swir16")
TILE = square(2048)
GRID = TILE[300:1324, 400:1424]
DAYS = every(9, DATES)
SEASON = Season(DAYS[0].year, DAYS[0], DAYS[-1].replace(month=DAYS[-1].month + 1))


def ours(config: StacConfig, cache: Path) -> npt.NDArray[np.uint16]:
    """The composite by the source, with an empty cache."""
    from minemap_assets.imagery.sources.stac.source import StacSource

    return StacSource("sentinel-2-l2a", config, cache).read(GRID, SEASON, BANDS).pixels


def theirs(config: StacConfig, cache: Path, threads: int | None = None) -> npt.NDArray[np.uint16]:
    """The composite by odc-stac and numpy."""
    import odc.stac
    import pystac_client

    del cache
    odc.stac.configure_rio(cloud_defaults=True)
    collection = config.collections[0]
    search = pystac_client.Client.open(collection.endpoint).search(
        collections=[collection.collection],
        bbox=GRID.geographic_extent.boundingbox.bbox,
        datetime=f"{SEASON.start}/{SEASON.end}",
    )
    loaded = odc.stac.load(
        search.items(),
        bands=[*BANDS, "scl"],
        geobox=GRID,
        resampling={"*": "bilinear", "scl": "nearest"},
        dtype="uint16",
        nodata=0,
        pool=threads,
    )
    clear = ~np.isin(loaded["scl"].values, config.masked_classes)
    made = []
    for band in BANDS:
        numbers = loaded[band].values
        values = np.where(clear & (numbers > 0), numbers.astype(np.float32) - 1000, np.float32(np.nan))
        made.append(np.nanmedian(values, axis=0))
    return np.nan_to_num(np.floor(np.stack(made) + 0.5)).astype(np.uint16)


def threaded(config: StacConfig, cache: Path) -> npt.NDArray[np.uint16]:
    """The same with threads."""
    return theirs(config, cache, config.concurrency)


WAYS = {"stac": ours, "odc-stac": theirs, "odc-stac, threads": threaded}


def measure(name: str, config: StacConfig, folder: Path) -> dict[str, float]:
    """Run one of the ways as a process of its own."""
    with tempfile.TemporaryDirectory(dir=folder) as cache:
        command = [sys.executable, __file__, name, config.model_dump_json(), cache, str(folder / f"{name}.npy")]
        answer = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(answer.stdout)
    return found


def work(name: str, config: str, cache: str, target: str) -> None:
    """What such a process does: imports, then the composite; prints seconds and megabytes."""
    import odc.stac  # noqa: F401
    import pystac_client  # noqa: F401

    import minemap_assets.imagery.sources.stac.source  # noqa: F401

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    pixels = WAYS[name](StacConfig.model_validate_json(config), Path(cache))
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    np.save(target, pixels)
    print(json.dumps({"seconds": seconds, "megabytes": (peak - before) / 1024}))


def main() -> None:
    """Measure, print and judge."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        items = write_scenes(folder, TILE, DAYS, BANDS)
        with served(folder, items) as catalogue:
            found = [{way: measure(way, catalogue.config, folder) for way in WAYS} for _ in range(RUNS)]
        pixels = {way: np.load(folder / f"{way}.npy") for way in WAYS}
    size = f"{GRID.shape[0]} x {GRID.shape[1]} pixels"
    print(f"{DATES} dates, {len(BANDS)} bands and classes, {size}, {os.cpu_count()} CPUs")
    passed = all((pixels[way] == pixels["stac"]).all() for way in WAYS)
    print(f"the pixels are {'the same' if passed else 'not the same'}")
    for other in list(WAYS)[1:]:
        for what in ("seconds", "megabytes"):
            ratios = [run["stac"][what] / run[other][what] for run in found]
            figures = [statistics.median(run[way][what] for run in found) for way in ("stac", other)]
            judged = other == "odc-stac"
            passed &= not judged or statistics.median(ratios) <= LIMIT
            print(
                f"{what:<9} {figures[0]:8.2f}   {other:<17} {figures[1]:8.2f}   ratio {statistics.median(ratios):.2f} "
                f"({min(ratios):.2f} to {max(ratios):.2f}){f', limit {LIMIT}' if judged else ''}"
            )
    sys.exit(0 if passed else 1)


if __name__ == "__main__":
    work(*sys.argv[1:]) if len(sys.argv) > 1 else main()
