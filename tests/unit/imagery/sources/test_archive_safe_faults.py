"""Products that are cut off, incomplete or not what they say: each is named in one sentence, and costs only itself."""

from collections.abc import Callable
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
import pytest

from absurd_files import zip_bomb
from minemap_assets.imagery.sources.archive.index import ArchiveRules
from minemap_assets.imagery.sources.archive.product_detection import FolderReport, index_folder
from safe_scenes import LEVEL_1C, LEVEL_2A, Form, ground, packed, write_jp2, write_safe

NAME = LEVEL_1C.folder
BLUE = LEVEL_1C.band("B02", 10)
NOISE = np.random.default_rng(5).integers(1, 9000, (120, 120)).astype(np.uint16)
SAFE_BANDS = ("B02", "B03")


def clear(form: Form) -> np.ndarray:
    """A mask without cloud."""
    return np.full((1, 60, 60), 4, np.uint8) if form is LEVEL_2A else np.zeros((3, 20, 20), np.uint8)


def make(root: Path, form: Form = LEVEL_1C) -> Path:
    """A product of two bands, whose metadata names no others."""
    folder = write_safe(root, form, dict.fromkeys(SAFE_BANDS, NOISE), clear(form))
    metadata = folder / form.metadata
    lines = metadata.read_text().splitlines(keepends=True)
    kept = ("B02_10m", "B03_10m", "SCL_20m") if form is LEVEL_2A else SAFE_BANDS
    metadata.write_text("".join(x for x in lines if "IMAGE_FILE" not in x or any(f"_{k}<" in x for k in kept)))
    return folder


def index(root: Path) -> FolderReport:
    return index_folder(str(root), name="t", product=None, rules=ArchiveRules(), pattern="**/*.tif")


def change(folder: Path, old: str, new: str) -> None:
    metadata = folder / LEVEL_1C.metadata
    text = metadata.read_text()
    assert old in text
    metadata.write_text(text.replace(old, new))


def cut(path: Path, share: float = 0.6) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])


def bomb_of_entities(folder: Path) -> None:
    entities = '<!DOCTYPE a [<!ENTITY x "boom">]>'
    change(folder, "<n1:Level-1C_User_Product", f"{entities}<n1:Level-1C_User_Product")


FAULTS: dict[str, tuple[Callable[[Path], None], str]] = {
    "cut band": (lambda f: cut(f / BLUE), f"{NAME}/{BLUE} is cut off; fetch it again"),
    "cut in the header": (lambda f: cut(f / BLUE, 0.0001), f"{NAME}/{BLUE} is not a JPEG 2000 file"),
    "no band": (lambda f: (f / BLUE).unlink(), f"{NAME}/{BLUE} is named in the product's metadata and is not there"),
    "no metadata": (lambda f: (f / LEVEL_1C.metadata).unlink(), f"{NAME} has no metadata file such as MTD_MSIL2A.xml"),
    "cut metadata": (lambda f: cut(f / LEVEL_1C.metadata), f"{NAME}/{LEVEL_1C.metadata} is cut off or is no XML"),
    "entities": (bomb_of_entities, f"{NAME}/{LEVEL_1C.metadata} declares a document type"),
    "no mask": (lambda f: (f / LEVEL_1C.masked).unlink(), "lacks its cloud mask (MSK_CLASSI or MSK_CLOUDS)"),
    "cut mask": (
        lambda f: cut(f / LEVEL_1C.masked),
        f"the cloud mask cannot be used: {NAME}/{LEVEL_1C.masked} is cut off",
    ),
    "no offsets": (
        lambda f: change(f, "RADIO_ADD_OFFSET", "SOMETHING"),
        "is of baseline 05.09 and states no RADIO_ADD_OFFSET",
    ),
    "one offset less": (
        lambda f: change(f, 'band_id="1">-1000', 'band_id="77">-1000'),
        f"{NAME}/{BLUE} has no offset in the product's metadata, unlike other bands",
    ),
    "no number": (lambda f: change(f, 'band_id="1">-1000', 'band_id="1">nan'), "'nan' for RADIO_ADD_OFFSET"),
    "no scale": (lambda f: change(f, ">10000<", ">0<"), "states QUANTIFICATION_VALUE 0, which makes no reflectance"),
    "no day": (lambda f: change(f, ">2023-08-23T09:55:59.024Z<", ">yesterday<"), "says no day on which"),
    "another level": (lambda f: change(f, ">Level-1C<", ">Level-1B<"), "is of neither Level-1C nor Level-2A"),
}
LOST = {"cut band", "cut in the header", "no band", "one offset less"}
"""Faults that cost one band; the others cost the product."""


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_named_and_costs_only_itself(tmp_path: Path, fault: str) -> None:
    spoil, sentence = FAULTS[fault]
    spoil(make(tmp_path))
    make(tmp_path, LEVEL_2A)
    report = index(tmp_path)
    assert [sentence in r.reason for r in report.refused] == [True], report.refused
    found = {image.product: image.bands for image in report.images}
    assert found.pop("sentinel-2-l2a") == ("blue", "green")
    assert found == ({"sentinel-2-l1c": ("green",)} if fault in LOST else {})


def test_a_band_that_is_more_than_one_is_named(tmp_path: Path) -> None:
    folder = make(tmp_path)
    write_jp2(folder / BLUE, np.stack([NOISE] * 3), ground(10))
    assert ["has 3 bands where 1 were named" in r.reason for r in index(tmp_path).refused] == [True]


@pytest.mark.parametrize("compression", [0, ZIP_DEFLATED])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.99])
def test_a_zip_that_was_cut_off_is_named(tmp_path: Path, share: float, compression: int) -> None:
    folder = make(tmp_path / "whole")
    zipped = packed(folder, tmp_path / "zips" / "a.zip", compression)
    cut(zipped, share)
    report = index(tmp_path / "zips")
    assert report.images == ()
    assert ["a.zip is cut off, or is no ZIP archive; fetch it again" in r.reason for r in report.refused] == [True]


def test_a_damaged_file_in_a_zip_is_found_by_its_checksum(tmp_path: Path) -> None:
    folder = make(tmp_path / "whole")
    zipped = packed(folder, tmp_path / "zips" / "a.zip")
    data, image = bytearray(zipped.read_bytes()), (folder / BLUE).read_bytes()
    place = data.index(image[-2000:])
    data[place + 500 : place + 600] = bytes(100)
    zipped.write_bytes(data)
    report = index(tmp_path / "zips")
    assert [i.bands for i in report.images] == [("green",)]
    assert [f"a.zip/{NAME}/{BLUE} is cut off or damaged" in r.reason for r in report.refused] == [True]


def test_a_zip_of_other_things_is_no_product(tmp_path: Path) -> None:
    with ZipFile(tmp_path / "labels.zip", "w") as archive:
        archive.writestr("labels.csv", "a,b")
    make(tmp_path)
    report = index(tmp_path)
    assert len(report.images) == 1
    assert [r.path for r in report.refused] == ["labels.zip"]
    assert "holds no whole Sentinel-2 product" in report.refused[0].reason


@pytest.mark.parametrize(
    ("name", "size", "sentence"),
    [
        ("a.SAFE/GRANULE/a/IMG_DATA/a_B02.jp2", 20_000_000, "would have 20,000,000 bytes when it is unpacked"),
        ("a.SAFE/GRANULE/../../../b_B02.jp2", 10, "has no PROCESSING_LEVEL"),
    ],
)
def test_an_absurd_zip_is_named_and_not_unpacked(tmp_path: Path, name: str, size: int, sentence: str) -> None:
    zip_bomb(tmp_path / "a.zip", size, name)
    report = index(tmp_path)
    assert report.images == ()
    assert [sentence in r.reason for r in report.refused] == [True], report.refused


def test_an_encrypted_zip_is_named(tmp_path: Path) -> None:
    zipped = packed(make(tmp_path / "whole"), tmp_path / "zips" / "a.zip")
    data = bytearray(zipped.read_bytes())
    place = data.find(b"PK\x01\x02")
    while place >= 0:
        data[place + 8] |= 1
        place = data.find(b"PK\x01\x02", place + 1)
    zipped.write_bytes(data)
    assert ["is encrypted" in r.reason for r in index(tmp_path / "zips").refused] == [True]


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    folder = make(tmp_path / "archive")
    (folder / BLUE).rename(tmp_path / "elsewhere.jp2")
    (folder / BLUE).symlink_to(tmp_path / "elsewhere.jp2")
    report = index(tmp_path / "archive")
    assert [i.bands for i in report.images] == [("green",)]
    assert ["is a link that leads out of" in r.reason for r in report.refused] == [True]
