"""From stored chips to stored masks, against a plain loop over the same network.

Both read the same Zarr chips and write the same GeoTIFF masks, with as many threads of torch. The plain loop is what
one writes first: transformers' network as it is (or the same U-Net), fp32, eager, so many chips read, normalised in
NumPy, predicted, enlarged and written, then the next ones; it has the batch size that is best for it. The other side is
`build_masks` in the same precision, and for SegFormers in bfloat16 where the processor has it. Weights are random: they
do not change how long it takes. On both sides the clock starts when the first chip or batch is written, so that loading
the model and what torch does once do not count.

Repeats of both alternate, and the best of each counts. Prints the ratios of wall clock, those of processor time (which
other work on the machine changes less), and how far the decisions that bfloat16 changes lie from a threshold; exits
with 1 where a ratio of wall clock or that distance misses its limit.

    python benchmarks/prediction.py [default b0 b5] [--repeats 3]
"""

import argparse
import os
import platform
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import numpy as np
import numpy.typing as npt
import torch
import transformers
from odc.geo.geobox import GeoBox
from support.partitions import BANDS, PRODUCT, chips_of, make, model_of, sites_of
from torch.nn.functional import interpolate

from minemap_assets.chips.reader import ChipSet, open_chips
from minemap_assets.geo.raster import write_cog
from minemap_assets.lake.lake import Lake
from minemap_assets.lake.manifests import PartitionRef
from minemap_assets.lake.partitions import Partition
from minemap_assets.segmentation.artefact import Model, load_model
from minemap_assets.segmentation.config import Precision, SegmentationConfig
from minemap_assets.segmentation.devices import choose_device, choose_precision
from minemap_assets.segmentation.masks import BAND, build_masks
from minemap_assets.segmentation.networks.files import load_networks
from minemap_assets.segmentation.networks.segformer import Segformer
from minemap_assets.segmentation.networks.shapes import SEGFORMERS, NetworkShape
from minemap_assets.segmentation.prediction import Predictor
from minemap_assets.segmentation.recipes import SMALL
from minemap_assets.segmentation.scale import NOT_OBSERVED, to_stored
from minemap_assets.sites.windows import iter_sites

SIDE = 512
FARTHEST = 0.01
THRESHOLDS = np.arange(0.1, 0.95, 0.1)


@dataclass(frozen=True)
class Case:
    """A network, how many chips a repeat predicts, the batch sizes a plain loop may have, and the least ratios."""

    shape: NetworkShape
    reduction: int
    chips: int
    batches: tuple[int, ...]
    least: dict[Precision, float]


CASES = {
    "default": Case(SMALL.network, SMALL.reduction, 40, (1, 2, 4, 8), {"float32": 1.0}),
    "b0": Case(SEGFORMERS["b0"], 1, 12, (1, 2, 4), {"float32": 1.7, "bfloat16": 1.7}),
    "b5": Case(SEGFORMERS["b5"], 1, 4, (1, 2), {"float32": 1.7, "bfloat16": 2.2}),
}


@dataclass(frozen=True)
class Taken:
    """Seconds a chip of wall clock, and of all cores together."""

    wall: float
    cores: float

    def best(self, other: "Taken") -> "Taken":
        """The lower of each."""
        return Taken(min(self.wall, other.wall), min(self.cores, other.cores))


class Clock:
    """Is told how many masks are written, and knows what each took from the `first` ones on."""

    def __init__(self, first: int) -> None:
        self._first = first
        self._begun = self._now = (0, 0.0, 0.0)

    def __call__(self, done: int, total: int = 0, stage: str = "", detail: str = "") -> None:  # noqa: ARG002
        """So many chips are done with."""
        self._now = (done, time.perf_counter(), time.process_time())
        if done <= self._first:
            self._begun = self._now

    @property
    def taken(self) -> Taken:
        """For one chip."""
        chips, wall, cores = (now - begun for now, begun in zip(self._now, self._begun, strict=True))
        return Taken(wall / chips, cores / chips)


def plain(model: Model, chips: ChipSet, grids: list[GeoBox], batch: int, folder: Path) -> Taken:
    """The plain loop."""
    clock = Clock(batch)
    about = model.product(PRODUCT)
    network = load_networks(model.folder)[0]
    for start in range(0, len(chips), batch):
        numbers = range(start, min(start + batch, len(chips)))
        pixels = np.stack([chips.pixels(number) for number in numbers])
        inputs = torch.from_numpy(about.normalisation.apply(block_mean(pixels, model.card.reduction)))
        with torch.inference_mode():
            if isinstance(network, Segformer):
                logits = network.inner(pixel_values=inputs).logits
                found = interpolate(logits, size=(SIDE, SIDE), mode="bilinear").softmax(dim=1)[:, 1].numpy()
            else:
                margin = interpolate(network(inputs)[:, None], size=(SIDE, SIDE), mode="bilinear")
                found = margin[:, 0].sigmoid().numpy()
        for number, image, probability in zip(numbers, pixels, found, strict=True):
            stored = np.where(image[0] > 0, to_stored(probability), np.uint8(NOT_OBSERVED))
            write_cog(folder / f"{number}.tif", stored[None], grids[number], (BAND,), nodata=NOT_OBSERVED)
            clock(number + 1)
    return clock.taken


def block_mean(pixels: npt.NDArray[np.uint16], side: int) -> npt.NDArray[np.generic]:
    """Mean of each square of pixels, all of them observed."""
    if side == 1:
        return pixels
    chips, bands, height, width = pixels.shape
    squares = pixels.reshape(chips, bands, height // side, side, width // side, side)
    mean: npt.NDArray[np.float32] = squares.mean(axis=(3, 5), dtype=np.float32)
    return mean


class Bench:
    """One case in a lake of its own."""

    def __init__(self, name: str, folder: Path) -> None:
        self.case, self.folder = CASES[name], folder
        self.lake = Lake.local(folder / "lake", folder / "state")
        self.sites = sites_of(self.case.chips, SIDE)
        self.chips = open_chips(chips_of(self.lake, self.sites, SIDE))
        self.partition: Partition = model_of(self.lake, name, self.case.shape, self.case.reduction)
        self.model = load_model(self.partition)
        self.grids: list[GeoBox] = [site.grid for site in iter_sites(self.sites)]
        self.runs = 0

    def plain(self, batch: int) -> Taken:
        """The plain loop."""
        return plain(self.model, self.chips, self.grids, batch, self.folder)

    def masks(self, precision: Precision) -> Taken:
        """`build_masks`."""
        self.runs += 1
        config = SegmentationConfig(precision=precision, device="cpu")
        ref = PartitionRef("segmentation", "raw_masks", ("bench", str(2000 + self.runs)))
        clock = Clock(1)
        make(
            self.lake,
            ref,
            lambda w: build_masks(self.sites, self.chips, self.partition, config, w, progress=clock),
        )
        return clock.taken

    def farthest(self) -> float:
        """How far from a threshold lies the farthest pixel that bfloat16 decides otherwise."""
        both = []
        for precision in ("float32", "bfloat16"):
            predictor = Predictor(self.model, SegmentationConfig(precision=precision, device="cpu"))
            images = (self.chips.pixels(chip) for chip in range(len(self.chips)))
            both.append(np.stack(list(predictor.probabilities(PRODUCT, BANDS, images))))
        exact, rough = both
        far = [np.abs(exact - at)[(exact >= at) != (rough >= at)] for at in THRESHOLDS]
        return max((float(one.max()) for one in far if one.size), default=0.0)


def judge(name: str, repeats: int, precisions: tuple[Precision, ...]) -> bool:
    """Measure and print one case; False where it misses a limit."""
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(name, Path(folder))
        precisions = tuple(precision for precision in precisions if precision in bench.case.least)
        tried = {batch: bench.plain(batch) for batch in bench.case.batches}
        batch = min(tried, key=lambda size: tried[size].wall)
        slow, best = tried[batch], {precision: bench.masks(precision) for precision in precisions}
        for _ in range(repeats):
            slow = slow.best(bench.plain(batch))
            best = {precision: taken.best(bench.masks(precision)) for precision, taken in best.items()}
        print(f"{name}: plain loop, batch {batch}: {slow.wall:.3f} s a chip", flush=True)
        good = True
        for precision, taken in best.items():
            ratio, least = slow.wall / taken.wall, bench.case.least[precision]
            good &= ratio >= least
            print(
                f"  {precision}: {taken.wall:.3f} s a chip, ratio {ratio:.2f}, at least {least}; "
                f"{slow.cores / taken.cores:.2f} of processor time",
                flush=True,
            )
        if "bfloat16" in precisions:
            far = bench.farthest()
            good &= far <= FARTHEST
            print(f"  farthest changed decision: {far:.4f} from a threshold, at most {FARTHEST}", flush=True)
    return good


def main() -> int:
    """Run the benchmark; the exit status says whether all limits hold."""
    parser = argparse.ArgumentParser(description="From stored chips to stored masks, against a plain loop.")
    parser.add_argument("names", nargs="*", default=list(CASES), choices=list(CASES))
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    fast = choose_precision("auto", choose_device("cpu")) == torch.bfloat16
    precisions: tuple[Precision, ...] = ("float32", "bfloat16") if fast else ("float32",)
    where = f"{platform.machine()}, {os.cpu_count()} cores, torch with 1 thread"
    print(f"{SIDE} x {SIDE} pixels, {len(BANDS)} bands, {where}, torch {torch.__version__}, ", end="")
    print(f"transformers {transformers.__version__}, load {os.getloadavg()[0]:.1f}", flush=True)
    good = [judge(name, asked.repeats, precisions) for name in asked.names]
    return 0 if all(good) else 1


if __name__ == "__main__":
    raise SystemExit(main())
