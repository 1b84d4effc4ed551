"""The training set: the labelled chips of every region and product, put together so that no ground is on two sides of
the split.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from minemap_assets.caching.lru import LruCache
from minemap_assets.chips.reader import ChipSet
from minemap_assets.chips.split import Split
from minemap_assets.errors import BadInputError
from minemap_assets.geo.components import components

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
class TrainingSet:
    """All labelled chips, the bands and products they have, and what had to be done for want of better."""

    refs: tuple[ChipRef, ...]
    bands: tuple[str, ...]
    products: tuple[str, ...]
    notes: tuple[str, ...]

    def of(self, split: Split, product: str | None = None) -> tuple[ChipRef, ...]:
        """Chips of one side, of one product or of all."""
        return tuple(r for r in self.refs if r.split == split and product in (None, r.product))

    @property
    def labelled_sites(self) -> int:
        """Sites that hold a labelled mine, on any side of the split."""
        return len({r.site_id for r in self.refs if r.mine_fraction > 0})


class ChipLibrary:
    """Reads labelled chips and keeps the last used ones, up to a size."""

    def __init__(self, chips: Sequence[ChipSet], cache_megabytes: int) -> None:
        self._chips = chips
        self._held: LruCache[tuple[int, int], LabelledChip] = LruCache(
            cache_megabytes * 1_000_000, lambda chip: chip.pixels.nbytes + chip.labels.nbytes
        )

    def read(self, ref: ChipRef) -> LabelledChip:
        """Pixels and labels of a chip."""
        key = (ref.chip_set, ref.chip)
        known = self._held.get(key)
        if known is not None:
            return known
        source = self._chips[ref.chip_set]
        chip = LabelledChip(source.pixels(ref.chip), source.labels(ref.chip))
        self._held.put(key, chip)
        return chip


def assemble(chips: Sequence[ChipSet]) -> TrainingSet:
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
    return TrainingSet(refs, bands, products, (*notes, *_test_notes(refs, products)))


def one_side_each(sets: Sequence[ChipSet]) -> dict[str, Split]:
    """The side of every split group, groups that share a site being one."""
    sites: dict[str, int] = {}
    groups: dict[str, int] = {}
    pairs: set[tuple[int, int]] = set()
    splits: dict[str, set[str]] = {}
    for chip_set in sets:
        columns = (chip_set.index[name] for name in ("site_id", "split_group", "split"))
        for site, group, split in zip(*columns, strict=True):
            place = groups.setdefault(str(group), len(groups)), sites.setdefault(str(site), len(sites))
            pairs.add(place)
            splits.setdefault(str(group), set()).add(split)
    left, right = np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2).T
    # sites are numbered after the groups
    labels = components(len(groups) + len(sites), left, right + len(groups)).tolist()
    found: dict[int, set[str]] = {}
    for group, number in groups.items():
        found.setdefault(labels[number], set()).update(splits[group])
    chosen = {label: next(s for s in _HELD_OUT_FIRST if s in sides) for label, sides in found.items()}
    return {group: chosen[labels[number]] for group, number in groups.items()}


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


def _test_notes(refs: Sequence[ChipRef], products: Sequence[str]) -> list[str]:
    return [
        f"{product}: no test chip holds a mine, so there is no independent score"
        for product in products
        if not any(r.split == "test" and r.product == product and r.mine_fraction > 0 for r in refs)
    ]
