"""Kernels for other bands: by name, the rest by the mean, and a constant gives what it gave."""

import pytest
import torch

from minemap_assets.segmentation.networks.inflation import RGB, inflated

KERNEL = torch.tensor([[3.0, 6.0, 9.0], [1.0, 0.0, -4.0]])[:, :, None, None]
"""Two channels over red, green and blue."""


def test_bands_are_placed_by_name() -> None:
    expected = torch.tensor([[9.0, 6.0, 3.0], [-4.0, 0.0, 1.0]])[:, :, None, None]
    torch.testing.assert_close(inflated(KERNEL, RGB, ("blue", "green", "red")), expected)


def test_a_fourth_band_gets_the_mean_and_all_are_scaled() -> None:
    """Means 6 and -1; three quarters of (9, 6, 3, 6) and of (-4, 0, 1, -1)."""
    expected = torch.tensor([[6.75, 4.5, 2.25, 4.5], [-3.0, 0.0, 0.75, -0.75]])[:, :, None, None]
    torch.testing.assert_close(inflated(KERNEL, RGB, ("blue", "green", "red", "nir")), expected)


def test_what_a_missing_band_leaves_is_spread_evenly() -> None:
    """Without blue: 1.5 times (3, 6) is 13.5 of 18, so 2.25 are added to both; 1.5 times (1, 0) is 1.5 of -3."""
    expected = torch.tensor([[6.75, 11.25], [-0.75, -2.25]])[:, :, None, None]
    torch.testing.assert_close(inflated(KERNEL, RGB, ("red", "green")), expected)


@pytest.mark.parametrize(
    "bands", [("nir",), RGB, ("blue", "green", "red", "nir", "swir16", "swir22"), ("red", "nir", "swir16")]
)
def test_an_input_that_is_the_same_in_all_bands_gives_what_it_gave(bands: tuple[str, ...]) -> None:
    kernel = torch.randn(8, 3, 3, 3)
    found = inflated(kernel, RGB, bands)
    assert found.shape == (8, len(bands), 3, 3)
    torch.testing.assert_close(found.sum(dim=1), kernel.sum(dim=1))


def test_the_same_bands_keep_their_kernels_in_new_memory() -> None:
    found = inflated(KERNEL, RGB, RGB)
    assert torch.equal(found, KERNEL)
    assert found.data_ptr() != KERNEL.data_ptr()
