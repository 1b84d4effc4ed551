"""Identity: which ground of one year is the same mine as some ground of another.

Ground that was ever mined is looked at as it was known at the end of each year, one year after the other, as if the
history had been written every year. So a later year only adds a step: what was named before keeps its name, but where
two named grounds grow together the elder's name stays.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.int64]


@dataclass(eq=False)
class Part:
    """Connected ground of one site that was mined in some year.

    `seed` is the flat number of the pixel in its middle when it was first large enough, in the step `born` (the number
    of all steps where it never was); `ordinal` is above 1 where an earlier part had the same seed. `taken` are parts
    that have grown into it, and `pixels` the positions of its pixels in the end.
    """

    seed: int
    ordinal: int
    born: int
    size: int
    taken: list["Part"] = field(default_factory=list)
    pixels: Numbers = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    @property
    def rank(self) -> tuple[int, int, int, int]:
        """Elder parts come first, of those born in one step the larger."""
        return (self.born, -self.size, self.seed, self.ordinal)


def follow_parts(ever: Sequence[Mask], index: Numbers, width: int, least: int, edge: Mask) -> list[Part]:
    """The parts of a site after the last step, elder ones first.

    `ever` says for each step which pixels were known to have been mined in some year, `index` where these lie (flat
    numbers, ascending, in a grid `width` pixels wide). A part is one from the step on in which it has `least` pixels;
    smaller ground is left out, but for what has a pixel at the `edge` of the site's ground, where it may go on. Pixels
    that only meet at a corner are not connected.
    """
    parts: list[Part] = []
    seeds: dict[int, int] = {}
    owner = np.full(len(index), -1, dtype=np.int64)
    for step, now in enumerate(ever):
        last = step == len(ever) - 1
        if step and not last and np.array_equal(now, ever[step - 1]):
            continue
        labels, count = _components(now, index, width)
        heirs = _heirs(labels, owner, parts, count)
        sizes = np.bincount(labels, minlength=count + 1)
        large = sizes >= least
        beyond = np.zeros(count + 1, dtype=bool)
        if last:
            beyond[labels[edge]] = True
        owner = np.full(len(index), -1, dtype=np.int64)
        order, ends = np.argsort(labels, kind="stable"), np.cumsum(sizes)
        for label in range(1, count + 1):
            number = heirs.get(label)
            if number is None and not (large[label] or beyond[label]):
                continue
            pixels = order[ends[label - 1] : ends[label]]
            if number is None:
                number = len(parts)
                parts.append(_born(index[pixels], width, step if large[label] else len(ever), seeds))
            owner[pixels] = number
    alive = [parts[number] for number in np.unique(owner[owner >= 0])]
    for part, number in zip(alive, np.unique(owner[owner >= 0]), strict=True):
        part.pixels = np.flatnonzero(owner == number)
    return sorted(alive, key=lambda part: part.rank)


def _components(now: Mask, index: Numbers, width: int) -> tuple[Numbers, int]:
    """A label from 1 on for each pixel that is True, 0 for the others."""
    from scipy.ndimage import label

    if not now.any():
        return np.zeros(len(index), dtype=np.int64), 0
    rows, columns = np.divmod(index, width)
    rows, columns = rows - rows.min(), columns - columns.min()
    image = np.zeros((rows.max() + 1, columns.max() + 1), dtype=bool)
    image[rows, columns] = now
    labels, count = label(image)
    return np.where(now, labels[rows, columns], 0).astype(np.int64), int(count)


def _heirs(labels: Numbers, owner: Numbers, parts: list[Part], count: int) -> dict[int, int]:
    """Which part each label continues.

    A part goes where most of its ground is; of those that meet in one label the eldest goes on, and takes the others.
    """
    both = (labels > 0) & (owner >= 0)
    pairs, counts = np.unique(owner[both] * (count + 1) + labels[both], return_counts=True)
    best: dict[int, tuple[int, int]] = {}
    for pair, pixels in zip(pairs.tolist(), counts.tolist(), strict=True):
        part, label = divmod(pair, count + 1)
        if part not in best or pixels > best[part][1]:
            best[part] = (label, pixels)
    claims: dict[int, list[int]] = {}
    for part, (label, _) in best.items():
        claims.setdefault(label, []).append(part)
    heirs = {}
    for label, claimants in claims.items():
        eldest, *others = sorted(claimants, key=lambda number: parts[number].rank)
        for other in others:
            parts[eldest].taken += [parts[other], *parts[other].taken]
        heirs[label] = eldest
    return heirs


def _born(pixels: Numbers, width: int, step: int, seeds: dict[int, int]) -> Part:
    rows, columns = np.divmod(pixels, width)
    middle = np.hypot(rows - rows.mean(), columns - columns.mean())
    seed = int(pixels[np.argmin(middle)])
    seeds[seed] = seeds.get(seed, 0) + 1
    return Part(seed, seeds[seed], step, len(pixels))
