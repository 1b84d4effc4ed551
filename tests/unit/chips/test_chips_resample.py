"""Ten-metre pixels on a five-metre grid: hand-drawn arrays, and rules that hold for every image."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from minemap_assets.chips.resample import double, resample_tile
from minemap_assets.chips.tiling import tiles
from minemap_assets.errors import BadInputError
from minemap_assets.geo.grid import at_resolution, square_grid

IMAGES = arrays(np.uint16, (1, 5, 6), elements=st.integers(0, 60_000))


def test_values_lie_a_quarter_pixel_from_the_centres() -> None:
    image = np.array([[[100, 200], [100, 200]]], dtype=np.uint16)
    assert double(image)[0].tolist() == [[100, 125, 175, 200]] * 4


def test_not_observed_takes_no_part_and_stays() -> None:
    image = np.array([[[100, 0], [100, 200]]], dtype=np.uint16)
    # Weights 9, 3, 3, 1 of the pixels that are known, such as (9 * 200 + 3 * 100 + 1 * 100) / 13 = 169 beside the gap.
    assert double(image)[0].tolist() == [
        [100, 100, 0, 0],
        [100, 108, 0, 0],
        [100, 120, 169, 200],
        [100, 125, 175, 200],
    ]


@given(IMAGES)
def test_observed_pixels_are_those_under_observed_ones(image: np.ndarray) -> None:
    expected = np.repeat(np.repeat(image > 0, 2, axis=1), 2, axis=2)
    np.testing.assert_array_equal(double(image) > 0, expected)


@given(IMAGES)
def test_values_stay_between_those_around(image: np.ndarray) -> None:
    fine = double(image)
    if (image > 0).any():
        assert fine[fine > 0].min() >= image[image > 0].min()
        assert fine.max() <= image.max()


def test_a_tile_equals_that_part_of_the_whole() -> None:
    site = square_grid(500_000.0, 9_300_000.0, 96, 32721)
    coarse = at_resolution(site, 10.0)
    image = np.random.default_rng(0).integers(0, 3, (2, 48, 48)).astype(np.uint16) * 1000
    whole = double(image)
    for tile in tiles(site, 64, 16):
        part = resample_tile(image, coarse, tile.grid(site))
        here = np.s_[:, tile.row : tile.row + 64, tile.column : tile.column + 64]
        np.testing.assert_array_equal(part, whole[here])


def test_five_metre_pixels_pass_through() -> None:
    site = square_grid(500_000.0, 9_300_000.0, 96, 32721)
    image = np.arange(96 * 96, dtype=np.uint16).reshape(1, 96, 96)
    tile = tiles(site, 64, 16)[-1]
    np.testing.assert_array_equal(resample_tile(image, site, tile.grid(site)), image[:, 32:, 32:])


def test_a_squeezed_site_gets_its_image_at_its_own_pixel_size() -> None:
    site = square_grid(500_000.0, 9_300_000.0, 64, 32721, resolution=7.5)
    coarse = at_resolution(site, 10.0)
    image = np.full((1, 48, 48), 500, dtype=np.uint16)
    image[0, :, 24:] = 0
    fine = resample_tile(image, coarse, site)[0]
    assert fine.shape == (64, 64)
    assert (fine[:, :32] == 500).all()
    assert (fine[:, 32:] == 0).all()


def test_an_image_beside_its_grid_is_refused() -> None:
    site = square_grid(500_000.0, 9_300_000.0, 64, 32721)
    elsewhere = square_grid(500_320.0, 9_300_000.0, 64, 32721)
    with pytest.raises(BadInputError, match="does not lie on its site's grid"):
        resample_tile(np.ones((1, 64, 64), dtype=np.uint16), elsewhere, site)
