"""How well the default recipe outlines tailings on real images, on ground that it was not trained on.

Grouped folds: images of the same ground stay together. Of each fold a model is trained on the others with the default
settings, thresholds included, and asked about the fold. The best threshold on one band or index, chosen on the same
training images, stands beside it.

    MINEMAP_TEST_DATA=... python benchmarks/real_pixels.py [--seeds 2] [--set segmentation-setting=value ...]
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).parent))

from support.tailings import BANDS, CHIP, PRODUCT, Picture, Score, chip_set, coarser, fold_of, read_pictures, score

from minemap_assets.lake.lake import Lake, build_partition
from minemap_assets.lake.manifests import PartitionRef
from minemap_assets.segmentation.artefact import load_model
from minemap_assets.segmentation.baseline import best_rule
from minemap_assets.segmentation.config import SegmentationConfig
from minemap_assets.segmentation.prediction import Predictor
from minemap_assets.segmentation.scale import TOP
from minemap_assets.segmentation.site_scoring import site_pictures
from minemap_assets.segmentation.training import train_model
from minemap_assets.segmentation.training_set import ChipLibrary, assemble

FOLDS = 3
GOALS = {"pooled": 0.32, "mean": 0.20}


@dataclass(frozen=True, eq=False)
class Said:
    """What a model and a threshold say of some images: masks (row, column) of 10 m pixels by name, and what it cost."""

    masks: dict[str, list[npt.NDArray[np.bool_]]]
    seconds: float
    members: int


def outline(taught: Sequence[Picture], asked: Sequence[Picture], config: SegmentationConfig, size: int = CHIP) -> Said:
    """Train on some images, in chips of `size` pixels of 5 m, and outline others."""
    with tempfile.TemporaryDirectory() as scratch:
        chips = chip_set(Path(scratch) / "taught", taught, size=size)
        test = chip_set(Path(scratch) / "asked", asked, "test", size)
        lake, ref = Lake.local(Path(scratch) / "lake", Path(scratch) / "state"), PartitionRef("segmentation", "x")
        begun = time.process_time()
        build_partition(
            lake, ref, code_version="1", config={}, inputs={}, build=lambda w: train_model([chips], config, w, {})
        )
        seconds = time.process_time() - begun
        model = load_model(lake.open(ref))
        predictor = Predictor(model, config)
        refs = assemble([chips, test]).of("test")
        said = list(site_pictures([chips, test], refs, lambda them: predictor.probabilities(PRODUCT, BANDS, them)))
        probability = coarser(picture.stored / TOP for picture in said)
        points = model.product(PRODUCT).operating_points
        masks = {name: [p >= at for p in probability] for name, at in points.items()}
        training_set, library = assemble([chips]), ChipLibrary([chips], 256)
        rule = best_rule((library.read(r) for r in training_set.refs), BANDS)
        masks["threshold"] = [(rule.feature.bins(p.pixels) >= rule.edge) == rule.above for p in asked]
        return Said(masks, seconds, int(lake.open(ref).manifest.summary["members"]))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; the exit status says whether the goals were reached in every seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--set", action="append", default=[], help="NAME=VALUE of [segmentation], VALUE as JSON")
    parser.add_argument("--chip", type=int, default=CHIP, help=f"pixels of 5 m a side of a chip ({CHIP})")
    options = parser.parse_args(arguments)
    own: dict[str, Any] = {name: json.loads(value) for name, value in (s.split("=", 1) for s in options.set)}
    folder = Path(os.environ["MINEMAP_TEST_DATA"]) / "tailings-seg-s2-brazil"
    pictures = read_pictures(folder)
    folds, reached = fold_of(pictures, FOLDS), True
    print(
        f"{len(pictures)} images, {len({p.group for p in pictures})} groups, {FOLDS} folds; settings {own or 'default'}"
    )
    for seed in range(options.seeds):
        masks: dict[str, list[npt.NDArray[np.bool_]]] = {}
        asked: list[Picture] = []
        for fold in range(FOLDS):
            now = [p for p, its in zip(pictures, folds, strict=True) if its == fold]
            others = [p for p, its in zip(pictures, folds, strict=True) if its != fold]
            said = outline(others, now, SegmentationConfig(seed=seed, **own), options.chip)
            each = "  ".join(f"{name} {_text(score(some, now))}" for name, some in said.masks.items())
            print(f"seed {seed} fold {fold}: {each}  {said.seconds:.0f} CPU s, {said.members} members", flush=True)
            asked += now
            for name, some in said.masks.items():
                masks.setdefault(name, []).extend(some)
        whole = {name: score(some, asked) for name, some in masks.items()}
        print(f"seed {seed} all: " + "  ".join(f"{name} {_text(found)}" for name, found in whole.items()), flush=True)
        best = whole["match_area"]
        reached &= best.pooled >= max(GOALS["pooled"], whole["threshold"].pooled) and best.mean >= GOALS["mean"]
    print("goals reached" if reached else f"goals missed: {GOALS}, and no worse than the threshold")
    return 0 if reached else 1


def _text(found: Score) -> str:
    return f"{found.pooled:.3f} [{found.low:.2f}, {found.high:.2f}] mean {found.mean:.3f}"


if __name__ == "__main__":
    raise SystemExit(main())
