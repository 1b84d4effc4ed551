"""Mistakes with folders of images: each is one sentence and an exit code, and no archive is lost by it."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.enums import ColorInterp
from rasterio.transform import from_origin

from minemap_assets.imagery.sources.archive.catalogue import add_archive
from minemap_assets.imagery.sources.archive.index import ArchiveRules
from minemap_assets.imagery.sources.archive.product_detection import index_folder
from minemap_assets.lake.store import LocalStore
from terminal import AREA, Terminal

UTM = from_origin(5e5, 7e5, 10, 10)
RGBN = ("blue", "green", "red", "nir")
SCENE = "20170831_172754_101c_3B_AnalyticMS"


def image(
    path: Path,
    *,
    bands: Sequence[str] = ("blue",),
    count: int = 0,
    kind: str = "uint16",
    crs: str | None = "EPSG:32630",
    colours: Sequence[str] = (),
) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    count = count or len(bands)
    profile = {"driver": "GTiff", "width": 32, "height": 32, "count": count, "dtype": kind, "crs": crs}
    with rasterio.open(path, "w", **profile, transform=UTM) as target:
        target.write(np.full((count, 32, 32), 200).astype(kind))
        target.descriptions = tuple(bands) if len(bands) == count else (None,) * count
        if colours:
            target.colorinterp = [ColorInterp[name] for name in colours]
    return path


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders as people have them, each with something that does not go well."""
    folder = tmp_path_factory.mktemp("pictures")
    image(folder / "good" / "imgs_1" / "2019-07-15.tif", bands=RGBN)
    image(folder / "good" / "imgs_2" / "2019-07-16.tif", bands=RGBN)
    image(folder / "unnamed" / "2019-07-15.tif", bands=(), count=3)
    image(folder / "undated" / "summer.tif")
    image(folder / "future" / "2089-07-15.tif")
    image(folder / "nowhere" / "2019-07-15.tif", crs=None)
    image(folder / "photos" / "2019-07-15.tif", kind="uint8")
    image(folder / "long" / "2019-07-15.tiff")
    cut = image(folder / "cut" / "2019-07-15.tif")
    cut.write_bytes(cut.read_bytes()[:-700])
    (folder / "empty").mkdir()
    (folder / "safe").mkdir()
    for band in ("B02", "B03"):
        (folder / "safe" / f"T30NVM_20190715T102031_{band}.jp2").write_bytes(b"\0\0\0\x0cjP  ")
    (folder / "none.txt").write_text("\n")
    good = str(folder / "good")
    report = index_folder(good, name="old", product="planet-nicfi", rules=ArchiveRules(), pattern="**/*.tif")
    add_archive(LocalStore(folder / "minemap-data" / "lake"), "old", good, report.features)
    return folder


@pytest.fixture
def folder(minemap: Terminal, pictures: Path) -> Path:
    """The same in the person's folder, and an archive `old` that is indexed already."""
    shutil.copytree(pictures, minemap.folder, dirs_exist_ok=True)
    return minemap.folder


def archives(minemap: Terminal) -> dict[str, bytes]:
    """What is known of archives, and the settings."""
    inputs = minemap.lake / "inputs"
    return {p.name: p.read_bytes() for p in [*inputs.glob("archive/*"), *inputs.glob("*.toml")]}


NICFI, L2A = ("--product", "planet-nicfi"), ("--product", "sentinel-2-l2a")

REFUSED: list[tuple[tuple[str, ...], str]] = [
    ((), "missing argument 'FOLDER'"),
    (("goood",), "there is no folder"),
    (("good/imgs_1/2019-07-15.tif",), "2019-07-15.tif is a file; give the folder that holds"),
    (("empty",), "empty holds no file that matches **/*.tif, nor anything else; give the folder"),
    (("safe",), "holds no image that can be used: T30NVM_20190715T102031_B02.jp2 is not a JPEG 2000 file"),
    (("long",), "holds no file that matches **/*.tif, but 1 of *.tiff; give --pattern '**/*.tiff'"),
    (("good", "--pattern", "*.png"), "holds no file that matches *.png, but 2 of *.tif; give --pattern '**/*.tif'"),
    (("good", "--pattern", "/etc/*"), "--pattern: '/etc/*' is no pattern for files below"),
    (("good", "--files", "there-is-none.txt"), "--files: there-is-none.txt cannot be read as text"),
    (("good", "--files", "none.txt"), "--files: none.txt is empty; write one path a line"),
    (("good", "--files", "empty"), "--files: empty cannot be read as text"),
    (
        ("https://example.org/tiles", *L2A),
        "cannot be listed; give the archive's files by name",
    ),
    (("https://me:secret@example.org/x",), "the address at example.org holds a password or signature"),
    (("good", "--product", "sentinel2-l2a"), "--product: unknown product 'sentinel2-l2a' (did you mean"),
    (("good", "--product", "landsat"), "--product: unknown product 'landsat'; the products are planet-nicfi"),
    (("good",), "do not say which product they are; say so with --product and one of planet-nicfi"),
    (("unnamed", *L2A), "does not say which of its 3 bands is which; name its bands in order with --bands"),
    (("unnamed", *L2A, "--bands", "blue,gren,red"), "has no band gren (did you mean 'green'?); it has coastal, blue"),
    (("unnamed", *L2A, "--bands", "blue,red,red"), "--bands: red is named more than once"),
    (("unnamed", *L2A, "--bands", "blue,,red"), "--bands: 'blue,,red' leaves a name out; write - for a band that"),
    (("unnamed", *L2A, "--bands", "blue,red"), "2019-07-15.tif has 3 bands where 2 were named (blue, red)"),
    (("unnamed", *L2A, "--bands", "-,-,-"), "--bands: sentinel-2-l2a has no band (none named); it has"),
    (("unnamed", *NICFI, "--bands", "red,swir16,nir"), "--bands: planet-nicfi has no band swir16"),
    (
        ("undated", *L2A),
        "summer.tif says no date in its name or its folder's; give it with --date-of, or for all files with",
    ),
    (("undated", *L2A, "--date", "last summer"), "--date: 'last summer' is no date; write 2020-06-12, 2020-06 or"),
    (("undated", *L2A, "--date", "2019-13-01"), "--date: '2019-13-01' is no date"),
    (("undated", *L2A, "--date", "2019"), "--date: '2019' is no date; write 2020-06-12, 2020-06 or"),
    (("undated", *L2A, "--date", "2019-08/2019-07"), "runs backwards; write the earlier day first"),
    (("undated", *L2A, "--date", "2089-07-15"), "--date: 2089-07-15 lies in the future; give the day on which"),
    (("undated", *L2A, "--date", "1999-07-15"), "lies before the first images of sentinel-2-l2a (2015-06)"),
    (("undated", *NICFI, "--date", "2015-11-30"), "lies before the first images of planet-nicfi (2015-12)"),
    (("undated", *L2A, "--date", "2019-07", "--year", "2019"), "an archive has either a date or a year"),
    (
        ("undated", *L2A, "--year", "1999"),
        "there is no sentinel-2-l2a of 1999, its first images are of 2015-06",
    ),
    (
        ("undated", *NICFI, "--year", "2014"),
        "there is no planet-nicfi of 2014, its first images are of 2015-12",
    ),
    (("undated", *L2A, "--year", "2089"), "--year: 2089 has not begun"),
    (("undated", *L2A, "--year", "nineteen"), "invalid value for '--year': it has to be a whole number"),
    (
        ("future", *L2A),
        "says 2089-07-15 in its name or its folder's, which lies in the future; say when with --date-of",
    ),
    (("good", *NICFI, "--date-of", "imgs_1"), "--date-of: 'imgs_1' is not understood; write file-or-folder=2016-12-09"),
    (("good", *NICFI, "--date-of", "img_1=2019-07-01"), "'img_1' is no file or folder of images in"),
    (("good", *NICFI, "--date-of", "x=2019-07-01"), "; there is imgs_1, imgs_2"),
    (("good", *NICFI, "--date-of", "imgs_1=May"), "--date-of: imgs_1: 'May' is no date"),
    (
        ("good", *NICFI, "--date-of", "imgs_1=2019-07", "--date-of", "imgs_1=2019-08"),
        "--date-of: a file or folder is named",
    ),
    (("good", *NICFI, "--scale", "0"), "--scale: 0 turns no number into reflectance; give one such as 0.0001"),
    (("good", *NICFI, "--offset", "inf"), "--offset: inf is no shift of reflectance"),
    (("good", *NICFI, "--masks", "labels"), "labels is no folder; give the folder that holds the label rasters"),
    (("good", *NICFI, "--clouds", "*_QA*"), "'*_QA*' is no rule for cloud masks; write '*_CLM*=1'"),
    (("good", *NICFI, "--name", "My Images"), "'My Images' cannot name an archive; use 1 to 60 lower-case letters"),
    (("nowhere", *L2A), "has no coordinate reference system; assign the right one (gdal_edit -a_srs)"),
    (("photos", *L2A), "is an 8-bit picture, not reflectance"),
    (("cut", *L2A), "is cut off"),
    ((".", *L2A), "holds the project itself"),
    (("minemap-data/lake", *L2A), "holds the project itself"),
]


@pytest.mark.parametrize(("words", "told"), REFUSED, ids=[" ".join(words) or "nothing" for words, _ in REFUSED])
def test_a_mistake_is_one_sentence_and_nothing_is_lost(
    minemap: Terminal, folder: Path, words: tuple[str, ...], told: str
) -> None:
    before = archives(minemap)
    answer = minemap("archive", "index", *words)
    assert answer.code == 2, answer
    assert told in answer.sentence
    assert answer.out == ""
    assert archives(minemap) == before
    assert folder.is_dir()


def notes(minemap: Terminal, *words: str) -> str:
    answer = minemap("archive", "index", *words)
    assert answer.code == 0, answer
    return "\n".join(line for line in answer.err.splitlines() if line.startswith("Note: "))


def test_a_folder_of_the_same_name_does_not_take_an_archives_place(minemap: Terminal, folder: Path) -> None:
    image(folder / "2019" / "old" / "2019-07-15.tif")
    before = archives(minemap)
    refused = minemap("archive", "index", "2019/old", *L2A)
    assert refused.code == 2
    assert "there is an archive old of another folder already (" in refused.sentence
    assert "give this one another name with --name, or put it in its place with --name old" in refused.sentence
    assert archives(minemap) == before
    assert "whose images no longer serve" in notes(minemap, "2019/old", *L2A, "--name", "old")


def test_pictures_that_count_twice_are_noted(minemap: Terminal, folder: Path, pictures: Path) -> None:
    said = notes(minemap, str(pictures / "good" / "imgs_1"), *NICFI)
    assert "1 file of these is in the archive old too, so that the same picture counts twice" in said
    assert "`minemap archive remove old` forgets it" in said
    assert "archive old too" not in notes(minemap, str(folder / "good"), *NICFI)


def test_what_is_not_used_is_said(minemap: Terminal, folder: Path) -> None:
    colours = ("red", "green", "blue", "undefined", "alpha")
    image(folder / "planet" / f"{SCENE}.tif", bands=(), count=5, colours=colours)
    said = notes(minemap, "planet", *NICFI, "--clouds", "*_QA*=1")
    assert f"band 5 (alpha) of {SCENE}.tif is not used" in said
    assert "holds radiance, not reflectance" in said
    assert "--clouds: no file is named as '*_QA*=1' says" in said
    assert "1 image without a cloud mask" in said
    assert "planet-nicfi has blue, green, red, nir." in minemap("archive", "index", "planet", *NICFI).out


def test_images_that_no_map_is_made_of_are_noted(minemap: Terminal, folder: Path) -> None:
    image(folder / "winter" / "2019-01-15.tif")
    answer = minemap("archive", "index", "winter", *L2A)
    assert "1 of 1 images are of no season (months 6-11), such as 2019-01-15 of 2019-01-15" in answer.err
    assert "No run reads these images; the notes say why." in answer.out
    assert (
        minemap("regions", "add", "area", minemap.draw("area.geojson", AREA.buffer(-0.1)), "--season", "1-2").code == 0
    )
    answer = minemap("archive", "index", "winter", *L2A)
    assert "1 of 1 images lie in no region (area), such as 2019-01-15" in answer.err


def test_many_files_that_are_left_out_for_one_reason_are_counted(minemap: Terminal, folder: Path) -> None:
    for day in range(10, 22):
        image(folder / "many" / f"2019-07-{day}.tif", bands=(), count=3)
    answer = minemap("archive", "index", "many", *L2A)
    assert answer.code == 2
    assert answer.err.count("left out 2019-07-") == 5
    assert "left out 7 more files for the same reason, such as 2019-07-15.tif" in answer.err
    assert "2019-07-10.tif does not say which of its 3 bands is which" in answer.sentence


@pytest.mark.usefixtures("folder")
def test_a_damaged_list_of_archives_says_how_to_have_it_back(minemap: Terminal) -> None:
    assert minemap("archive", "index", "undated", *L2A, "--date", "2019-07-15").code == 0
    (minemap.lake / "inputs" / "archive" / "roots.json").write_text("{")
    for words in (("list",), ("remove", "old"), ("index", "good", *NICFI)):
        answer = minemap("archive", *words)
        assert answer.code == 2
        assert "`minemap inputs restore archive/roots.json`" in answer.sentence
    assert minemap("inputs", "restore", "archive/roots.json").code == 0
    assert "old" in minemap("archive", "list").out
