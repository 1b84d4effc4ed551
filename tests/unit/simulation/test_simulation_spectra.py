"""Spectra, noise and rivers: the small parts."""

import numpy as np
import pytest

from minemap_assets.imagery.products import PRODUCTS
from minemap_assets.simulation.kind import SIMULATED
from minemap_assets.simulation.noise import cell_value, gaussian_tile, noise_key, stretch, value_noise
from minemap_assets.simulation.rivers import River, centreline, channel, sandbars
from minemap_assets.simulation.spectra import BANDS, Material, product_table, reflectance_table


def test_reflectance_is_physical_and_vegetation_is_green() -> None:
    table = reflectance_table()
    assert table.shape == (len(Material), 13)
    assert table.min() > 0.0
    assert table.max() < 0.5
    red, nir = BANDS.index("red"), BANDS.index("nir")
    index = (table[:, nir] - table[:, red]) / (table[:, nir] + table[:, red])
    assert min(index[m] for m in (Material.FOREST, Material.SCRUB, Material.PASTURE, Material.CROP)) > 0.5
    assert max(index[m] for m in (Material.LATERITE, Material.SAND, Material.TURBID_WATER, Material.ROOF)) < 0.35


@pytest.mark.parametrize("product", sorted(SIMULATED.products))
def test_product_bands_lie_between_the_bands_they_are_made_of(product: str) -> None:
    table = product_table(product, PRODUCTS[product].bands)
    full = reflectance_table()
    assert table.shape == (len(Material), len(PRODUCTS[product].bands))
    assert np.all(table <= full.max(axis=1)[:, None] + 1e-6)
    assert np.all(table >= full.min(axis=1)[:, None] - 1e-6)


def test_noise_is_smooth_bounded_and_depends_on_place_and_key_only() -> None:
    x = np.linspace(-500, 500, 2_001, dtype=np.float32)
    y = np.full_like(x, 37.0)
    field = value_noise(x, y, 50.0, noise_key("a"))
    assert field.min() >= 0.0
    assert field.max() <= 1.0
    assert np.abs(np.diff(field)).max() < 0.05
    assert field.std() > 0.1
    np.testing.assert_array_equal(field[500:900], value_noise(x[500:900], y[500:900], 50.0, noise_key("a")))
    assert np.abs(field - value_noise(x, y, 50.0, noise_key("b"))).max() > 0.2


def test_cells_and_deviates_agree_between_tiles() -> None:
    i, j = np.meshgrid(np.arange(-5, 5), np.arange(-5, 5))
    values = cell_value(i, j, 99)
    assert values[0, 0] == cell_value(np.array([-5]), np.array([-5]), 99)[0]
    assert len(np.unique(values)) == 100
    whole = gaussian_tile(7, 1_000, -20, 60, 40)
    np.testing.assert_array_equal(gaussian_tile(7, 1_030, -10, 10, 10), whole[10:20, 30:40])


def test_stretch_is_linear() -> None:
    knots = np.array([[0.0, 8.0], [80.0, 88.0]])
    fine = stretch(knots, 8, 0.5)
    assert fine.shape == (8, 8)
    assert fine[0, 0] == pytest.approx(0.5 + 5.0)
    assert np.diff(fine, axis=1) == pytest.approx(1.0)
    assert np.diff(fine, axis=0) == pytest.approx(10.0)


def test_rivers_meander_and_sandbars_hug_them() -> None:
    river = River("Test", (0.0, 0.0), (12_000.0, 0.0), 50.0, 400.0)
    points = centreline(river)
    assert np.abs(points[:, 1]).max() > 150.0
    bars = sandbars(river)
    assert len(bars) >= 3
    assert all(min(piece.distance(bar) for piece in channel(river)) == 0.0 for bar in bars)
