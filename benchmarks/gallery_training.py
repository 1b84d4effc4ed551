"""Our training on real chips, beside the published RGB network on the same chips.

The chips are colour pictures (8 bits, of reflectance 0 to 0.3) of the patches that Earth Genome's detector was trained
on, with the class in the name of each file. Files of one labelling campaign are one place: they stay together, and each
fold is scored by the member that has not seen its campaigns. The published network may have seen all of them. Prints
average precision and the share of mines found where 1 % of the others pass, of both, over all chips and by fold.

    MINEMAP_TEST_DATA=... python benchmarks/gallery_training.py [--steps 600] [--members 4] [--most 0] [--random]

`--random` starts from random weights, `--most` takes so many chips of each file.
"""

import argparse
import os
import sys
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from minemap_assets.detection.learning.labelled_chips import LabelledChips
from minemap_assets.detection.learning.patch_learner import margins
from minemap_assets.detection.learning.patch_recipe import PatchRecipe
from minemap_assets.detection.learning.scores import average_precision, sensitivity_at
from minemap_assets.detection.learning.training import train
from minemap_assets.detection.networks.keras_files import read_keras
from minemap_assets.detection.published import BANDS
from minemap_assets.imagery.products import product
from minemap_assets.validation.accuracy import wilson

PRODUCT = "sentinel-2-l1c"
SIDE = 48
WHITE = 3000.0 / 255.0
"""Reflectance x 10,000 of one step of a picture."""

SPECIFICITY = 0.99
_MINES = ("positives", "MinesPos")

Floats = npt.NDArray[np.float64]


def gallery(folder: Path, most: int = 0) -> LabelledChips:
    """The chips of all files (at most `most` of each, spread evenly; 0: all); the rest of a sheet is black."""
    pixels, mine, places = [], [], []
    for file in sorted(folder.glob("*.png")):
        picture = np.asarray(Image.open(file).convert("RGB"))
        rows, columns = (size // SIDE for size in picture.shape[:2])
        cut = picture[: rows * SIDE, : columns * SIDE].reshape(rows, SIDE, columns, SIDE, 3).swapaxes(1, 2)
        chips = cut.reshape(-1, SIDE, SIDE, 3)
        chips = chips[chips.reshape(len(chips), -1).any(1)]
        if 0 < most < len(chips):
            chips = chips[np.arange(most) * len(chips) // most]
        pixels.append(chips)
        mine += [any(word in file.name for word in _MINES)] * len(chips)
        places += [file.name.split("_S2L1C")[0]] * len(chips)
    blue_first = np.concatenate(pixels)[..., ::-1].transpose(0, 3, 1, 2)
    stored = np.clip(np.rint(blue_first * WHITE), 1, None).astype(np.uint16)
    return LabelledChips(stored, np.array(mine), tuple(places), PRODUCT, BANDS[3])


def published_margins(chips: LabelledChips, weights: Path) -> Floats:
    """Log-odds (chip) by the published RGB network, on the middle of each chip."""
    (network,) = read_keras(weights)
    return margins(network, chips, product(PRODUCT), network.shape.pixels).astype(np.float64)


def own_margins(chips: LabelledChips, recipe: PatchRecipe) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Log-odds (chip) by the member that has not seen a chip's campaign, and the chip's fold."""
    trained = train(chips, recipe, seed=0)
    return trained.margins.astype(np.float64), trained.fold


def told(name: str, scores: Floats, mine: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Print and give average precision and sensitivity."""
    precision, found = average_precision(scores, mine), sensitivity_at(scores, mine, SPECIFICITY)
    between = wilson(round(found * int(mine.sum())), int(mine.sum()))
    print(
        f"{name:20} average precision {precision:.3f}, sensitivity at {SPECIFICITY} specificity {found:.3f} "
        f"({between.low:.3f} to {between.high:.3f})"
    )
    return precision, found


def main() -> int:
    """Train and print; 1 where ours is worse in any of the two."""
    parser = argparse.ArgumentParser(description="Our training beside the published network.")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--members", type=int, default=4)
    parser.add_argument("--most", type=int, default=0)
    parser.add_argument("--random", action="store_true")
    options = parser.parse_args()
    data = Path(os.environ["MINEMAP_TEST_DATA"]) / "earth-genome-detector"
    chips = gallery(data / "gallery", options.most)
    print(f"{len(chips)} chips, {int(chips.mine.sum())} of mines, of {len(set(chips.places))} campaigns")
    theirs = published_margins(chips, next((data / "models").glob("*rgb*.h5")))
    begun = time.perf_counter()
    recipe = PatchRecipe(members=options.members, steps=options.steps, initial=not options.random)
    ours, fold = own_margins(chips, recipe)
    print(f"trained {int(fold.max()) + 1} members of {options.steps} steps in {time.perf_counter() - begun:.0f} s")
    there, here = told("published RGB", theirs, chips.mine), told("ours, held out", ours, chips.mine)
    for number in range(int(fold.max()) + 1):
        held = fold == number
        pair = (average_precision(one[held], chips.mine[held]) for one in (theirs, ours))
        print(f"fold {number + 1}: {held.sum()} chips, average precision {next(pair):.3f} and {next(pair):.3f}")
    return int(here[0] < there[0] or here[1] < there[1])


if __name__ == "__main__":
    sys.exit(main())
