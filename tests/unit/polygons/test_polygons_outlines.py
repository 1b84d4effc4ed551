"""Outlines follow pixel sides: areas are exact, whatever the shape."""

import time
from collections.abc import Callable

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import label

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


def polygonised(mask: np.ndarray) -> list[shapely.Polygon]:
    """The outlines that GDAL follows, pixel by pixel."""
    from rasterio.features import shapes

    found = shapes(mask.astype(np.uint8), mask=mask, connectivity=4, transform=GRID.affine)
    return [shapely.Polygon(shape["coordinates"][0], shape["coordinates"][1:]) for shape, _ in found]


@settings(max_examples=80)
@given(arrays(bool, st.tuples(st.integers(1, 11), st.integers(1, 11))))
def test_any_mask(mask: np.ndarray) -> None:
    """The very polygons of GDAL, part by part, with the pixels and the mean of each."""
    values = np.arange(mask.size, dtype=np.float32).reshape(mask.shape)
    found = outline(mask, GRID, values)
    areas = shapely.area(found.polygons)
    assert shapely.is_valid(found.polygons).all()
    assert np.array_equal(areas, found.pixels * PIXEL_M2)
    assert areas.sum() == np.count_nonzero(mask) * PIXEL_M2
    theirs = {polygon.normalize().wkb for polygon in polygonised(mask)}
    assert {polygon.normalize().wkb for polygon in found.polygons} == theirs
    assert shapely.orient_polygons(found.polygons).tolist() == found.polygons.tolist()
    labels, count = label(mask)
    assert count == len(found.polygons)
    assert found.means.tolist() == [values[labels == part].mean() for part in range(1, count + 1)]


def test_pixels_of_one_part_that_meet_at_a_corner_enclose_a_hole() -> None:
    """The rings touch at one point there, as valid polygons may; a ring may not touch itself."""
    found = outline(drawn("###", "#.#", "##."), GRID)
    assert [len(p.interiors) for p in found.polygons] == [1]
    two = outline(drawn("####", "#.##", "##.#", "####"), GRID)
    assert [len(p.interiors) for p in two.polygons] == [2]
    apart = outline(drawn(".##", "..#", "#..", "##."), GRID)
    assert apart.pixels.tolist() == [3, 3]


def test_faster_than_following_pixel_by_pixel() -> None:
    from scipy.ndimage import gaussian_filter

    noise = gaussian_filter(np.random.default_rng(4).standard_normal((512, 512)), 3)
    mask = noise > noise.std()

    def seconds(work: Callable[[], object]) -> float:
        times = []
        for _ in range(5):
            start = time.process_time()
            work()
            times.append(time.process_time() - start)
        return min(times)

    assert len(outline(mask, GRID).polygons) > 300
    assert seconds(lambda: outline(mask, GRID)) * 1.5 < seconds(lambda: polygonised(mask))
    assert seconds(lambda: outline(np.zeros_like(mask), GRID)) < 1e-3
