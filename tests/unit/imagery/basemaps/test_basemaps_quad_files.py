"""One quad file: which band is which, what of it counts as clear ground, and what is a mask of it."""

from datetime import date
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from archives import write_tif

from minemap_assets.errors import BadInputError, PermanentError
from minemap_assets.imagery.basemaps.clarity import Clarity
from minemap_assets.imagery.basemaps.mosaics import Mosaic
from minemap_assets.imagery.basemaps.quad_files import NoMaskError, band_order, check_mask, check_quad
from minemap_assets.imagery.basemaps.quads import QuadGrid, QuadId

BANDS = ("blue", "green", "red", "nir")
MOSAIC = Mosaic(date(2020, 9, 1), date(2020, 10, 1), "m", "m", QuadGrid(2048), (-180, -34, 180, 30), True, "r")
QUAD = QuadId(680, 1018)


def test_a_number_that_no_reflectance_has_is_no_clear_ground(tmp_path: Path) -> None:
    pixels = np.full((4, 64, 64), 1200, dtype=np.uint16)
    pixels[0], pixels[:, 0], pixels[3, 1], pixels[:, 2] = 300, 0, 65_535, 65_535
    west, south, east, north = MOSAIC.quads.box(QUAD).bounds
    place = Affine((east - west) / 64, 0, west, 0, (south - north) / 64, north)
    path = write_tif(tmp_path / "q.tif", pixels, place, "EPSG:3857", bands=BANDS)
    assert check_quad(path, MOSAIC, QUAD, None) == Clarity(61 * 64, 64 * 64)


@pytest.mark.parametrize(
    ("count", "names", "stated", "expected"),
    [
        (5, BANDS, None, BANDS),
        (5, ("nir", "red", "green", "blue"), None, ("nir", "red", "green", "blue")),
        (5, (), None, BANDS),
        (4, (), None, BANDS),
        (5, ("nir", None, "green", "blue"), None, ("nir", "red", "green", "blue")),
        (5, (), ("red", "green", "blue", "nir"), ("red", "green", "blue", "nir")),
        (
            9,
            (),
            ("-", "blue", "-", "green", "-", "red", "-", "nir"),
            ("-", "blue", "-", "green", "-", "red", "-", "nir"),
        ),
        (3, (), None, None),
        (9, (), None, None),
        (5, ("nir", None, None, "blue"), None, None),
        (5, ("blue", "blue", "red", "nir"), None, None),
        (5, BANDS, ("blue", "green", "red"), None),
    ],
)
def test_the_order_of_bands(
    tmp_path: Path,
    count: int,
    names: tuple[str | None, ...],
    stated: tuple[str, ...] | None,
    expected: tuple[str, ...] | None,
) -> None:
    path = write_tif(tmp_path / "q.tif", np.ones((count, 8, 8), np.uint16), Affine(2, 0, 0, 0, -2, 0), "EPSG:3857")
    with rasterio.open(path, "r+") as target:
        target.descriptions = (*names, *([None] * (count - len(names))))
    with rasterio.open(path) as source:
        if expected is None:
            with pytest.raises(PermanentError, match=r"has \d bands called .*; state their order as bands under"):
                band_order(source, stated)
        else:
            assert band_order(source, stated) == expected


def test_what_is_no_mask(tmp_path: Path) -> None:
    west, south, east, north = MOSAIC.quads.box(QUAD).bounds
    place = Affine((east - west) / 64, 0, west, 0, (south - north) / 64, north)
    check_mask(write_tif(tmp_path / "a.tif", np.ones((8, 64, 64), np.uint8), place, "EPSG:3857"), MOSAIC, QUAD)
    with pytest.raises(NoMaskError, match="came a file of uint16 numbers, which is none"):
        check_mask(write_tif(tmp_path / "b.tif", np.ones((5, 64, 64), np.uint16), place, "EPSG:3857"), MOSAIC, QUAD)
    with pytest.raises(BadInputError, match="it lies elsewhere"):
        check_mask(tmp_path / "a.tif", MOSAIC, QuadId(1, 1))
