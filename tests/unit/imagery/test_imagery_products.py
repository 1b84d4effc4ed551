"""What stored numbers stand for, in products of reflectance and of vectors."""

import numpy as np
import pytest

from minemap_assets.imagery.products import HIGHEST, LOWEST, PRODUCTS, SCALE

VECTORS = PRODUCTS["satellite-embedding"].encoding
LIGHT = PRODUCTS["sentinel-2-l2a"].encoding


def test_reflectance_is_stored_times_ten_thousand() -> None:
    physical = np.array([0.0, 0.00004, 0.1234, LOWEST, HIGHEST, HIGHEST + 0.01, LOWEST - 0.01, np.nan])
    assert LIGHT.stored(physical).tolist() == [1, 1, 1234, 1, 30_000, 0, 0, 0]
    assert LIGHT.physical(np.array([0, 1234], dtype=np.uint16))[1] == pytest.approx(0.1234)
    assert np.isnan(LIGHT.physical(np.zeros(1, dtype=np.uint16))).all()


def test_every_published_number_of_a_vector_is_told_apart() -> None:
    whole = np.arange(-127, 128)
    published = (whole / 127.5) ** 2 * np.sign(whole)
    stored = VECTORS.stored(published)
    assert len(np.unique(stored)) == 255
    assert stored.min() >= 1
    assert stored[127] == 32_768
    back = VECTORS.physical(stored)
    assert np.abs(back - published).max() <= 0.5 / 30_000 + 1e-7
    np.testing.assert_array_equal(np.rint(np.sqrt(np.abs(back)) * np.sign(back) * 127.5), whole)
    assert VECTORS.stored(np.array([1.001, -1.001, np.nan])).tolist() == [0, 0, 0]


@pytest.mark.parametrize("name", PRODUCTS)
def test_limits_are_those_of_the_physical_number(name: str) -> None:
    kind = PRODUCTS[name]
    lowest, highest = kind.limits(1.0, 0.0)
    assert lowest == pytest.approx(kind.encoding.lowest, abs=1e-4)
    assert highest == pytest.approx(kind.encoding.highest, abs=1e-4)


def test_limits_in_a_files_own_numbers() -> None:
    """Level-2A with the offset of baseline 04.00; lowest comes first where numbers run backwards."""
    lowest, highest = PRODUCTS["sentinel-2-l2a"].limits(1.0 / SCALE, -0.1)
    assert (round(lowest, 6), round(highest, 6)) == (-0.5, 31_000.5)
    assert PRODUCTS["sentinel-2-l2a"].limits(-1.0, 0.0)[0] < 0
