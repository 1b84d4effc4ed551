"""Crops: what the network sees during training, batch by batch, the same for the same seed and step."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from minemap_assets.caching.lru import LruCache
from minemap_assets.chips.labels import IGNORE
from minemap_assets.segmentation.recipes import Recipe
from minemap_assets.segmentation.training_set import ChipLibrary, ChipRef, LabelledChip


@dataclass(frozen=True, eq=False)
class Crop:
    """Pixels uint16 (band, row, column), 0 = not observed; the share of each pixel that is mine, float32, and whether
    its label is known (row, column).
    """

    pixels: npt.NDArray[np.uint16]
    mine: npt.NDArray[np.float32]
    known: npt.NDArray[np.bool_]

    @property
    def nbytes(self) -> int:
        """Memory it takes."""
        return self.pixels.nbytes + self.mine.nbytes + self.known.nbytes


@dataclass(frozen=True, eq=False)
class Batch:
    """Crops one above the other, and the product of each."""

    pixels: npt.NDArray[np.uint16]
    mine: npt.NDArray[np.float32]
    known: npt.NDArray[np.bool_]
    products: tuple[str, ...]


def coarser(chip: LabelledChip, reduction: int) -> Crop:
    """A chip at the network's resolution: means of what was observed, and the mine's share of what is labelled.

    A pixel whose labels are unknown for more than half of it is unknown.
    """
    labelled = chip.labels != IGNORE
    if reduction == 1:
        return Crop(chip.pixels, (chip.labels == 1).astype(np.float32), labelled)
    seen = _means((chip.pixels > 0).astype(np.float32), reduction)
    total = _means(chip.pixels.astype(np.float32), reduction)
    pixels = np.divide(total, seen, out=np.zeros_like(total), where=seen > 0)
    known = _means(labelled.astype(np.float32), reduction)
    mine = _means((chip.labels == 1).astype(np.float32), reduction)
    share = np.divide(mine, known, out=np.zeros_like(mine), where=known > 0)
    return Crop(np.rint(pixels).astype(np.uint16), share, known >= 0.5)


def _means(values: npt.NDArray[np.float32], size: int) -> npt.NDArray[np.float32]:
    *first, height, width = values.shape
    rows, columns = height // size, width // size
    cut = values[..., : rows * size, : columns * size]
    means: npt.NDArray[np.float32] = cut.reshape(*first, rows, size, columns, size).mean(axis=(-3, -1))
    return means


class CropSource:
    """Reads chips at the network's resolution and keeps the last used ones, up to a size; any thread may ask."""

    def __init__(self, library: ChipLibrary, reduction: int, megabytes: int) -> None:
        self._library = library
        self._reduction = reduction
        self._held: LruCache[tuple[int, int], Crop] = LruCache(megabytes * 1_000_000, lambda crop: crop.nbytes)

    def read(self, ref: ChipRef) -> Crop:
        """A whole chip."""
        key = (ref.chip_set, ref.chip)
        known = self._held.get(key)
        if known is None:
            known = coarser(self._library.read(ref), self._reduction)
            self._held.put(key, known)
        return known


@dataclass(frozen=True)
class _Sites:
    """Chips by site: all of them, and those that hold a mine."""

    every: tuple[tuple[ChipRef, ...], ...]
    mines: tuple[tuple[ChipRef, ...], ...]


class CropSampler:
    """Draws batches: products take turns, and each of a product's sites is as likely as any other, however many chips
    it has.
    """

    def __init__(self, source: CropSource, refs: Sequence[ChipRef], recipe: Recipe, seed: int) -> None:
        self._source = source
        self._recipe = recipe
        self._seed = seed
        self._sites = {product: _by_site([r for r in refs if r.product == product]) for product in _products(refs)}

    def batch(self, step: int) -> Batch:
        """The batch of one step; it depends on nothing but the seed and the step."""
        rng = np.random.default_rng([self._seed, step])
        products = tuple(self._sites)
        chosen: list[str] = []
        crops: list[Crop] = []
        for place in range(self._recipe.batch_size):
            product = products[(step * self._recipe.batch_size + place) % len(products)]
            on_mine = bool(rng.random() < self._recipe.mine_share)
            sites = self._sites[product].mines if on_mine else self._sites[product].every
            chips = sites[int(rng.integers(len(sites)))]
            crops.append(self._cut(self._source.read(chips[int(rng.integers(len(chips)))]), rng, on_mine))
            chosen.append(product)
        return Batch(
            np.stack([c.pixels for c in crops]),
            np.stack([c.mine for c in crops]),
            np.stack([c.known for c in crops]),
            tuple(chosen),
        )

    def _cut(self, chip: Crop, rng: np.random.Generator, on_mine: bool) -> Crop:
        height, width = chip.mine.shape
        size = min(self._recipe.crop // self._recipe.reduction, height, width)
        row, column = (int(rng.integers(n - size + 1)) for n in (height, width))
        mine = np.flatnonzero(chip.mine >= 0.5) if on_mine and size < max(height, width) else np.zeros(0, np.int64)
        if mine.size:
            y, x = divmod(int(mine[rng.integers(mine.size)]), width)
            row = int(np.clip(y - rng.integers(size), 0, height - size))
            column = int(np.clip(x - rng.integers(size), 0, width - size))
        here = np.s_[row : row + size, column : column + size]
        return Crop(chip.pixels[(slice(None), *here)], chip.mine[here], chip.known[here])


def _products(refs: Sequence[ChipRef]) -> list[str]:
    return sorted({r.product for r in refs})


def _by_site(refs: Sequence[ChipRef]) -> _Sites:
    found: dict[str, list[ChipRef]] = {}
    for ref in refs:
        found.setdefault(ref.site_id, []).append(ref)
    every = tuple(tuple(chips) for _, chips in sorted(found.items()))
    mines = tuple(some for chips in every if (some := tuple(r for r in chips if r.mine_fraction > 0)))
    return _Sites(every, mines or every)


def class_weights(source: CropSource, refs: Sequence[ChipRef], *, balanced: bool) -> Mapping[str, float]:
    """What a pixel of each class counts in cross-entropy, `mine` and `other`, one on average.

    The class-balanced loss (Cui et al. 2019) weighs a class of n pixels by (1 - b) / (1 - b^n). With the usual b of
    0.9999 both classes saturate to equal weights, so b is 1 - 1/N of all N pixels: 1 / (1 - exp(-n/N)).
    """
    if not balanced:
        return {"mine": 1.0, "other": 1.0}
    mine = total = 0.0
    for ref in refs:
        crop = source.read(ref)
        total += float(crop.known.sum())
        mine += float(crop.mine[crop.known].sum())
    share = mine / total
    rarity = {"mine": 1.0 / -np.expm1(-share), "other": 1.0 / -np.expm1(share - 1.0)}
    mean = share * rarity["mine"] + (1.0 - share) * rarity["other"]
    return {name: float(value / mean) for name, value in rarity.items()}
