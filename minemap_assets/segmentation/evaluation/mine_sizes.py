"""Mines by size: each connected piece of labelled ground is a mine, and the ground around it belongs to it."""

from dataclasses import dataclass, field
from itertools import product

import numpy as np
import numpy.typing as npt

from minemap_assets.segmentation.metrics import Confusion

NEAR_METRES = 100.0
"""How far a mine's surroundings reach: what is mapped by mistake farther away is no mine's."""

FOUND_SHARE = 0.5
"""A mine is found where at least so much of it is mapped."""

SIZES = ("< 2 ha", "2-5 ha", "5-20 ha", "20-100 ha", "> 100 ha")
LIMITS = (2.0, 5.0, 20.0, 100.0)
"""Hectares at which the next size begins."""

_TILE = 1024
_NONE = 255

Integers = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class SizeCounts:
    """Mines of one size: how many there are and are found, and the pixels of them and their surroundings."""

    mines: int = 0
    found: int = 0
    confusion: Confusion = field(default_factory=Confusion)

    def __add__(self, other: "SizeCounts") -> "SizeCounts":
        return SizeCounts(self.mines + other.mines, self.found + other.found, self.confusion + other.confusion)


@dataclass(frozen=True, eq=False)
class Mines:
    """The mines of a site: `numbers` int32 (row, column) is the mine of each of its pixels, `nearest` also that of the
    pixels within `NEAR_METRES`; 0 = none. `sizes` is the place in `SIZES` of mine number n + 1.
    """

    numbers: Integers
    nearest: Integers
    sizes: npt.NDArray[np.int64]

    @property
    def around(self) -> Mask:
        """True for the surroundings, without the mines."""
        found: Mask = (self.nearest > 0) & (self.numbers == 0)
        return found


def mines_of(labels: npt.NDArray[np.uint8], metres: float) -> Mines:
    """Pixels labelled 1 that touch, also at corners, are one mine; a pixel is `metres` a side."""
    from scipy.ndimage import label

    numbers, count = label(labels == 1, structure=np.ones((3, 3), dtype=bool), output=np.int32)
    pixels = np.bincount(numbers.reshape(-1), minlength=count + 1)[1:]
    sizes = np.digitize(pixels * metres**2 / 1e4, LIMITS)
    return Mines(numbers, nearest_within(numbers, NEAR_METRES / metres), sizes.astype(np.int64))


def nearest_within(numbers: Integers, reach: float) -> Integers:
    """The number of the nearest pixel that has one, as far as `reach` pixels; 0 where there is none."""
    from scipy.ndimage import distance_transform_edt

    found = np.zeros_like(numbers)
    for row, column in product(*(range(0, side, _TILE) for side in numbers.shape)):
        inner = np.s_[row : row + _TILE, column : column + _TILE]
        # a whole large site at once would take eight times its memory
        margin = int(np.ceil(reach)) + 1
        top, left = max(0, row - margin), max(0, column - margin)
        part = numbers[top : row + _TILE + margin, left : column + _TILE + margin]
        if part.any():
            distance, (rows, columns) = distance_transform_edt(part == 0, return_indices=True)
            near = np.where(distance <= reach, part[rows, columns], 0)
            height, width = found[inner].shape
            found[inner] = near[row - top : row - top + height, column - left : column - left + width]
    return found


def size_counts(mines: Mines, mapped: Mask, true: Mask, counted: Mask) -> tuple[SizeCounts, ...]:
    """Counts for each of `SIZES`.

    Of mine and surroundings the `counted` pixels count. A mine that lies half or more on ground that is not counted
    is counted by whoever owns that ground.
    """
    of_size = np.concatenate([[_NONE], mines.sizes]).astype(np.uint8)
    whole = _pixels(mines, np.ones_like(counted))
    seen, hit = _pixels(mines, counted), _pixels(mines, counted & mapped)
    here = seen > 0.5 * whole
    found = here & (hit >= FOUND_SHARE * seen)
    places = of_size[mines.nearest[counted]]
    agreed = Confusion.by_class(mapped[counted], true[counted], places, len(SIZES))
    return tuple(
        SizeCounts(int((here & (mines.sizes == n)).sum()), int((found & (mines.sizes == n)).sum()), confusion)
        for n, confusion in enumerate(agreed)
    )


def _pixels(mines: Mines, where: Mask) -> npt.NDArray[np.int64]:
    """Pixels of each mine for which `where` is true."""
    return np.bincount(mines.numbers[where], minlength=len(mines.sizes) + 1)[1:].astype(np.int64)


def largest(mines: Mines) -> str:
    """The size of a site's largest mine; empty where it has none."""
    return SIZES[int(mines.sizes.max())] if len(mines.sizes) else ""
