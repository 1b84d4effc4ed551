"""Mines told apart by size, with the ground around them."""

import numpy as np
import pytest

from minemap_assets.segmentation.evaluation.mine_sizes import SIZES, Mines, mines_of, nearest_within, size_counts
from minemap_assets.segmentation.metrics import Confusion

METRES = 5.0


def ground() -> np.ndarray:
    """A mine of 1 ha (20 x 20 pixels) on the left, and one of 4 ha (40 x 40) on the right, 60 pixels apart."""
    labels = np.zeros((200, 300), dtype=np.uint8)
    labels[50:70, 50:70] = 1
    labels[100:140, 130:170] = 1
    return labels


def test_pixels_that_touch_are_one_mine_of_its_size() -> None:
    mines = mines_of(ground(), METRES)
    assert [SIZES[n] for n in mines.sizes] == ["< 2 ha", "2-5 ha"]
    corner = np.zeros((10, 10), dtype=np.uint8)
    corner[:5, :5] = corner[5:, 5:] = 1
    assert len(mines_of(corner, METRES).sizes) == 1


@pytest.mark.parametrize(
    ("side", "size"), [(28, "< 2 ha"), (29, "2-5 ha"), (45, "5-20 ha"), (90, "20-100 ha"), (200, "> 100 ha")]
)
def test_sizes_in_hectares(side: int, size: str) -> None:
    labels = np.zeros((210, 210), dtype=np.uint8)
    labels[:side, :side] = 1
    (found,) = mines_of(labels, METRES).sizes
    assert SIZES[found] == size


def test_surroundings_reach_a_hundred_metres() -> None:
    mines = mines_of(ground(), METRES)
    assert mines.nearest[60, 30] == 1
    assert mines.nearest[60, 29] == 0
    assert mines.nearest[120, 189] == 2
    assert mines.nearest[120, 190] == 0
    assert not mines.around[60, 60]
    assert mines.around[60, 49]


def test_a_large_site_in_tiles_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = mines_of(ground(), METRES).numbers
    whole = nearest_within(numbers, 20.0)
    monkeypatch.setattr("minemap_assets.segmentation.evaluation.mine_sizes._TILE", 64)
    assert (nearest_within(numbers, 20.0) == whole).all()


def counts(mines: Mines, mapped: np.ndarray, counted: np.ndarray) -> list[tuple[int, int, Confusion]]:
    return [(c.mines, c.found, c.confusion) for c in size_counts(mines, mapped, mines.numbers > 0, counted)]


def test_a_mine_is_found_where_half_of_it_is_mapped() -> None:
    labels = ground()
    mines, everywhere = mines_of(labels, METRES), np.ones(labels.shape, dtype=bool)
    mapped = np.zeros(labels.shape, dtype=bool)
    mapped[50:60, 50:70] = True  # half of the small one
    mapped[100:119, 130:170] = True  # less than half of the other
    mapped[60, 40:50] = True  # beside the small one
    mapped[0, 0] = True  # far from both
    small, middle, *others = counts(mines, mapped, everywhere)
    assert small[:2] == (1, 1)
    assert (small[2].true_positive, small[2].false_positive, small[2].false_negative) == (200, 10, 200)
    assert middle[:2] == (1, 0)
    assert middle[2].recall == pytest.approx(19 / 40)
    assert others == [(0, 0, Confusion())] * 3


def test_a_mine_belongs_to_whoever_owns_most_of_it() -> None:
    labels = ground()
    mines, counted = mines_of(labels, METRES), np.ones(labels.shape, dtype=bool)
    counted[:, 145:] = False  # 25 of the 40 columns of the larger one
    small, middle, *_ = counts(mines, labels == 1, counted)
    assert small[:2] == (1, 1)
    assert middle[:2] == (0, 0)
    assert middle[2].true_positive == 40 * 15
