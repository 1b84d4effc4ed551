"""`minemap archive`: what a folder of images turns into, and what a person is told of it."""

import io
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import rasterio
import shapely
from rasterio.transform import Affine, from_origin

from minemap_assets.chips.assets import CHIPS, TRAINING_CHIPS
from minemap_assets.errors import MinemapError
from minemap_assets.imagery.assets import COMPOSITES, REFERENCE_COMPOSITES
from minemap_assets.imagery.rules import training_products
from minemap_assets.imagery.sources.archive.product_detection import product_by_name
from minemap_assets.sites.assets import GROUND_TRUTH, SITES
from projects import make, project_at
from terminal import Terminal

QUAD = "planet_medres_normalized_analytic_2019-06_2019-11_mosaic/L15-1024E-1040N.tif"
QUAD_PIXEL = 40_075_016.685578488 / (2048 * 4096)
QUAD_CORNER = from_origin(0.0, 300_000.0, QUAD_PIXEL, QUAD_PIXEL)
SCENE = "S2A_MSIL2A_20190715T102031_N0213_R065_T30NVM_20190715T122843"
UTM = from_origin(5e5, 7e5, 10, 10)


def image(
    path: Path, *, count: int = 1, bands: Sequence[str] = (), crs: str = "EPSG:32630", transform: Affine = UTM
) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    numbers = np.random.default_rng(0).integers(1, 5000, (count, 128, 128)).astype("uint16")
    profile = {"driver": "GTiff", "width": 128, "height": 128, "count": count, "dtype": "uint16", "crs": crs}
    with rasterio.open(path, "w", **profile, transform=transform) as target:
        target.write(numbers)
        target.descriptions = tuple(bands) or (None,) * count
    return path


def quad(path: Path) -> Path:
    return image(path, count=4, crs="EPSG:3857", transform=QUAD_CORNER)


@pytest.fixture
def folder(minemap: Terminal) -> Path:
    """Quads and a scene as they were downloaded, and a file that says nothing."""
    folder = minemap.folder / "Old Downloads"
    quad(folder / QUAD)
    for band in ("B02", "B03", "B04", "B08"):
        image(folder / SCENE / f"T30NVM_20190715T102031_{band}_10m.tif")
    image(folder / "photo_20190716.tif", bands=("blue",))
    return folder


@pytest.mark.parametrize(
    ("path", "product"),
    [
        (QUAD, "planet-nicfi"),
        ("nicfi/2019-06/L15-0800E-1010N.tif", "planet-nicfi"),
        ("planet_medres_analytic_2020-09_mosaic/801-1024_quad.tif", "planet-nicfi"),
        ("planet_medres_visual_2020-09_mosaic/801-1024_quad.tif", None),
        (f"{SCENE}.SAFE/B02.tif", "sentinel-2-l2a"),
        ("S2B_MSIL1C_20190715T102031_N0207_R065_T30NVM_20190715T122843.SAFE/B02.tif", "sentinel-2-l1c"),
        ("S2A_OPER_MSI_L1C_TL_MTI__20161209T100031_A000634_T48QYJ_B02.tif", "sentinel-2-l1c"),
        ("S2B_32TQM_20200612_0_L2A/B04.tif", "sentinel-2-l2a"),
        ("x/T32TQM_20200612T100031_B02_10m.tif", "sentinel-2-l2a"),
        ("x/T32TQM_20200612T100031_B8A.tif", "sentinel-2-l1c"),
        ("sentinel-2-l2a/2019/scene.tif", "sentinel-2-l2a"),
        ("PRS_L2A_20200612/scene.tif", None),
        ("2019/scene_20190612.tif", None),
    ],
)
def test_what_names_say(path: str, product: str | None) -> None:
    assert product_by_name(path) == product


def test_a_folder_of_several_products_says_what_it_holds_and_what_to_do_next(minemap: Terminal, folder: Path) -> None:
    minemap.widen(200)
    answer = minemap("archive", "index", folder.name)
    assert answer.code == 0, answer.err
    rows = {
        cells[0]: cells
        for cells in ([c.strip() for c in line.split("│")[1:-1]] for line in answer.out.split("\n"))
        if cells
    }
    assert rows["planet-nicfi"][1:3] == ["1", "2019-06-01 to"]
    assert rows["sentinel-2-l2a"][1:3] == ["1", "2019-07-15 to"]
    assert float(rows["sentinel-2-l2a"][3]) == pytest.approx(1.28**2, abs=0.06)
    assert rows["sentinel-2-l2a"][4:] == ["2019", "none"]
    assert "planet-nicfi has blue, green, red, nir." in answer.out
    assert "sentinel-2-l2a has blue, green, red, nir." in answer.out
    assert "left out photo_20190716.tif: " in answer.err
    assert "index it with --product" in answer.err
    assert "Added archive old-downloads: 2 images, 1 file left out." in answer.out
    assert 'sentinel-2-l2a = ["archive", "stac"]' in answer.out
    bands = '[imagery.bands]\nsentinel-2-l2a = ["blue", "green", "red", "nir"]\n'
    assert f"{bands}`minemap archive index 'Old Downloads' --use` writes it there." in answer.out
    assert "reads these images" not in answer.out
    assert not (minemap.lake / "inputs" / "minemap.toml").exists()


SETTINGS = """\
# Ours.
[imagery.sources]
sentinel-2-l2a = ["stac"] # as before
planet-nicfi = []
"""


def test_use_writes_what_the_images_need_and_keeps_the_rest(minemap: Terminal, folder: Path) -> None:
    path = minemap.write("minemap-data/lake/inputs/minemap.toml", SETTINGS)
    answer = minemap("archive", "index", folder.name, "--use")
    assert answer.code == 0, answer.err
    assert "Written; `minemap inputs restore minemap.toml` takes it back." in answer.out
    assert "`minemap run --years 2019` reads these images." in answer.out
    assert path.read_text() == SETTINGS.replace('["stac"]', '["archive", "stac"]').replace("[]", '["archive"]') + (
        '\n[imagery.bands]\nsentinel-2-l2a = ["blue", "green", "red", "nir"]\n'
    )
    again = minemap("archive", "index", folder.name)
    assert "Replaced archive old-downloads" in again.out
    assert "has to say" not in again.out
    assert minemap("inputs", "restore", "minemap.toml").code == 0
    assert path.read_text() == SETTINGS


@pytest.mark.parametrize(("typed", "written"), [("y\n", True), ("n\n", False), ("\n", False)])
def test_a_person_at_a_terminal_is_asked(
    minemap: Terminal, folder: Path, monkeypatch: pytest.MonkeyPatch, typed: str, written: bool
) -> None:
    class Keyboard(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", Keyboard(typed))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    answer = minemap("archive", "index", folder.name)
    assert answer.code == 0, answer.err
    assert "Write that into the settings? [y/N]" in answer.out
    assert (minemap.lake / "inputs" / "minemap.toml").exists() is written
    assert ("reads these images" in answer.out) is written


def test_use_is_all_that_pictures_of_three_bands_need(minemap: Terminal) -> None:
    mine = shapely.box(-2.99, 6.31, -2.985, 6.315)
    image(minemap.folder / "own" / "2018.tif", count=3, transform=from_origin(498_600, 700_600, 40, 40))
    assert minemap("regions", "add", "area", minemap.draw("area.geojson", mine.buffer(0.01))).code == 0
    assert minemap("sites", "promote", minemap.draw("mine.geojson", mine)).code == 0
    words = ("--product", "sentinel-2-l1c", "--bands", "blue,green,red", "--year", "2018")
    state = minemap.folder / "minemap-data" / "state"
    assert minemap("archive", "index", "own", *words, "--no-use").code == 0
    before = project_at(minemap.lake, state)
    for asset in (GROUND_TRUTH, SITES):
        make(before, asset, "area")
    with pytest.raises(MinemapError):
        make(before, COMPOSITES, "area", "2018")
    answer = minemap("archive", "index", "own", *words, "--use")
    assert "`minemap run --years 2018` reads these images." in answer.out
    project = project_at(minemap.lake, state)
    product = ("sentinel-2-l1c",)
    assert training_products(project) == list(product)
    for asset, keys in (
        (COMPOSITES, ("area", "2018")),
        (CHIPS, ("area", "2018")),
        (REFERENCE_COMPOSITES, (*product, "area")),
        (TRAINING_CHIPS, (*product, "area")),
    ):
        assert make(project, asset, *keys).manifest.files, asset.name


def test_a_damaged_file_is_named_with_what_is_wrong_with_it(minemap: Terminal, folder: Path) -> None:
    (folder / "photo_20190717.tif").write_bytes(b"II*\0 and no more")
    answer = minemap("archive", "index", folder.name)
    assert answer.code == 0, answer.err
    line = next(one for one in answer.err.splitlines() if "photo_20190717.tif" in one)
    assert "does not say which product" not in line
    assert "Added archive old-downloads: 2 images, 2 files left out." in answer.out


def test_content_tells_where_names_do_not(minemap: Terminal) -> None:
    quad(minemap.folder / "mine" / "2019-06" / "1024-1039.tif")
    bands = ("B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B9", "B10", "B11", "B12")
    image(minemap.folder / "mine" / "2019-07-15.tif", count=13, bands=bands)
    answer = minemap("archive", "index", "mine")
    assert "2 images, 0 files left out" in answer.out
    assert "planet-nicfi" in answer.out
    assert "sentinel-2-l1c" in answer.out


def test_a_product_that_nothing_tells_is_asked_for(minemap: Terminal) -> None:
    image(minemap.folder / "mine" / "2019-07-15.tif", bands=("blue",))
    answer = minemap("archive", "index", "mine")
    assert answer.code == 2
    assert "do not say which product they are; say so with --product and one of planet-nicfi" in answer.sentence
    assert not minemap.files()
    assert minemap("archive", "index", "mine", "--product", "sentinel-2-l2a").code == 0


def test_an_archive_is_removed_and_its_files_stay(minemap: Terminal, folder: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in folder.rglob("*")}
    minemap("archive", "index", folder.name, "--name", "old")
    missing = minemap("archive", "remove", "odl")
    assert missing.code == 2
    assert "there is no archive 'odl' (did you mean 'old'?); the archives are old" in missing.sentence
    assert minemap("archive", "remove", "old").code == 0
    assert "No archive yet" in minemap("archive", "list").out
    assert not [f for f in minemap.files() if f.endswith("old.geojson")]
    assert {p: p.stat().st_mtime_ns for p in folder.rglob("*")} == before


@pytest.mark.parametrize("address", ["https://me:s3cr3t@example.com/x", "https://example.com/x?sig=s3cr3t"])
@pytest.mark.parametrize("listed", [False, True])
def test_an_address_with_a_secret_is_refused_and_never_kept(minemap: Terminal, address: str, listed: bool) -> None:
    minemap.write("list.txt", f"{address}/a.tif" if listed else "a.tif")
    root = "https://example.com" if listed else address
    answer = minemap("archive", "index", root, "--files", "list.txt", "--name", "far", "--product", "sentinel-2-l2a")
    assert answer.code == 2
    assert "the address at example.com holds a password or signature" in answer.sentence
    assert ".netrc" in answer.sentence
    assert "s3cr3t" not in answer.out + answer.err
    assert not minemap.files()


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ("--scale=nan", "--scale: nan turns no number into reflectance"),
        ("--scale=0", "--scale: 0 turns no number into reflectance"),
        ("--offset=inf", "--offset: inf is no shift of reflectance"),
        ("--year=99999", "--year: 99999 has not begun"),
        ("--pattern=/etc/*", "--pattern: '/etc/*' is no pattern for files below"),
        ("--name=--help", "'--help' cannot name an archive"),
        ("--name=-x", "'-x' cannot name an archive"),
    ],
)
def test_options_that_make_no_sense_are_refused_by_their_names(
    minemap: Terminal, folder: Path, option: str, told: str
) -> None:
    answer = minemap("archive", "index", folder.name, option)
    assert answer.code == 2, answer
    assert told in answer.sentence
    assert not minemap.files()


@pytest.mark.parametrize("listed", ["../outside.tif", "/etc/a.tif", "file:///etc/a.tif", "/vsicurl/http://h.org/a.tif"])
def test_a_listed_file_outside_the_folder_is_left_out(minemap: Terminal, folder: Path, listed: str) -> None:
    image(minemap.folder / "outside.tif", bands=("blue",))
    minemap.write("list.txt", f"{QUAD}\n{listed}\n")
    answer = minemap("archive", "index", folder.name, "--files", "list.txt")
    assert answer.code == 0, answer
    (line,) = [one for one in answer.err.splitlines() if one.startswith("left out ")]
    assert line.startswith(f"left out {listed}: {listed!r} ")
    assert "below its root" in line
