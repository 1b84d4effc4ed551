"""One quad file: what of it counts as clear ground."""

from datetime import date
from pathlib import Path

import numpy as np
from affine import Affine
from archives import write_tif

from minemap_assets.imagery.basemaps.clarity import Clarity
from minemap_assets.imagery.basemaps.mosaics import Mosaic
from minemap_assets.imagery.basemaps.quad_files import check_quad
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
