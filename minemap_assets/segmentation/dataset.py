"""Crops: what the network sees during training, batch by batch, the same for the same seed and step."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from minemap_assets.chips.labels import IGNORE
from minemap_assets.imagery.products import SCALE
from minemap_assets.segmentation.config import SegmentationConfig
from minemap_assets.segmentation.normalisation import Normalisation
from minemap_assets.segmentation.training_set import ChipLibrary, ChipRef, LabelledChip

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Batch:
    """Normalised inputs float32 (crop, band, row, column) and labels int64 (crop, row, column), 255 = ignore."""

    inputs: Floats
    labels: npt.NDArray[np.int64]


class CropSampler:
    """Draws batches; products take turns, so that each is seen equally often however many chips it has."""

    def __init__(
        self,
        library: ChipLibrary,
        refs: Sequence[ChipRef],
        normalisation: Mapping[str, Normalisation],
        config: SegmentationConfig,
    ) -> None:
        self._library = library
        self._normalisation = normalisation
        self._config = config
        self._products = sorted({r.product for r in refs})
        self._all = {p: [r for r in refs if r.product == p] for p in self._products}
        self._mines = {p: [r for r in self._all[p] if r.mine_fraction > 0] or self._all[p] for p in self._products}

    def batch(self, step: int) -> Batch:
        """The batch of one step; it depends on nothing but the seed and the step."""
        rng = np.random.default_rng([self._config.seed, step])
        size = self._config.batch_size
        inputs: list[Floats] = []
        labels: list[npt.NDArray[np.uint8]] = []
        for place in range(size):
            product = self._products[(step * size + place) % len(self._products)]
            on_mine = rng.random() < self._config.mine_share
            pool = self._mines[product] if on_mine else self._all[product]
            crop = self._cut(self._library.read(pool[int(rng.integers(len(pool)))]), rng, on_mine)
            varied = vary(turn(crop, rng, self._config), rng, self._config)
            inputs.append(self._normalisation[product].apply(varied.values))
            labels.append(varied.labels)
        return Batch(np.stack(inputs), np.stack(labels).astype(np.int64))

    def _cut(self, chip: LabelledChip, rng: np.random.Generator, on_mine: bool) -> LabelledChip:
        height, width = chip.labels.shape
        size = min(self._config.crop, height, width)
        row, column = (int(rng.integers(n - size + 1)) for n in (height, width))
        mine = np.flatnonzero(chip.labels == 1) if on_mine else np.zeros(0, dtype=np.int64)
        if mine.size:
            y, x = divmod(int(mine[rng.integers(mine.size)]), width)
            row = int(np.clip(y - rng.integers(size), 0, height - size))
            column = int(np.clip(x - rng.integers(size), 0, width - size))
        here = np.s_[row : row + size, column : column + size]
        return LabelledChip(chip.pixels[(slice(None), *here)], chip.labels[here])


@dataclass(frozen=True, eq=False)
class Varied:
    """A crop with varied reflectance: values float32 (band, row, column), 0 = not observed, and labels."""

    values: Floats
    labels: npt.NDArray[np.uint8]


def turn(crop: LabelledChip, rng: np.random.Generator, config: SegmentationConfig) -> LabelledChip:
    """One of the eight ways to lay a square down (of those the settings allow)."""
    pixels, labels = crop.pixels, crop.labels
    quarter = int(rng.integers(4))
    mirrored = bool(rng.random() < 0.5)
    if config.rotations:
        pixels, labels = np.rot90(pixels, quarter, axes=(1, 2)), np.rot90(labels, quarter)
    if config.flips and mirrored:
        pixels, labels = pixels[:, :, ::-1], labels[:, ::-1]
    return LabelledChip(pixels, labels)


def vary(crop: LabelledChip, rng: np.random.Generator, config: SegmentationConfig) -> Varied:
    """Brightness, gain and shift a band, and noise a pixel: seasons, hazes and sensors that were not trained on.

    Pixels that were not observed stay 0 and their label is ignored.
    """
    bands = crop.pixels.shape[0]
    shape = (bands, 1, 1)
    factor = np.exp(rng.normal(0.0, config.brightness) + rng.normal(0.0, config.gain, shape)).astype(np.float32)
    shift = (rng.normal(0.0, config.offset, shape) * SCALE).astype(np.float32)
    noise = rng.standard_normal(crop.pixels.shape, dtype=np.float32)
    amount = np.float32(abs(rng.normal(0.0, config.noise)) * SCALE)
    seen = crop.pixels > 0
    values = np.maximum(crop.pixels.astype(np.float32) * factor + shift + noise * amount, 1.0)
    labels = np.where(seen[0], crop.labels, np.uint8(IGNORE))
    return Varied(np.where(seen, values, np.float32(0.0)), labels)
