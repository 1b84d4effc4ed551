"""Peak memory of building an imagery partition, with four times the sites and with four times the dates.

Sites of the default's size (256 x 256 pixels of 10 m) are read through the source `stac` from stand-ins on loopback,
two at a time; its bound on working memory is set so low that it binds with the fewest dates already. Each build is a
process of its own. Prints the peaks and their ratios, with the imports and without; exits with 1 where one with them
passes the limit.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from support.scenes import every, served, square, write_scenes

from minemap_assets.imagery.seasons import Season
from minemap_assets.imagery.sources.stac.config import StacConfig

LIMIT = 1.15
SITES = (50, 200)
DATES = (8, 32)
STACK_BYTES = 4_000_000
BANDS = ("red", "nir")
SIDE = 256
TILE = square(1024)
DAYS = every(3, max(DATES))


def season(dates: int) -> Season:
    """Long enough for so many dates."""
    return Season(DAYS[0].year, DAYS[0], DAYS[dates - 1] + timedelta(days=1))


def work(config: str, folder: str, sites: str, dates: str) -> None:
    """What a process does: imports, then the build; prints megabytes above the imports and seconds."""
    import geopandas as gpd
    import imagecodecs  # noqa: F401
    import pystac_client  # noqa: F401

    from minemap_assets.geo.grid import footprint_wgs84, to_columns
    from minemap_assets.imagery.build import build_imagery
    from minemap_assets.imagery.sources.stac.source import StacSource
    from minemap_assets.lake.kept_files import KeptFiles
    from minemap_assets.lake.lake import Lake, build_partition
    from minemap_assets.lake.manifests import PartitionRef

    warnings.simplefilter("ignore")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    room = TILE.shape[0] - SIDE
    corners = [(7 * n * 37 % room, 11 * n * 53 % room) for n in range(int(sites))]
    grids = [TILE[top : top + SIDE, left : left + SIDE] for top, left in corners]
    rows = [asdict(to_columns(grid)) | {"site_id": f"m{n:03d}"} for n, grid in enumerate(grids)]
    frame = gpd.GeoDataFrame(rows, geometry=[footprint_wgs84(grid) for grid in grids], crs="EPSG:4326")
    source = StacSource("sentinel-2-l2a", StacConfig.model_validate_json(config), KeptFiles(Path(folder) / "cache"))
    start = time.perf_counter()
    manifest, _ = build_partition(
        Lake.local(Path(folder) / "lake", Path(folder) / "state"),
        PartitionRef("imagery", "imagery", ("bench", "2021")),
        code_version="1",
        config={},
        inputs={},
        build=lambda writer: build_imagery(frame, [source], season(int(dates)), BANDS, 0.1, writer, workers=2),
    )
    if manifest.missing:
        raise SystemExit(f"{len(manifest.missing)} sites were not made: {manifest.missing[0]}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"above": (peak - before) / 1024, "peak": peak / 1024, "seconds": time.perf_counter() - start}))


def measure(config: StacConfig, sites: int, dates: int) -> tuple[float, float]:
    """Peak megabytes of one build, with the imports and without; prints its row of the table."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, config.model_dump_json(), folder, str(sites), str(dates)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found = json.loads(done.stdout)
    row = f"{sites:>5} sites {dates:>4} dates {found['peak']:8.0f} MB, {found['above']:.0f} MB without the imports"
    print(f"{row}, {found['seconds']:.0f} s", flush=True)
    return float(found["peak"]), float(found["above"])


def main() -> None:
    """Measure, print and judge."""
    with tempfile.TemporaryDirectory() as name:
        items = write_scenes(Path(name), TILE, DAYS, BANDS)
        with served(Path(name), items) as catalogue:
            config = catalogue.config.model_copy(update={"stack_bytes": STACK_BYTES})
            few = measure(config, SITES[0], DATES[0])
            more = {
                f"{SITES[1]} sites to {SITES[0]}": measure(config, SITES[1], DATES[0]),
                f"{DATES[1]} dates to {DATES[0]}": measure(config, SITES[0], DATES[1]),
            }
    for what, (peak, above) in more.items():
        print(f"{what:<18} ratio {peak / few[0]:.2f}, limit {LIMIT}   without the imports {above / few[1]:.2f}")
    sys.exit(0 if all(peak / few[0] <= LIMIT for peak, _ in more.values()) else 1)


if __name__ == "__main__":
    work(*sys.argv[1:]) if len(sys.argv) > 1 else main()
