"""Memory while a large partition is predicted: 20,000 chips, sixteen a site, of a size that takes minutes.

Chips are 64 x 64 pixels and the network is small, so that what may grow (queues, rows, what libraries keep) shows
beside what does not. Prints resident megabytes on the way, and exits with 1 where they grow by more than the limit
after the first tenth.

    python benchmarks/prediction_memory.py [--chips 20000]
"""

import argparse
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import geopandas as gpd
import numpy as np
from support.partitions import BANDS, PRODUCT, make, model_of, scene, sites_of

from minemap_assets.chips.reader import ChipSet
from minemap_assets.chips.store import ChipStore
from minemap_assets.chips.tiling import tiles
from minemap_assets.geo.grid import footprint_wgs84, to_columns
from minemap_assets.geo.vector import WGS84
from minemap_assets.lake.lake import Lake
from minemap_assets.lake.manifests import PartitionRef
from minemap_assets.segmentation.config import SegmentationConfig
from minemap_assets.segmentation.masks import build_masks
from minemap_assets.segmentation.networks.shapes import UNetShape
from minemap_assets.sites.windows import iter_sites

CHIP, OVERLAP, SITE = 64, 32, 160
CHIPS_A_SITE = 16
LIMIT_MEGABYTES = 32.0
STEPS = 10


def write_chips(folder: Path, sites: gpd.GeoDataFrame) -> None:
    """The chips of all sites and their index, as the chips room writes them."""
    drawn = [scene(seed, CHIP) for seed in range(64)]
    rows: list[dict[str, Any]] = []
    store = ChipStore.create(folder / "chips.zarr", PRODUCT, BANDS, CHIP, len(sites) * CHIPS_A_SITE, labelled=False)
    for site in iter_sites(sites):
        for tile in tiles(site.grid, CHIP, OVERLAP):
            grid = tile.grid(site.grid)
            store.put(len(rows), drawn[len(rows) % len(drawn)], None)
            place = {"chip": len(rows), "site_id": site.site_id, "row": tile.row, "column": tile.column}
            rows.append(place | asdict(to_columns(grid)) | {"geometry": footprint_wgs84(grid)})
    store.finish(len(rows))
    gpd.GeoDataFrame(rows, geometry="geometry", crs=WGS84).to_parquet(folder / "index.parquet")


def resident() -> float:
    """Megabytes of this process that are in memory now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
    return pages * 4096 / 1e6


def work(folder: Path) -> int:
    """What the process that is measured does."""
    lake = Lake.local(folder / "lake", folder / "state")
    sites = gpd.read_parquet(folder / "sites.parquet")
    index = gpd.read_parquet(folder / "index.parquet")
    names = {f"chips.zarr/pixels/c/{chip}/0/0/0": str(chip) for chip in index["chip"]}
    chips = ChipSet("chips", index, folder / "chips.zarr", names)
    model = model_of(lake, "small", UNetShape(widths=(8, 16), detail=4), 2)
    measured: list[float] = []

    def progress(done: int, total: int, stage: str = "", detail: str = "") -> None:  # noqa: ARG001
        if done and done % max(1, total // STEPS) == 0:
            measured.append(resident())
            print(
                f"{done * CHIPS_A_SITE:>7,} chips {measured[-1]:6.0f} MB, {time.perf_counter() - begun:.0f} s",
                flush=True,
            )

    begun = time.perf_counter()
    config = SegmentationConfig(device="cpu")
    ref = PartitionRef("segmentation", "raw_masks", ("bench", "2019"))
    made = make(lake, ref, lambda w: build_masks(sites, chips, model, config, w, progress=progress))
    if len(made.manifest.missing):
        raise SystemExit(f"{len(made.manifest.missing)} sites were not made")
    growth = float(np.max(measured[1:]) - measured[0])
    print(f"growth after the first tenth: {growth:.1f} MB, at most {LIMIT_MEGABYTES:.0f}")
    return 0 if growth <= LIMIT_MEGABYTES else 1


def main() -> int:
    """Write the chips, then measure in a process of its own; the exit status says whether memory stays flat."""
    parser = argparse.ArgumentParser(description="Memory while a large partition is predicted.")
    parser.add_argument("--chips", type=int, default=20_000)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.work is not None:
        return work(asked.work)
    with tempfile.TemporaryDirectory() as folder:
        sites = sites_of(asked.chips // CHIPS_A_SITE, SITE)
        sites.to_parquet(Path(folder) / "sites.parquet")
        write_chips(Path(folder), sites)
        return subprocess.run([sys.executable, __file__, "--work", folder], check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main())
