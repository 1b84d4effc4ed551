"""Boundaries: how much of two outlines lies within a few metres of each other."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

TOLERANCE_METRES = 10.0
"""How far apart two outlines may lie to agree: two pixels of 5 m."""

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Boundary:
    """Pixels of the mapped and of the true boundary, and how many of each lie near the other one."""

    mapped: int = 0
    mapped_near: int = 0
    true: int = 0
    true_near: int = 0

    def __add__(self, other: "Boundary") -> "Boundary":
        return Boundary(
            self.mapped + other.mapped,
            self.mapped_near + other.mapped_near,
            self.true + other.true,
            self.true_near + other.true_near,
        )

    @property
    def f1(self) -> float:
        """Harmonic mean of the shares that lie near the other one; 0 where one has no boundary, NaN where neither."""
        if self.mapped + self.true == 0:
            return math.nan
        if self.mapped_near == 0 or self.true_near == 0:
            return 0.0
        precision, recall = self.mapped_near / self.mapped, self.true_near / self.true
        return 2.0 * precision * recall / (precision + recall)


def edge(mask: Mask, known: Mask) -> Mask:
    """Known pixels of a mask (row, column) beside a known one, to the left, right, above or below, that is outside.

    Neither the end of the picture nor ground that was not seen makes an edge.
    """
    outside = np.pad(known & ~mask, 1)
    beside = outside[:-2, 1:-1] | outside[2:, 1:-1] | outside[1:-1, :-2] | outside[1:-1, 2:]
    found: Mask = mask & known & beside
    return found


def compare(mapped: Mask, true: Mask, known: Mask, counted: Mask, pixels: int) -> Boundary:
    """The boundaries of two masks (row, column), at most `pixels` pixels apart where they agree.

    Boundary pixels count where `counted` is true; what they agree with may lie anywhere that is `known`.
    """
    ours, theirs = edge(mapped, known), edge(true, known)
    return Boundary(
        int((ours & counted).sum()),
        int((ours & counted & _widened(theirs, pixels)).sum()),
        int((theirs & counted).sum()),
        int((theirs & counted & _widened(ours, pixels)).sum()),
    )


def _widened(mask: Mask, pixels: int) -> Mask:
    """All pixels whose centre lies within so many pixels of one of the mask."""
    from scipy.ndimage import binary_dilation

    row, column = np.mgrid[-pixels : pixels + 1, -pixels : pixels + 1]
    disc = row**2 + column**2 <= pixels**2
    return np.asarray(binary_dilation(mask, disc), dtype=bool)
