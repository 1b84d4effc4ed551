"""A season's composite by the source `stac`, beside the well-known ways to make it from the same scenes.

- odc-stac as it comes, and with 8 threads, each with bottleneck's median;
- async-geotiff with obstore, and this project's median.

All ask the same STAC API and file server, on loopback and behind a line of 80 ms and 20 MB/s; all mask the same classes
and take the same offset off. Each runs in a process of its own, in turn. Prints processor seconds, seconds and peak
memory above the imports, and the ratios to the faster of the two ways of odc-stac; exits with 1 where the median of
the ratios passes its limit, or where pixels differ. The two last need `pip install bottleneck async-geotiff`.
"""

import asyncio
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).parent))

from support.scenes import every, served, square, write_scenes

from minemap_assets.imagery.files.compositing import median
from minemap_assets.imagery.seasons import Season
from minemap_assets.imagery.sources.stac.config import StacConfig

RUNS = 3
DATES = 10
BANDS = ("blue", "green", "red", "nir")
TILE = square(2048)
GRID = TILE[300:1324, 400:1424]
DAYS = every(9, DATES)
SEASON = Season(DAYS[0].year, DAYS[0], DAYS[-1].replace(month=DAYS[-1].month + 1))
OFFSET = 1000
THREADS = 8


@dataclass(frozen=True)
class Line:
    """How far away the scenes are: seconds before an answer, bytes a second (0: no limit), and the limits of ratios."""

    name: str
    latency: float
    bandwidth: float
    limits: dict[str, float]


LINES = (
    Line("loopback", 0.0, 0.0, {"cpu": 0.6, "seconds": 0.6, "megabytes": 0.5}),
    Line("80 ms, 20 MB/s", 0.08, 20e6, {"seconds": 1.0}),
)


def ours(config: StacConfig, cache: Path) -> npt.NDArray[np.uint16]:
    """The composite by the source, with an empty cache."""
    from minemap_assets.imagery.sources.stac.source import StacSource
    from minemap_assets.lake.kept_files import KeptFiles

    return StacSource("sentinel-2-l2a", config, KeptFiles(cache)).read(GRID, SEASON, BANDS).pixels


def items_of(config: StacConfig) -> list[object]:
    """The scenes, by pystac-client."""
    import pystac_client

    collection = config.collections[0]
    search = pystac_client.Client.open(collection.endpoint).search(
        collections=[collection.collection],
        bbox=GRID.geographic_extent.boundingbox.bbox,
        datetime=f"{SEASON.start}/{SEASON.end}",
    )
    return list(search.items())


def by_odc(config: StacConfig, cache: Path, threads: int | None = None) -> npt.NDArray[np.uint16]:
    """The composite by odc-stac and bottleneck."""
    import bottleneck
    import odc.stac

    del cache
    odc.stac.configure_rio(cloud_defaults=True)
    loaded = odc.stac.load(
        items_of(config),
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
        values = np.where(clear & (numbers > 0), numbers.astype(np.float32) - OFFSET, np.float32(np.nan))
        made.append(bottleneck.nanmedian(values, axis=0))
    return np.nan_to_num(np.floor(np.stack(made) + 0.5)).astype(np.uint16)


def by_odc_threads(config: StacConfig, cache: Path) -> npt.NDArray[np.uint16]:
    """The same with threads."""
    return by_odc(config, cache, THREADS)


def by_async_geotiff(config: StacConfig, cache: Path) -> npt.NDArray[np.uint16]:
    """The composite by async-geotiff over obstore, all files at a time, and this project's median."""
    from async_geotiff import GeoTIFF, Window
    from obstore.store import HTTPStore

    del cache
    found = items_of(config)
    base = str(found[0].assets["blue"].href).split("/", 3)  # type: ignore[attr-defined]
    store = HTTPStore("/".join(base[:3]), client_options={"allow_http": True})
    gate = asyncio.Semaphore(THREADS)

    async def read(href: str, top: int, left: int, height: int, width: int) -> npt.NDArray[np.uint16]:
        async with gate:
            opened = await GeoTIFF.open(href.split("/", 3)[3], store=store)
            part = await opened.read(window=Window(col_off=left, row_off=top, width=width, height=height))
        return np.asarray(part.data[0])

    async def scene(item: object) -> npt.NDArray[np.uint16]:
        hrefs = {key: asset.href for key, asset in item.assets.items()}  # type: ignore[attr-defined]
        parts = await asyncio.gather(
            read(hrefs["scl"], 150, 200, 512, 512), *(read(hrefs[band], 300, 400, 1024, 1024) for band in BANDS)
        )
        hidden = np.kron(np.isin(parts[0], config.masked_classes), np.ones((2, 2), dtype=np.bool_))
        numbers = np.stack(parts[1:])
        shifted = np.maximum(numbers, OFFSET + 1) - np.uint16(OFFSET)
        shifted[:, hidden] = 0
        return np.where(numbers > 0, shifted, np.uint16(0))

    async def every_scene() -> list[npt.NDArray[np.uint16]]:
        return await asyncio.gather(*(scene(item) for item in found))

    return median(asyncio.run(every_scene())).pixels


WAYS = {"stac": ours, "odc-stac": by_odc, "odc-stac, threads": by_odc_threads, "async-geotiff": by_async_geotiff}
BASELINES = ("odc-stac", "odc-stac, threads")


def measure(name: str, config: StacConfig, folder: Path) -> dict[str, float]:
    """Run one of the ways as a process of its own."""
    with tempfile.TemporaryDirectory(dir=folder) as cache:
        command = [sys.executable, __file__, name, config.model_dump_json(), cache, str(folder / f"{name}.npy")]
        answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, float] = json.loads(answer.stdout)
    return found


def work(name: str, config: str, cache: str, target: str) -> None:
    """What such a process does: imports, then the composite; prints seconds and megabytes."""
    import httpx
    import imagecodecs
    import odc.stac  # noqa: F401
    import pystac_client  # noqa: F401

    import minemap_assets.imagery.sources.stac.source  # noqa: F401

    httpx.Client().close()
    imagecodecs.deflate_decode(imagecodecs.deflate_encode(b"its parts are imported when they are used"))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start, begin = time.perf_counter(), time.process_time()
    pixels = WAYS[name](StacConfig.model_validate_json(config), Path(cache))
    found = {"cpu": time.process_time() - begin, "seconds": time.perf_counter() - start}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    np.save(target, pixels)
    print(json.dumps(found | {"megabytes": (peak - before) / 1024}))


def judge(line: Line, found: list[dict[str, dict[str, float]]]) -> bool:
    """Print a line's figures; True where they are within its limits."""
    print(f"\n{line.name}: medians of {len(found)} runs\n{'':<20}{'cpu s':>8}{'seconds':>9}{'MB':>7}")
    for way in WAYS:
        cpu, seconds, size = (
            statistics.median(run[way][what] for run in found) for what in ("cpu", "seconds", "megabytes")
        )
        print(f"{way:<20}{cpu:8.2f}{seconds:9.2f}{size:7.0f}")
    passed = True
    for what in ("cpu", "seconds", "megabytes"):
        ratios = [run["stac"][what] / _faster(run)[what] for run in found]
        limit = line.limits.get(what)
        passed &= limit is None or statistics.median(ratios) <= limit
        said = f", limit {limit}" if limit else ""
        print(f"ratio of {what:<10}{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}){said}")
    return passed


def _faster(run: dict[str, dict[str, float]]) -> dict[str, float]:
    """The faster one of the ways of odc-stac."""
    return min((run[way] for way in BASELINES), key=lambda found: found["seconds"])


def main() -> None:
    """Measure, print and judge."""
    passed = True
    size = f"{GRID.shape[0]} x {GRID.shape[1]} pixels"
    print(f"{DATES} dates, {len(BANDS)} bands and classes, {size}, {os.cpu_count()} CPUs")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        items = write_scenes(folder, TILE, DAYS, BANDS)
        for line in LINES:
            with served(folder, items, latency=line.latency, bandwidth=line.bandwidth) as catalogue:
                found = [{way: measure(way, catalogue.config, folder) for way in WAYS} for _ in range(RUNS)]
            passed &= judge(line, found)
            pixels = [np.load(folder / f"{way}.npy") for way in WAYS]
            alike = all((other == pixels[0]).all() for other in pixels)
            print(f"the pixels are {'the same' if alike else 'not the same'}")
            passed &= alike
    sys.exit(0 if passed else 1)


if __name__ == "__main__":
    work(*sys.argv[1:]) if len(sys.argv) > 1 else main()
