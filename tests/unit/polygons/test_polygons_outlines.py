"""Outlines follow pixel sides: areas are exact, whatever the shape."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis.extra.numpy import arrays

from minemap_assets.geo.grid import square_grid
from minemap_assets.polygons.outlines import outline

GRID = square_grid(600_000, 700_000, 10, 32630)
PIXEL_M2 = 25.0


def drawn(*rows: str) -> np.ndarray:
    return np.array([[c == "#" for c in row] for row in rows])


def test_drawn_mask() -> None:
    mask = drawn(
        "..........",
        ".###......",
        ".#.#......",
        ".###......",
        "....#.....",
        "....##....",
        "..........",
        "........##",
        "........##",
        "..........",
    )
    values = np.where(mask, 0.8, 0.1).astype(np.float32)
    values[7, 8] = 0.4
    found = outline(mask, GRID, values)
    assert found.pixels.tolist() == [8, 3, 4]
    assert found.means == pytest.approx([0.8, 0.8, 0.7])
    assert [len(p.interiors) for p in found.polygons] == [1, 0, 0]
    west, north = GRID.affine.c, GRID.affine.f
    assert found.polygons[2].bounds == (west + 40, north - 45, west + 50, north - 35)


def test_empty_mask_has_no_outlines() -> None:
    found = outline(np.zeros((10, 10), dtype=bool), GRID)
    assert (len(found.polygons), len(found.pixels), len(found.means)) == (0, 0, 0)


@pytest.mark.parametrize("radius", [3, 6, 12])
def test_disc_area_has_no_bias(radius: int) -> None:
    size = 2 * radius + 4
    row, column = np.indices((size, size))
    middle = (size - 1) / 2
    mask = (row - middle) ** 2 + (column - middle) ** 2 <= radius**2
    found = outline(mask, square_grid(600_000, 700_000, size, 32630))
    assert len(found.polygons) == 1
    assert found.polygons[0].area == np.count_nonzero(mask) * PIXEL_M2


@settings(max_examples=80)
@given(arrays(bool, (10, 10)))
def test_any_mask(mask: np.ndarray) -> None:
    found = outline(mask, GRID)
    areas = shapely.area(found.polygons)
    assert shapely.is_valid(found.polygons).all()
    assert np.array_equal(areas, found.pixels * PIXEL_M2)
    assert areas.sum() == np.count_nonzero(mask) * PIXEL_M2
    assert shapely.union_all(found.polygons).area == pytest.approx(areas.sum())
