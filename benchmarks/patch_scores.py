"""Patches a second, from stored pixels to scores: ours against plain PyTorch at the batch size that is best for it.

Both score every patch of a tile (529 of 48 x 48 pixels, 12 bands) with six members of the published architecture of
2024 in float32. The plain side cuts the patches out, and runs network after network with all threads. Repeats alternate
and the best of each counts. Prints the ratio, the largest difference of a score, memory after one tile and after many,
the same in bfloat16 (with the decisions that it changes), and what a year of the Amazon basin would need at that rate.

With MINEMAP_TEST_DATA set, weights are the published ones, otherwise random ones; the speed is the same.

    python benchmarks/patch_scores.py [--repeats 3] [--tiles 12] [--skip-bfloat16]
"""

import argparse
import os
import platform
import resource
import sys
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from minemap_assets.detection.networks.keras_files import read_keras
from minemap_assets.detection.networks.patch_networks import PatchClassifier, PatchNetwork
from minemap_assets.detection.networks.shapes import published_2024
from minemap_assets.detection.patch_grid import PATCH, STRIDE, TILE_PATCHES, TILE_PIXELS
from minemap_assets.detection.scoring import PatchScorer, network_input
from minemap_assets.imagery.products import product

MEMBERS = 6
BATCHES = (1, 4, 16, 64, 529)
LEAST_RATIO, LARGEST_ERROR = 3.0, 1e-6
LEAST_BF16, LARGEST_BF16_ERROR = 4.0, 5e-3
THRESHOLDS = (0.43, 0.5, 0.6, 0.75, 0.8)

BASIN_KM2 = 8.2e6
PATCH_KM2 = (STRIDE * 0.01) ** 2

Floats = npt.NDArray[np.float32]


def networks() -> list[PatchClassifier]:
    """Six members, published where they are at hand."""
    data = os.environ.get("MINEMAP_TEST_DATA")
    files = sorted((Path(data) / "earth-genome-detector" / "models").glob("*ensemble*.h5")) if data else []
    if files:
        return read_keras(files[0])
    torch.manual_seed(0)
    return [PatchNetwork(published_2024()).eval() for _ in range(MEMBERS)]


def tile(seed: int) -> npt.NDArray[np.uint16]:
    """Stored pixels of ground that is bright in places."""
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(200, 3000, (12, TILE_PIXELS // 32, TILE_PIXELS // 32))
    wide = np.kron(coarse, np.ones((32, 32)))
    return np.clip(wide + rng.normal(0, 80, wide.shape), 1, 10_000).astype(np.uint16)


ROWS, COLUMNS = (axis.ravel() * STRIDE for axis in np.indices((TILE_PATCHES, TILE_PATCHES)))


@torch.inference_mode()
def plain(members: list[PatchClassifier], stored: npt.NDArray[np.uint16], batch: int) -> Floats:
    """What one writes first."""
    pixels = np.clip(stored.astype(np.float32) / 10_000, 0, 1)
    patches = torch.from_numpy(
        np.stack([pixels[:, r : r + PATCH, c : c + PATCH] for r, c in zip(ROWS, COLUMNS, strict=True)])
    )
    scores = [torch.cat([one(part).sigmoid() for part in torch.split(patches, batch)]) for one in members]
    found: Floats = torch.stack(scores, 1).numpy()
    return found


def ours(scorer: PatchScorer, stored: npt.NDArray[np.uint16]) -> Floats:
    """As a scan does it."""
    return scorer.scores(network_input(stored, product("sentinel-2-l1c")), ROWS, COLUMNS)


def peak_mb() -> float:
    """Largest resident memory so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> int:
    """Measure and print; 1 where a limit is missed."""
    parser = argparse.ArgumentParser(description="Patches a second against plain PyTorch.")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--tiles", type=int, default=12, help="tiles scored for the test of memory")
    parser.add_argument("--skip-bfloat16", action="store_true")
    options = parser.parse_args()
    threads = len(os.sched_getaffinity(0))
    torch.set_num_threads(threads)
    stored = tile(0)
    plain_members, scorer = networks(), PatchScorer(networks(), "cpu")
    times = {batch: timed(lambda b=batch: plain(plain_members, stored, b))[1] for batch in BATCHES}
    best = min(times, key=lambda batch: times[batch])
    reference, seconds = timed(lambda: plain(plain_members, stored, best))
    found, mine = timed(lambda: ours(scorer, stored))
    for _ in range(options.repeats):
        seconds = min(seconds, timed(lambda: plain(plain_members, stored, best))[1])
        mine = min(mine, timed(lambda: ours(scorer, stored))[1])
    count, error = len(ROWS), float(np.abs(found - reference).max())
    ratio = seconds / mine
    print(f"{platform.processor() or platform.machine()}, {threads} threads, torch {torch.__version__}")
    print(f"plain, batch {best}: {count / seconds:7.1f} patches/s")
    print(f"ours:           {count / mine:7.1f} patches/s, {ratio:.2f} times as many (goal {LEAST_RATIO})")
    print(f"largest difference of a score: {error:.1e} (goal {LARGEST_ERROR:.0e})")
    memory(scorer, options.tiles)
    failed = ratio < LEAST_RATIO or error > LARGEST_ERROR
    if not options.skip_bfloat16:
        failed |= bfloat16(stored, reference, seconds)
    basin(count / mine)
    return int(failed)


def timed(work: object) -> tuple[Floats, float]:
    """What a function gives, and how many seconds it takes."""
    assert callable(work)
    start = time.perf_counter()
    found: Floats = work()
    return found, time.perf_counter() - start


def memory(scorer: PatchScorer, tiles: int) -> None:
    """Print the largest memory after one tile, and after many."""
    ours(scorer, tile(1))
    first = peak_mb()
    for number in range(tiles):
        ours(scorer, tile(2 + number))
    print(f"memory: {first:,.0f} MB at most after the first tiles, {peak_mb():,.0f} MB after {tiles} more")


def bfloat16(stored: npt.NDArray[np.uint16], reference: Floats, seconds: float) -> bool:
    """Print speed, errors and changed decisions; whether a limit is missed."""
    scorer = PatchScorer(networks(), "cpu", precision="bfloat16")
    found, mine = timed(lambda: ours(scorer, stored))
    error = float(np.abs(found - reference).max())
    means = reference.mean(1), found.mean(1)
    changed = [
        float(np.abs(means[0] - threshold)[(means[0] >= threshold) != (means[1] >= threshold)].max(initial=0.0))
        for threshold in THRESHOLDS
    ]
    print(
        f"bfloat16:       {len(ROWS) / mine:7.1f} patches/s, {seconds / mine:.2f} times as many (goal {LEAST_BF16}); "
        f"largest difference {error:.1e} (goal {LARGEST_BF16_ERROR:.0e}); changed decisions lie at most "
        f"{max(changed):.1e} from a threshold"
    )
    return seconds / mine < LEAST_BF16 or error > LARGEST_BF16_ERROR or max(changed) > LARGEST_BF16_ERROR


def basin(rate: float) -> None:
    """Print what scoring a year of the Amazon basin would take at a rate of patches a second."""
    patches = BASIN_KM2 / PATCH_KM2
    print(
        f"a year of the Amazon basin ({BASIN_KM2 / 1e6:.1f} million km2, {patches / 1e6:.0f} million patches): "
        f"{patches / rate / 3600:,.0f} hours on this machine"
    )


if __name__ == "__main__":
    sys.exit(main())
