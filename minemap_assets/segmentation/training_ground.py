"""Training ground: the labelled chips of every region and product, and which side of the split each is on.

What belongs here: putting chip sets together so that no ground is on two sides. What does not: cutting crops
(`dataset`) and learning (`learning`).
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from minemap_assets.chips.reader import ChipSet
from minemap_assets.chips.split import SPLITS, Split
from minemap_assets.errors import BadInputError

_HELD_OUT_FIRST: tuple[Split, ...] = ("test", "validation", "train")


@dataclass(frozen=True)
class ChipRef:
    """One labelled chip: number `chip` of chip set number `chip_set`."""

    chip_set: int
    chip: int
    product: str
    site_id: str
    group: str
    split: Split
    mine_fraction: float


@dataclass(frozen=True, eq=False)
class LabelledChip:
    """Pixels uint16 (band, row, column) and labels uint8 (row, column): 0, 1, 255 = ignore."""

    pixels: npt.NDArray[np.uint16]
    labels: npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Ground:
    """All labelled chips, the bands and products they have, and what had to be done for want of better."""

    refs: tuple[ChipRef, ...]
    bands: tuple[str, ...]
    products: tuple[str, ...]
    notes: tuple[str, ...]

    def of(self, split: Split, product: str | None = None) -> tuple[ChipRef, ...]:
        """Chips of one side, of one product or of all."""
        return tuple(r for r in self.refs if r.split == split and product in (None, r.product))

    def held_out(self, product: str) -> tuple[ChipRef, ...]:
        """Chips that choose and calibrate the model: validation, or all training chips where validation has no mine."""
        validation = self.of("validation", product)
        return validation if any(r.mine_fraction > 0 for r in validation) else self.of("train", product)


class ChipLibrary:
    """Reads labelled chips and keeps the last used ones, up to a size."""

    def __init__(self, chips: Sequence[ChipSet], cache_megabytes: int) -> None:
        self._chips = chips
        self._room = cache_megabytes * 1_000_000
        self._held: OrderedDict[tuple[int, int], LabelledChip] = OrderedDict()

    def read(self, ref: ChipRef) -> LabelledChip:
        """Pixels and labels of a chip."""
        key = (ref.chip_set, ref.chip)
        known = self._held.get(key)
        if known is not None:
            self._held.move_to_end(key)
            return known
        source = self._chips[ref.chip_set]
        chip = LabelledChip(source.pixels(ref.chip), source.labels(ref.chip))
        size = chip.pixels.nbytes + chip.labels.nbytes
        while self._held and (len(self._held) + 1) * size > self._room:
            self._held.popitem(last=False)
        if size <= self._room:
            self._held[key] = chip
        return chip


def assemble(chips: Sequence[ChipSet]) -> Ground:
    """Put chip sets together. Raises `BadInputError` where they cannot teach a model.

    Ground that is known under several group names (regions that overlap) goes to one side as a whole, the most held
    out one that any part of it has.
    """
    sets = [chip_set for chip_set in chips if len(chip_set) > 0]
    bands = _common_bands(sets)
    sides = one_side_each(sets)
    refs = tuple(
        ChipRef(
            place,
            int(row.chip),
            chip_set.product,
            str(row.site_id),
            str(row.split_group),
            sides[str(row.split_group)],
            float(row.mine_fraction),
        )
        for place, chip_set in enumerate(chips)
        for row in chip_set.index.itertuples()
    )
    refs, notes = _ensure_training(refs)
    products = tuple(sorted({r.product for r in refs}))
    return Ground(refs, bands, products, (*notes, *_held_out_notes(refs, products)))


def one_side_each(sets: Sequence[ChipSet]) -> dict[str, Split]:
    """The side of every split group, groups that share a site being one."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while parent.setdefault(name, name) != name:
            name = parent[name]
        return name

    rows = [
        (f"site {site}", f"group {group}", str(group), split)
        for chip_set in sets
        for site, group, split in zip(
            chip_set.index["site_id"], chip_set.index["split_group"], chip_set.index["split"], strict=True
        )
    ]
    for site, group, _, _ in rows:
        low, high = sorted((root(site), root(group)))
        parent[high] = low
    found: dict[str, set[str]] = {}
    for _, group, _, split in rows:
        found.setdefault(root(group), set()).add(split)
    chosen = {key: next(s for s in _HELD_OUT_FIRST if s in splits) for key, splits in found.items()}
    return {name: chosen[root(group)] for _, group, name, _ in rows}


def _common_bands(sets: Sequence[ChipSet]) -> tuple[str, ...]:
    if not sets:
        raise BadInputError("there are no training chips; fetch reference imagery and make training_chips first")
    for chip_set in sets:
        if not chip_set.labelled:
            raise BadInputError(f"{chip_set.name} holds no labels; train on training_chips")
        if chip_set.bands != sets[0].bands:
            raise BadInputError(
                f"{chip_set.name} has the bands {', '.join(chip_set.bands)} and {sets[0].name} has "
                f"{', '.join(sets[0].bands)}; make both with the same [chips] bands"
            )
    return sets[0].bands


def _ensure_training(refs: tuple[ChipRef, ...]) -> tuple[tuple[ChipRef, ...], list[str]]:
    """The chips, with all of them on the training side where that side has no mine of its own."""
    if not any(r.mine_fraction > 0 for r in refs):
        raise BadInputError(
            "no training chip holds a labelled mine pixel; register a reference set with role 'labels' that covers "
            "the sites, then make ground_truth and training_chips again"
        )
    if any(r.split == "train" and r.mine_fraction > 0 for r in refs):
        return refs, []
    moved: Mapping[str, Split] = {"test": "train", "validation": "train", "train": "train"}
    together = tuple(
        ChipRef(r.chip_set, r.chip, r.product, r.site_id, r.group, moved[r.split], r.mine_fraction) for r in refs
    )
    return together, ["the train split held no mine: every chip was trained on, and no score is independent"]


def _held_out_notes(refs: Sequence[ChipRef], products: Sequence[str]) -> list[str]:
    notes = []
    for product in products:
        mines = {s: any(r.split == s and r.product == product and r.mine_fraction > 0 for r in refs) for s in SPLITS}
        if not mines["validation"]:
            notes.append(
                f"{product}: no validation chip holds a mine, so calibration and operating points come from training "
                "chips and are optimistic"
            )
        if not mines["test"]:
            notes.append(f"{product}: no test chip holds a mine, so there is no independent score")
    return notes
