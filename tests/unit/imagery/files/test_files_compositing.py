"""The median with gaps against numpy's, and mosaics drawn by hand."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from minemap_assets.imagery.files.compositing import median, mosaic

STACKS = st.tuples(st.integers(1, 7), st.integers(1, 3), st.integers(1, 5), st.integers(1, 4)).flatmap(
    lambda shape: arrays(np.uint16, shape, elements=st.one_of(st.just(0), st.integers(0, 65535)))
)


@settings(max_examples=150)
@given(stack=STACKS, block=st.integers(1, 200))
def test_median_is_numpys_over_whole_observations(stack: np.ndarray, block: int) -> None:
    whole = np.all(stack > 0, axis=1, keepdims=True)
    gaps = np.where(whole, stack, np.nan).astype(np.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        expected = np.floor(np.nanmedian(gaps, axis=0) + 0.5)
    result = median(list(stack), block_bytes=block)
    np.testing.assert_array_equal(result.pixels, np.nan_to_num(expected).astype(np.uint16))
    np.testing.assert_array_equal(result.clear_count, whole[:, 0].sum(axis=0))
    assert result.pixels.dtype == result.clear_count.dtype == np.uint16


def layer(*rows: list[int]) -> np.ndarray:
    return np.array([rows, [[v + 1 if v else 0 for v in row] for row in rows]], dtype=np.uint16)


def test_the_first_tile_lies_on_top_and_gaps_are_filled() -> None:
    merged = mosaic([layer([10, 0, 0]), layer([20, 20, 0]), layer([30, 30, 0])])
    np.testing.assert_array_equal(merged[:, 0], [[10, 20, 0], [11, 21, 0]])


def test_a_pixel_that_lacks_a_band_is_filled_from_the_next_tile() -> None:
    broken = layer([10, 10])
    broken[1, 0, 0] = 0
    np.testing.assert_array_equal(mosaic([broken, layer([20, 0])])[:, 0], [[20, 10], [21, 11]])


def test_the_dates_that_saw_a_pixel_are_counted() -> None:
    result = median([layer([10, 0, 0, 0]), layer([20, 20, 0, 0]), layer([30, 30, 30, 0])])
    np.testing.assert_array_equal(result.pixels[0, 0], [20, 25, 30, 0])
    np.testing.assert_array_equal(result.clear_count[0], [3, 2, 1, 0])


def test_inputs_are_left_as_they_were() -> None:
    dates = [layer([10, 0]), layer([20, 20])]
    before = [d.copy() for d in dates]
    median(dates)
    mosaic(dates)
    for now, then in zip(dates, before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_dates_of_different_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="one shape"):
        median([layer([1]), layer([1, 2])])
