"""Tiles cover a grid exactly, and never stick out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minemap_assets.chips.tiling import tile_offsets, tiles
from minemap_assets.errors import BadInputError
from minemap_assets.geo.grid import square_grid


def test_a_grid_of_one_chip_is_one_tile() -> None:
    assert tile_offsets(512, 512, 64) == (0,)


def test_the_last_tile_ends_with_the_grid() -> None:
    assert tile_offsets(1000, 512, 64) == (0, 448, 488)


@given(extra=st.integers(0, 4000), half_overlap=st.integers(0, 128), size=st.sampled_from([64, 256, 512]))
def test_every_pixel_is_covered_and_neighbours_overlap(extra: int, half_overlap: int, size: int) -> None:
    overlap = min(2 * half_overlap, size // 2)
    length = size + extra
    offsets = tile_offsets(length, size, overlap)
    assert offsets[0] == 0
    assert offsets[-1] + size == length
    steps = np.diff(offsets)
    assert (steps > 0).all()
    assert (steps <= size - overlap).all()


def test_a_grid_smaller_than_a_chip_is_refused() -> None:
    with pytest.raises(BadInputError, match="smaller than a chip"):
        tile_offsets(500, 512, 64)


def test_a_tile_lies_on_the_site_grid() -> None:
    site = square_grid(500_000.0, 9_300_000.0, 1000, 32721)
    last = tiles(site, 512, 64)[-1]
    grid = last.grid(site)
    assert (last.row, last.column) == (488, 488)
    assert grid.shape == (512, 512)
    assert grid.boundingbox.right == site.boundingbox.right
    assert grid.boundingbox.bottom == site.boundingbox.bottom
