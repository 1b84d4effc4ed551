"""Boundaries of hand-drawn masks."""

import math

import numpy as np
import pytest

from minemap_assets.segmentation.evaluation.boundary_agreement import Boundary, compare, edge


def drawn(*lines: str) -> np.ndarray:
    return np.array([[c == "#" for c in line] for line in lines])


SQUARE = drawn(
    ".......",
    ".#####.",
    ".#####.",
    ".#####.",
    ".#####.",
    ".#####.",
    ".......",
)
EVERYWHERE = np.ones((7, 7), dtype=bool)


def test_the_edge_is_the_outermost_ring_of_the_mask() -> None:
    ring = drawn(
        ".......",
        ".#####.",
        ".#...#.",
        ".#...#.",
        ".#...#.",
        ".#####.",
        ".......",
    )
    assert (edge(SQUARE, EVERYWHERE) == ring).all()


def test_neither_the_end_of_the_picture_nor_unseen_ground_makes_an_edge() -> None:
    assert not edge(EVERYWHERE, EVERYWHERE).any()
    known = EVERYWHERE.copy()
    known[:, 0] = known[:, 6] = known[0] = known[6] = False
    assert not edge(SQUARE, known).any()


def test_outlines_agree_up_to_the_tolerance_and_no_farther() -> None:
    wide = np.ones((20, 20), dtype=bool)
    row, column = np.mgrid[:20, :20]
    true = (np.abs(row - 9.5) < 4) & (np.abs(column - 9.5) < 4)
    for shift, expected in ((0, 1.0), (2, 1.0)):
        moved = np.roll(true, shift, axis=1)
        assert compare(moved, true, wide, wide, 2).f1 == expected, shift
    moved = np.roll(true, 3, axis=1)
    # Of the 28 edge pixels of each square: 7 of the 8 above and below, and 2 at either end of the side within.
    found = compare(moved, true, wide, wide, 2)
    assert found == Boundary(28, found.mapped_near, 28, found.true_near)
    assert found.mapped_near == found.true_near == 7 + 7 + 4
    assert found.f1 == pytest.approx(18 / 28)


def test_only_counted_ground_counts_but_the_ground_beside_it_is_seen() -> None:
    owned = EVERYWHERE.copy()
    owned[:, 3:] = False
    found = compare(SQUARE, SQUARE, EVERYWHERE, owned, 1)
    assert found == Boundary(7, 7, 7, 7)
    empty = np.zeros_like(SQUARE)
    assert compare(empty, SQUARE, EVERYWHERE, owned, 1).f1 == 0.0
    assert math.isnan(compare(empty, empty, EVERYWHERE, owned, 1).f1)
    assert found + Boundary(1, 0, 1, 1) == Boundary(8, 7, 8, 8)
