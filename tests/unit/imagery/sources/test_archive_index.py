"""Indexing folders of files: what is accepted, what is refused and with which sentence."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from archives import BANDS4, GRID, stack, write_tif

from minemap_assets.errors import BadInputError
from minemap_assets.imagery.files.images import Image, read_index
from minemap_assets.imagery.files.tiff_structure import expected_size
from minemap_assets.imagery.sources.archive.index import ArchiveRules, IndexReport, index_archive

PIXELS = stack(np.full((64, 64), 2000.0))
DATED = ArchiveRules(bands=BANDS4, date="2021-07-01")


def index(root: Path, rules: ArchiveRules = DATED, product: str = "planet-nicfi", **more: str) -> IndexReport:
    return index_archive(str(root), name="test", product=product, rules=rules, **more)


def images(report: IndexReport) -> tuple[Image, ...]:
    return read_index("test", ".", report.features).images


def reason(report: IndexReport) -> str:
    assert len(report.refused) == 1, report.refused
    return report.refused[0].reason


@pytest.fixture
def good(tmp_path: Path) -> Path:
    """An archive with one good file, `good.tif`."""
    write_tif(tmp_path / "good.tif", PIXELS, GRID.affine)
    return tmp_path


def test_the_index_says_what_the_file_is(good: Path) -> None:
    (image,) = images(index(good, ArchiveRules(bands=BANDS4, date="2021-06/2021-08", terms="CC BY 4.0")))
    assert (image.id, image.product, image.crs, image.terms) == ("good", "planet-nicfi", "EPSG:32720", "CC BY 4.0")
    assert (image.start.isoformat(), image.end.isoformat(), image.year) == ("2021-06-01", "2021-08-31", None)
    assert image.bands == BANDS4
    assert [(a.href, a.index, a.scale, a.nodata) for a in image.assets][3] == ("good.tif", 4, 1e-4, None)
    assert image.assets[0].bytes == (good / "good.tif").stat().st_size
    west, south, east, north = image.geometry.bounds
    assert (west, east) == pytest.approx((-63.00292, -62.99708), abs=1e-5)
    assert south < north < -9.94


def test_the_same_files_give_the_same_bytes_and_geojson(good: Path) -> None:
    write_tif(good / "b" / "other.tif", PIXELS, GRID.affine)
    first = index(good).features
    assert index(good).features == first
    parsed = json.loads(first)
    assert parsed["type"] == "FeatureCollection"
    assert [f["id"] for f in parsed["features"]] == ["b/other", "good"]
    assert parsed["features"][0]["geometry"]["type"] == "Polygon"


def test_a_file_written_again_has_another_revision(good: Path) -> None:
    before = images(index(good))[0].revision
    os.utime(good / "good.tif", ns=(1, 1))
    assert images(index(good))[0].revision != before


def test_a_cut_off_file_is_refused_and_the_others_are_indexed(good: Path) -> None:
    noise = np.random.default_rng(0).integers(1, 9000, PIXELS.shape).astype(np.uint16)
    for name, compress in (("a", None), ("b", "deflate")):
        path = write_tif(good / f"{name}.tif", noise, GRID.affine, compress=compress)
        path.write_bytes(path.read_bytes()[:-100])
    report = index(good)
    assert report.images == 1
    assert [r.path for r in report.refused] == ["a.tif", "b.tif"]
    assert all("is cut off" in r.reason and r.reason.endswith("fetch it again") for r in report.refused)


@pytest.mark.parametrize("size", [0, 3, 9, 150])
def test_a_stump_is_refused(good: Path, size: int) -> None:
    (good / "stump.tif").write_bytes((good / "good.tif").read_bytes()[:size])
    assert "stump.tif" in reason(index(good))


def test_a_file_that_is_no_tiff_is_refused(good: Path) -> None:
    (good / "page.tif").write_text("<html>404</html>" * 20)
    assert "is not a TIFF file" in reason(index(good))


def test_no_coordinate_reference_system_is_refused(good: Path) -> None:
    write_tif(good / "bare.tif", PIXELS, GRID.affine, crs=None)
    assert "bare.tif has no coordinate reference system" in reason(index(good))


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_no_georeference_is_refused(good: Path) -> None:
    write_tif(good / "loose.tif", PIXELS, Affine.identity())
    assert "loose.tif has no georeference" in reason(index(good))


def test_stretched_pixels_are_refused(good: Path) -> None:
    write_tif(good / "odd.tif", PIXELS[:, :, :6], GRID.affine @ Affine.scale(10, 1))
    assert "odd.tif has pixels 10.0 times longer" in reason(index(good))


def test_a_wrong_band_count_is_refused(good: Path) -> None:
    write_tif(good / "rgb.tif", PIXELS[:3], GRID.affine)
    assert reason(index(good)) == "rgb.tif has 3 bands where 4 were named (blue, green, red, nir)"


def test_unnamed_bands_are_refused(good: Path) -> None:
    write_tif(good / "good.tif", PIXELS.astype(np.int16), GRID.affine)
    report = index(good, ArchiveRules(date="2021-07-01"))
    assert "does not say which of its 4 bands is which" in reason(report)


def test_a_file_without_a_date_is_refused(good: Path) -> None:
    assert "good.tif says no date in its name" in reason(index(good, ArchiveRules(bands=BANDS4)))


@pytest.mark.parametrize(
    ("pixels", "sentence"),
    [
        (np.full((4, 64, 64), 250, dtype=np.uint8), "8-bit picture"),
        (np.full((4, 64, 64), 2000.0, dtype=np.float32), "floating point numbers up to 2000"),
        (np.full((4, 64, 64), 1 + 1j, dtype=np.complex64), "numbers of type complex64"),
    ],
)
def test_numbers_that_are_no_reflectance_are_refused(good: Path, pixels: np.ndarray, sentence: str) -> None:
    write_tif(good / "numbers.tif", pixels, GRID.affine)
    assert sentence in reason(index(good))


def test_an_image_that_does_not_match_its_mask_is_refused(tmp_path: Path) -> None:
    masks = tmp_path / "masks"
    shifted = GRID.affine @ Affine.translation(2, 0)
    for number, height, transform in ((1, 64, GRID.affine), (2, 48, GRID.affine), (3, 64, shifted)):
        write_tif(tmp_path / "images" / f"img_{number}.tif", PIXELS, GRID.affine)
        write_tif(masks / f"mask_{number}.tif", np.ones((1, height, 64), dtype=np.uint8), transform)
    write_tif(tmp_path / "images" / "img_4.tif", PIXELS, GRID.affine)
    report = index(tmp_path / "images", masks=str(masks))
    assert report.images == 1
    assert [(r.path, r.reason.split(";")[0]) for r in report.refused] == [
        ("img_2.tif", "img_2.tif has 64 x 64 pixels and its mask mask_2.tif 48 x 64"),
        ("img_3.tif", "img_3.tif and its mask mask_3.tif lie in different places"),
        ("img_4.tif", f"img_4.tif has no mask in {masks}"),
    ]


def series(root: Path, count: int) -> None:
    """Dates of one file for one band, each with a second band: the data mask."""
    for day in range(1, count + 1):
        write_tif(root / f"202107{day:02d}_B02.tif", np.stack([PIXELS[0], PIXELS[0] > 0]).astype("uint16"), GRID.affine)


@pytest.mark.parametrize(("others", "refused"), [(18, True), (8, False)])
def test_a_file_unlike_nearly_all_others_is_refused(tmp_path: Path, others: int, refused: bool) -> None:
    series(tmp_path, others)
    write_tif(tmp_path / "20210801_B02.tif", PIXELS[:1], GRID.affine)
    write_tif(tmp_path / "20210802_B02.tif", PIXELS[:2, ::2, ::2], GRID.affine @ Affine.scale(2))
    report = index(tmp_path, ArchiveRules(), "sentinel-2-l2a")
    reasons = [r.reason.split(";")[0] for r in report.refused]
    assert report.images == others + (0 if refused else 2)
    assert reasons == (
        [
            "20210801_B02.tif has 1 band where nearly all files like it have 2",
            "20210802_B02.tif has pixels of 20.0 m where nearly all files like it have 10.0 m",
        ]
        if refused
        else []
    )


def test_an_image_without_any_observed_pixel_is_refused(good: Path) -> None:
    write_tif(good / "empty.tif", np.zeros_like(PIXELS), GRID.affine)
    corner = np.zeros((4, 400, 400), dtype=np.uint16)
    corner[:, 399, 0] = 1
    write_tif(good / "corner.tif", corner, GRID.affine)
    write_tif(good / "missing.tif", np.full_like(PIXELS, 7), GRID.affine, nodata=7)
    report = index(good)
    assert [(r.path, r.reason.split(";")[0]) for r in report.refused] == [
        ("empty.tif", "empty has no observed pixel in any band"),
        ("missing.tif", "missing has no observed pixel in any band"),
    ]
    assert [i.id for i in images(report)] == ["corner", "good"]


def test_one_file_a_band_makes_one_image(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        for band in ("B04", "B8A", "B02"):
            write_tif(tmp_path / folder / f"T1_20210704T09_{band}.tif", PIXELS[:1], GRID.affine)
    report = index(tmp_path, ArchiveRules(), "sentinel-2-l2a")
    assert [(i.id, i.bands) for i in images(report)] == [
        ("one/T1_20210704T09", ("blue", "red", "nir08")),
        ("two/T1_20210704T09", ("blue", "red", "nir08")),
    ]


def test_two_files_for_one_band_are_refused(tmp_path: Path) -> None:
    for name in ("B02", "B2"):
        write_tif(tmp_path / f"20210704_{name}.tif", PIXELS[:1], GRID.affine)
    report = index(tmp_path, ArchiveRules(), "sentinel-2-l2a")
    assert report.images == 0
    assert {r.reason for r in report.refused} == {"20210704 has more than one file for blue; keep one of them"}


def test_bands_are_read_from_descriptions(tmp_path: Path) -> None:
    write_tif(tmp_path / "20210704.tif", PIXELS, GRID.affine, bands=("B4", "B8", "B10", "cloud"))
    (image,) = images(index(tmp_path, ArchiveRules(), "sentinel-2-l2a"))
    assert [(a.band, a.index) for a in image.assets] == [("red", 1), ("nir", 2)]


def test_dates_are_overridden_by_file_folder_or_pattern(tmp_path: Path) -> None:
    for path in ("a/20210101", "a/20210102", "b/c/20210103", "d/20210104"):
        write_tif(tmp_path / f"{path}.tif", PIXELS, GRID.affine)
    overrides = {"a": "2016-09-16", "a/20210102.tif": "2016-10-01", "b/*": "2016-01-01/2016-02-01"}
    found = images(index(tmp_path, ArchiveRules(bands=BANDS4, date_overrides=overrides)))
    assert [(i.start.isoformat(), i.end.isoformat()) for i in found] == [
        ("2016-09-16", "2016-09-16"),
        ("2016-10-01", "2016-10-01"),
        ("2016-01-01", "2016-02-01"),
        ("2021-01-04", "2021-01-04"),
    ]


def test_the_archives_own_folder_may_say_the_days(tmp_path: Path) -> None:
    write_tif(tmp_path / "a_2021-06_2021-08_mosaic" / "q.tif", PIXELS, GRID.affine)
    (image,) = images(index(tmp_path / "a_2021-06_2021-08_mosaic", ArchiveRules(bands=BANDS4)))
    assert (image.start.isoformat(), image.end.isoformat()) == ("2021-06-01", "2021-08-31")


def test_a_doubtful_offset_has_to_be_settled(tmp_path: Path) -> None:
    for baseline in ("N0214", "N0509"):
        write_tif(tmp_path / f"S2A_MSIL2A_20210704T1_{baseline}_R1.tif", PIXELS, GRID.affine)
    open_question = index(tmp_path, ArchiveRules(bands=BANDS4), "sentinel-2-l2a")
    assert "processing baseline 05.09" in reason(open_question)
    settled = images(index(tmp_path, ArchiveRules(bands=BANDS4, offset=-0.1), "sentinel-2-l2a"))
    assert [(i.processing_baseline, i.assets[0].offset) for i in settled] == [("02.14", 0.0), ("05.09", -0.1)]


@pytest.mark.parametrize(
    ("rules", "sentence"),
    [
        (ArchiveRules(bands=("blue", "swir16")), "planet-nicfi has no band swir16"),
        (ArchiveRules(date="last summer"), "'last summer' is no date"),
        (ArchiveRules(date="2021-13-01"), "is no date"),
        (ArchiveRules(date="2021-07-01", year=2021), "either a date or a year"),
        (ArchiveRules(date_overrides={"a": "2021"}), "'2021' is no date"),
    ],
)
def test_wrong_rules_are_said_at_once(good: Path, rules: ArchiveRules, sentence: str) -> None:
    with pytest.raises(BadInputError, match=sentence):
        index(good, rules)


def test_folders_without_files_and_prefixes_without_names_are_said(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="holds no file that matches"):
        index(tmp_path)
    with pytest.raises(BadInputError, match="is no folder"):
        index(tmp_path / "none")
    with pytest.raises(BadInputError, match="cannot be listed"):
        index_archive("https://example.org/tiles", name="x", product="planet-nicfi")


def test_an_index_that_is_no_index_is_refused() -> None:
    for data in (b"", b"[]", b'{"features": [{}]}', b'{"features": [{"id": 1, "properties": {}}]}'):
        with pytest.raises(BadInputError, match="index of the archive x cannot be read"):
            read_index("x", ".", data)


@pytest.mark.parametrize(
    "options", [{}, {"BIGTIFF": "YES"}, {"ENDIANNESS": "BIG"}, {"TILED": "YES", "COMPRESS": "LZW"}]
)
def test_the_size_of_a_file_follows_from_its_directories(tmp_path: Path, options: dict[str, str]) -> None:
    import rasterio

    path = tmp_path / "a.tif"
    profile = {"driver": "GTiff", "count": 4, "height": 64, "width": 64, "dtype": "uint16", "crs": "EPSG:32720"}
    with rasterio.open(path, "w", transform=GRID.affine, **profile, **options) as target:
        target.write(PIXELS)
    with rasterio.open(path, "r+") as target:
        target.build_overviews([2, 4])
    assert expected_size(path) <= path.stat().st_size < expected_size(path) + 16
