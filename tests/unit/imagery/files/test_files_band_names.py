"""Which band of a file is which: names before documented orders, documented orders before colours."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from archives import GRID, write_tif
from rasterio.enums import ColorInterp

from minemap_assets.errors import BadInputError
from minemap_assets.imagery.basemaps.quad_files import band_order
from minemap_assets.imagery.files.band_names import bands_of, validity_band
from minemap_assets.imagery.products import product

QUAD_PIXEL = 40_075_016.685578488 / (2048 * 4096)
QUAD = Affine(QUAD_PIXEL, 0, 0, 0, -QUAD_PIXEL, 300_000)
RGB = ("red", "green", "blue")
SCENE = "20170831_172754_101c_3B_Analytic"
IN_ORDER = {"blue": 1, "green": 2, "red": 3, "nir": 4}


def write(
    path: Path, colours: Sequence[str], names: Sequence[str] = (), transform: Affine = GRID.affine, crs: str = ""
) -> Path:
    write_tif(path, np.ones((len(colours), 8, 8), np.uint16), transform, crs or "EPSG:32720", bands=names)
    with rasterio.open(path, "r+") as target:
        target.colorinterp = [ColorInterp[name] for name in colours]
    return path


def found(path: Path, kind: str = "planet-nicfi", stated: Sequence[str] | None = None) -> tuple[dict[str, int], str]:
    """Index of each usable band, and what is said of the others."""
    with rasterio.open(path) as source:
        bands = bands_of(source, path.name, product(kind), stated)
    return {name: index for index, name in bands.usable.items()}, " and ".join(bands.unused)


@pytest.mark.parametrize(
    ("name", "colours", "expected", "unused"),
    [
        (f"{SCENE}MS", (*RGB, "undefined"), IN_ORDER, ""),
        (f"{SCENE}MS_SR_clip", (*RGB, "undefined"), IN_ORDER, ""),
        (f"{SCENE}MS_SR_harmonized_clip", (*RGB, "alpha"), IN_ORDER, ""),
        (f"{SCENE}MS", (*RGB, "undefined", "alpha"), IN_ORDER, "band 5 (alpha)"),
        (SCENE, RGB, {"red": 1, "green": 2, "blue": 3}, ""),
        (
            f"{SCENE}MS_SR_8b",
            (*RGB, *["undefined"] * 5),
            {"blue": 2, "green": 4, "red": 6, "nir": 8},
            "band 1 (coastal) and band 3 (green_i) and band 5 (yellow) and band 7 (rededge)",
        ),
        ("L15-1024E-1040N", (*RGB, "undefined", "alpha"), IN_ORDER, "band 5 (alpha)"),
        ("L15-1024E-1040N", (*RGB, "alpha"), IN_ORDER, ""),
        ("clip", (*RGB, "undefined"), IN_ORDER, ""),
        ("clip", (*RGB, "undefined", "undefined"), IN_ORDER, "band 5"),
        ("clip", (*RGB, "undefined", "alpha"), IN_ORDER, "band 5 (alpha)"),
        ("clip", ("blue", "green", "red"), {"blue": 1, "green": 2, "red": 3}, ""),
    ],
)
def test_a_documented_order_wins_over_colours(
    tmp_path: Path, name: str, colours: tuple[str, ...], expected: dict[str, int], unused: str
) -> None:
    assert found(write(tmp_path / f"{name}.tif", colours)) == (expected, unused)


@pytest.mark.parametrize("colours", [RGB, (*RGB, "alpha")])
def test_usual_colours_alone_tell_nothing_of_a_basemap(tmp_path: Path, colours: tuple[str, ...]) -> None:
    path = write(tmp_path / "clip.tif", colours)
    with pytest.raises(BadInputError, match=r"does not say which of its \d bands is which; name its bands in order"):
        found(path)
    assert found(path, "sentinel-2-l2a")[0] == {"red": 1, "green": 2, "blue": 3}
    stated = ("blue", "green", "red", *("nir" for _ in colours[3:]))
    assert found(path, stated=stated)[0] == {name: index for index, name in enumerate(stated, 1)}


@pytest.mark.parametrize(
    ("colours", "names", "dtype", "expected"),
    [
        ((*RGB, "undefined", "undefined"), (), "uint16", 5),
        (("gray", *["undefined"] * 4), (), "uint16", 5),
        ((*RGB, "undefined", "alpha"), (), "uint16", 5),
        ((*RGB, "alpha", "undefined"), (), "uint16", 5),
        ((*RGB, "undefined", "undefined"), (*IN_ORDER, "swir16"), "uint16", None),
        ((*RGB, "undefined", "undefined"), (), "float32", None),
        ((*RGB, "undefined"), (), "uint16", None),
        ((*RGB, *["undefined"] * 6), (), "uint16", 9),
    ],
)
def test_the_band_behind_a_quads_bands_is_its_validity(
    tmp_path: Path, colours: tuple[str, ...], names: tuple[str, ...], dtype: str, expected: int | None
) -> None:
    path = write_tif(tmp_path / "1.tif", np.ones((len(colours), 8, 8), dtype), QUAD, "EPSG:3857", bands=names)
    with rasterio.open(path, "r+") as target:
        target.colorinterp = [ColorInterp[name] for name in colours]
    with rasterio.open(path) as source:
        assert validity_band(source, (1, 2, 3, 4)) == expected
        assert validity_band(source, (1,)) == expected
        assert validity_band(source, range(1, len(colours) + 1)) is None


def test_quads_are_told_by_their_pixels_too(tmp_path: Path) -> None:
    path = write(tmp_path / "1024-1039.tif", (*RGB, "undefined", "alpha"), (), QUAD, "EPSG:3857")
    assert found(path) == (IN_ORDER, "band 5 (alpha)")
    with rasterio.open(path) as source:
        assert band_order(source, None) == tuple(IN_ORDER)
    assert found(path, "sentinel-2-l2a")[0] == {"red": 1, "green": 2, "blue": 3}


@pytest.mark.parametrize("name", [f"{SCENE}MS", "L15-1024E-1040N", "clip"])
def test_names_of_bands_win_over_everything(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / f"{name}.tif", (*RGB, "undefined"), ("nir", "red", "green", "blue"))
    assert found(path) == ({"nir": 1, "red": 2, "green": 3, "blue": 4}, "")


def test_the_one_band_of_a_documented_order_that_has_no_name_is_the_missing_one(tmp_path: Path) -> None:
    path = write(tmp_path / "L15-1024E-1040N.tif", (*RGB, "undefined"), ("nir", "", "green", "blue"))
    assert found(path)[0] == {"nir": 1, "red": 2, "green": 3, "blue": 4}


def test_a_person_has_the_last_word(tmp_path: Path) -> None:
    path = write(tmp_path / f"{SCENE}MS.tif", (*RGB, "undefined"), ("blue", "green", "red", "nir"))
    assert found(path, stated=("nir", "red", "-", "blue")) == ({"nir": 1, "red": 2, "blue": 4}, "band 3 (red)")
    with pytest.raises(BadInputError, match=r"MS.tif has 4 bands where 3 were named \(blue, green, red\)"):
        found(path, stated=("blue", "green", "red"))


def test_two_bands_of_one_name_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", ("gray", "undefined", "undefined"), ("blue", "blue", "red"))
    with pytest.raises(BadInputError, match="calls more than one of its bands blue"):
        found(path)


def test_a_real_planetscope_scene(test_data: Path) -> None:
    path = test_data / "planetscope-format-sample" / "20170831_172754_101c_3B_AnalyticMS.tif"
    with rasterio.open(path) as source:
        assert [colour.name for colour in source.colorinterp] == [*RGB, "undefined"]
    assert found(path) == (IN_ORDER, "")
