"""Chips an hour that a network predicts on this machine: the default one, SegFormer-B0 and SegFormer-B5.

Weights are random: they do not change how long it takes. The ratio is that of the network as it was trained to the one
with a folded head, which predicts; exits with 1 where it is below the limit for B0. Takes the GPU where there is one.

    python benchmarks/prediction.py [default b0 b5]
"""

import os
import statistics
import sys
import time

import torch

from minemap_assets.segmentation.config import SegmentationConfig
from minemap_assets.segmentation.folding import fold
from minemap_assets.segmentation.network import MineSegformer, build_network
from minemap_assets.segmentation.prediction import choose_device

BANDS, SIDE, TIMES = 4, 512, 5
LEAST_RATIO = {"b0": 1.2}

NETWORKS = {
    "default": SegmentationConfig(),
    "b0": SegmentationConfig(
        hidden_sizes=(32, 64, 160, 256), depths=(2, 2, 2, 2), heads=(1, 2, 5, 8), decoder_width=256
    ),
    "b5": SegmentationConfig(
        hidden_sizes=(64, 128, 320, 512), depths=(3, 6, 40, 3), heads=(1, 2, 5, 8), decoder_width=768
    ),
}
"""Widths and depths of Xie et al. 2021, table 6."""


def seconds_per_chip(network: MineSegformer, chips: torch.Tensor) -> float:
    """Median over a few batches, after one that is not counted."""
    taken = []
    for _ in range(TIMES + 1):
        begun = time.perf_counter()
        with torch.inference_mode():
            network.margin(chips).float().cpu()
        taken.append((time.perf_counter() - begun) / len(chips))
    return statistics.median(taken[1:])


def main() -> int:
    """Run the benchmark; the exit status says whether folding pays."""
    names = sys.argv[1:] or [name for name in NETWORKS if name != "b5"]
    device = choose_device("auto")
    where = torch.cuda.get_device_name() if device.type == "cuda" else f"CPU, 1 thread of {os.cpu_count()} cores"
    print(f"{SIDE} x {SIDE} pixels, {BANDS} bands, fp32, on {where}")
    slow = False
    for name in names:
        config = NETWORKS[name]
        torch.set_num_threads(config.threads)
        network = build_network(config, BANDS).eval().to(device)
        chips = torch.rand(config.batch_predict, BANDS, SIDE, SIDE, device=device)
        plain, folded = seconds_per_chip(network, chips), seconds_per_chip(fold(network), chips)
        slow |= plain / folded < LEAST_RATIO.get(name, 0.0)
        print(f"{name}: {folded:.3f} s a chip, {3600 / folded:,.0f} chips an hour; folding {plain / folded:.2f} x")
    return 1 if slow else 0


if __name__ == "__main__":
    raise SystemExit(main())
