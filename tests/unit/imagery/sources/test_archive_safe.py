"""Sentinel-2 products in their makers' folders and ZIP archives: the pixels of the same numbers as GeoTIFF."""

import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from zipfile import ZIP_DEFLATED

import numpy as np
import pytest
import shapely
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from shapely.geometry.base import BaseGeometry

from minemap_assets.errors import BadInputError
from minemap_assets.geo.grid import footprint_wgs84, square_grid
from minemap_assets.imagery.files.images import read_index
from minemap_assets.imagery.products import SENTINEL2_BANDS, product
from minemap_assets.imagery.seasons import SeasonRule
from minemap_assets.imagery.source import Composite
from minemap_assets.imagery.sources.archive.index import ArchiveRules, IndexReport, index_archive
from minemap_assets.imagery.sources.archive.product_detection import FolderReport, index_folder
from minemap_assets.imagery.sources.archive.source import ArchiveSource
from safe_scenes import (
    CORNER,
    EARLIER_1C,
    EARLIER_2A,
    EPSG,
    LEVEL_1C,
    LEVEL_2A,
    OLD_1C,
    RECORDED,
    Form,
    Numbers,
    ground,
    packed,
    real_numbers,
    write_safe,
    write_tif,
)

MIDDLE = CORNER[0] + 600.0, CORNER[1] - 600.0


def from_beside(easting: float, northing: float, epsg: int, pixels: int) -> GeoBox:
    """A grid in the UTM zone to the east, around a place of a zone."""
    x, y = Transformer.from_crs(epsg, epsg + 1, always_xy=True).transform(easting, northing)
    return square_grid(x, y, pixels, epsg + 1, 10.0)


GRIDS = {
    "own pixels": square_grid(*MIDDLE, 80, EPSG, 10.0),
    "over the edge": square_grid(CORNER[0] + 200.0, CORNER[1] - 700.0, 64, EPSG, 10.0),
    "zone beside": from_beside(*MIDDLE, EPSG, 64),
}


@pytest.fixture(scope="module")
def data() -> Path:
    folder = os.environ.get("MINEMAP_TEST_DATA")
    if not folder:
        pytest.skip("MINEMAP_TEST_DATA is not set: the folder with real satellite files")
    return Path(folder)


@pytest.fixture(scope="module")
def numbers(data: Path) -> Numbers:
    """Real numbers as products from baseline 04.00 on hold them."""
    return real_numbers(data, 1000)


def classes() -> np.ndarray:
    """Scene classes of 20 m: a square of cloud and a strip of shadow."""
    found = np.full((1, 60, 60), 4, dtype=np.uint8)
    found[0, 20:31, 25:36], found[0, 40:43] = 9, 3
    return found


def classi() -> np.ndarray:
    """Opaque cloud, cirrus and snow of 60 m."""
    found = np.zeros((3, 20, 20), dtype=np.uint8)
    found[0, 5:9, 8:12], found[1, 13:15], found[2, 2:18, 16:18] = 1, 1, 1
    return found


def bands_of(form: Form, numbers: Numbers) -> Numbers:
    """Those that a level has; new products of Level-2A bring B01 in pixels of 20 m as well."""
    own = {name: pixels for name, pixels in numbers.items() if SENTINEL2_BANDS[name] in product(form.product).bands}
    return own | ({"B01": own["B01"].repeat(3, axis=0).repeat(3, axis=1)} if form is LEVEL_2A else {})


def read(report: IndexReport | FolderReport, root: Path, form: Form, grid: GeoBox) -> Composite:
    source = ArchiveSource(form.product, [read_index("t", str(root), report.features)])
    return source.read(grid, SeasonRule(first_month=1, last_month=12).season(int(form.day[:4])), bands(form))


def bands(form: Form) -> Sequence[str]:
    return product(form.product).bands


def everything(root: Path) -> FolderReport:
    """Every product and file of a folder, as a person has it indexed."""
    return index_folder(str(root), name="t", product=None, rules=ArchiveRules(), pattern="**/*.tif")


def as_tifs(root: Path, form: Form, numbers: Numbers, mask: np.ndarray) -> IndexReport:
    """The same numbers as GeoTIFF files with the offset that a person states, and the same pixels hidden."""
    folder = root / "scene"
    for name, pixels in numbers.items():
        write_tif(folder / f"{form.stem}_{name}.tif", pixels[np.newaxis], ground(10).zoom_to(pixels.shape))
    is_classes = form.product == "sentinel-2-l2a"
    shown = mask if is_classes else (mask[:2].max(axis=0))[np.newaxis]
    write_tif(folder / f"{form.stem}_{'SCL' if is_classes else 'CLM'}.tif", shown, ground(10).zoom_to(mask.shape[1:]))
    return index_archive(str(root), name="t", product=form.product, rules=ArchiveRules(offset=-0.1))


@pytest.mark.parametrize("form", [LEVEL_2A, LEVEL_1C], ids=["2A", "1C"])
def test_folder_and_zip_give_the_pixels_of_geotiff(tmp_path: Path, numbers: Numbers, form: Form) -> None:
    mask = classes() if form is LEVEL_2A else classi()
    own = bands_of(form, numbers)
    reference = as_tifs(tmp_path / "tifs", form, own, mask)
    folder = write_safe(tmp_path / "folders" / "2023", form, own, mask)
    packed(folder, tmp_path / "zips" / "a" / f"{form.folder}.zip")
    packed(folder, tmp_path / "small" / f"{form.folder.removesuffix('.SAFE')}.zip", ZIP_DEFLATED)
    reports = {root: everything(tmp_path / root) for root in ("folders", "zips", "small")}
    for name, grid in GRIDS.items():
        expected = read(reference, tmp_path / "tifs", form, grid)
        assert 0.3 < expected.clear_fraction < 0.99, name
        for root, report in reports.items():
            assert (report.refused, report.notes) == ((), ()), root
            found = read(report, tmp_path / root, form, grid)
            np.testing.assert_array_equal(found.pixels, expected.pixels, err_msg=f"{root}, {name}")
            np.testing.assert_array_equal(found.clear_count, expected.clear_count)
            facts = found.provenance
            assert facts.processing_baseline == form.baseline
            assert facts.offset == pytest.approx(-1000.0)
            assert facts.acquisition_days == (form.day,)
            assert facts.cloud_mask != "none"
    (image,) = reports["folders"].images
    assert image.id == f"2023/{form.folder.removesuffix('.SAFE')}"


def test_offsets_are_those_of_the_metadata_band_by_band(tmp_path: Path, numbers: Numbers) -> None:
    folder = write_safe(tmp_path, LEVEL_2A, bands_of(LEVEL_2A, numbers), classes())
    before = read(everything(tmp_path), tmp_path, LEVEL_2A, GRIDS["own pixels"])
    metadata = folder / "MTD_MSIL2A.xml"
    text = metadata.read_text().replace('band_id="3">-1000', 'band_id="3">-900')
    metadata.write_text(text.replace('<BOA_ADD_OFFSET band_id="8">-1000', '<BOA_ADD_OFFSET band_id="8">0'))
    after = read(everything(tmp_path), tmp_path, LEVEL_2A, GRIDS["own pixels"])
    moved = {"red": 100, "nir08": 1000}
    seen = before.pixels[0] > 0
    for place, band in enumerate(bands(LEVEL_2A)):
        apart = after.pixels[place][seen].astype(int) - before.pixels[place][seen]
        np.testing.assert_array_equal(apart, moved.get(band, 0), err_msg=band)


def test_products_from_before_the_offset_have_none(tmp_path: Path, data: Path) -> None:
    numbers = bands_of(EARLIER_2A, real_numbers(data))
    write_safe(tmp_path, EARLIER_2A, numbers, classes())
    found = read(everything(tmp_path), tmp_path, EARLIER_2A, GRIDS["own pixels"])
    rows = slice(20, 100)
    seen = found.pixels[0] > 0
    np.testing.assert_array_equal(found.pixels[1][seen], numbers["B02"][rows, rows][seen])
    assert (found.provenance.offset, found.provenance.processing_baseline) == (0.0, "02.08")


def test_the_finest_pixels_of_a_band_count(tmp_path: Path, numbers: Numbers) -> None:
    own = dict(bands_of(LEVEL_2A, numbers))
    folder = write_safe(tmp_path, LEVEL_2A, own, classes())
    dull = {name: np.full((20, 20), 5000, dtype=np.uint16) for name in ("B02", "B8A", "B11")}
    write_safe(tmp_path / "other", LEVEL_2A, dull, classes())
    shutil.copytree(tmp_path / "other" / LEVEL_2A.folder / "GRANULE", folder / "GRANULE", dirs_exist_ok=True)
    shutil.rmtree(tmp_path / "other")
    (image,) = everything(tmp_path).images
    assert {a.band: a.href.rpartition("_")[2] for a in image.assets if a.band in ("blue", "nir08", "swir16")} == {
        "blue": "10m.jp2",
        "nir08": "20m.jp2",
        "swir16": "20m.jp2",
    }


def test_outlines_of_clouds_hide_what_they_cover(tmp_path: Path) -> None:
    where = ground(10, 300, 32632, (501_000.0, 4_673_400.0))
    plain = {"B02": np.full((300, 300), 900, dtype=np.uint16), "B11": np.full((150, 150), 800, dtype=np.uint16)}
    write_safe(tmp_path / "a", EARLIER_1C, plain, (RECORDED / "clouds_0204.gml").read_bytes(), where=where)
    report = everything(tmp_path / "a")
    source = ArchiveSource("sentinel-2-l1c", [read_index("t", str(tmp_path / "a"), report.features)])
    season = SeasonRule(first_month=1, last_month=12).season(2017)
    found = source.read(where, season, ("blue", "swir16"))
    hidden = found.pixels[0] == 0
    # the outline goes round whole pixels of 60 m: rows from 4672440 down, its top side from 502440 to 502800
    assert hidden[96:102, 144:180].all()
    assert not hidden[95, 140:184].any()
    assert not hidden[96:102, 120:144].any()
    assert 100.0 * hidden.sum() == pytest.approx(clouds_in(shapely.box(*where.boundingbox.bbox)).area)
    assert set(np.unique(found.pixels[:, ~hidden])) == {800, 900}
    beside = source.read(from_beside(502_440.0, 4_672_440.0, 32632, 64), season, ("blue",))
    assert set(np.unique(beside.pixels)) == {0, 900}


def clouds_in(place: shapely.Polygon) -> BaseGeometry:
    """The recorded outlines of clouds within a place, found by none of the project's code."""
    rings = re.findall(r"<gml:posList[^>]*>([^<]+)<", (RECORDED / "clouds_0204.gml").read_text())
    corners = (np.array(ring.split(), dtype=float).reshape(-1, 2) for ring in rings)
    return shapely.union_all([shapely.Polygon(ring) for ring in corners]).intersection(place)


def test_the_naming_before_december_2016(tmp_path: Path, data: Path) -> None:
    numbers = {name: pixels for name, pixels in real_numbers(data).items() if name in ("B02", "B8A", "B10")}
    write_safe(tmp_path, OLD_1C, numbers, (RECORDED / "no_clouds.gml").read_bytes())
    report = everything(tmp_path)
    (image,) = report.images
    assert image.id == f"{OLD_1C.folder.removesuffix('.SAFE')}/{OLD_1C.granule}"
    assert (image.bands, image.start.isoformat()) == (("blue", "nir08", "cirrus"), "2016-09-05")
    reasons = {r.path.rpartition("/")[2]: r.reason for r in report.refused}
    assert len(reasons) == 11
    assert "is named in the product's metadata and is not there" in reasons[f"{OLD_1C.stem}_B12.jp2"]
    assert (
        "holds none of the tile's images" in reasons["S2A_OPER_MSI_L1C_TL_SGS__20160905T073438_A006291_T53HMA_N02.04"]
    )


def test_a_product_that_is_there_twice_counts_once(tmp_path: Path, numbers: Numbers) -> None:
    folder = write_safe(tmp_path, LEVEL_1C, {"B02": numbers["B02"]}, classi())
    packed(folder, tmp_path / "downloads" / f"{LEVEL_1C.folder}.zip")
    report = everything(tmp_path)
    assert len(report.images) == 1
    assert [r.reason for r in report.refused if "zip" in r.path] == [
        f"downloads/{LEVEL_1C.folder}.zip/{LEVEL_1C.folder} is the same product as {LEVEL_1C.folder}, which is used; "
        "keep one of them"
    ]


def test_a_person_may_point_at_the_product_itself(tmp_path: Path, numbers: Numbers) -> None:
    folder = write_safe(tmp_path / "a", LEVEL_1C, {"B02": numbers["B02"], "B03": numbers["B03"]}, classi())
    zipped = packed(folder, tmp_path / "b" / f"{LEVEL_1C.folder}.zip")
    one, other = everything(folder), everything(zipped)
    assert [i.id for i in one.images] == [i.id for i in other.images] == [LEVEL_1C.folder.removesuffix(".SAFE")]
    source = ArchiveSource(LEVEL_1C.product, [read_index("t", str(zipped), other.features)])
    season = SeasonRule(first_month=1, last_month=12).season(2023)
    assert source.read(GRIDS["own pixels"], season, ("blue", "green")).clear_fraction > 0.5


def test_a_product_of_another_level_than_was_asked_for_is_named(tmp_path: Path, numbers: Numbers) -> None:
    write_safe(tmp_path, LEVEL_1C, {"B02": numbers["B02"]}, classi())
    report = index_archive(str(tmp_path), name="t", product="sentinel-2-l2a")
    assert [r.reason for r in report.refused] == [
        f"{LEVEL_1C.folder} is of sentinel-2-l1c, not sentinel-2-l2a; index it without --product"
    ]


def test_bands_by_themselves_are_asked_for_their_offset(tmp_path: Path, numbers: Numbers) -> None:
    folder = write_safe(tmp_path / "whole", LEVEL_1C, {"B02": numbers["B02"], "B11": numbers["B11"]}, classi())
    shutil.copytree(folder / "GRANULE" / LEVEL_1C.granule / "IMG_DATA", tmp_path / "bands")
    report = everything(tmp_path / "bands")
    assert len(report.refused) == 2
    assert "may or may not be shifted by 1000; say so with an offset of -0.1 or 0" in report.refused[0].reason
    rules = ArchiveRules(offset=-0.1)
    report = index_folder(str(tmp_path / "bands"), name="t", product=None, rules=rules, pattern="**/*.tif")
    assert [(i.product, i.bands, i.clouds) for i in report.images] == [("sentinel-2-l1c", ("blue", "swir16"), ())]
    found = ArchiveSource(LEVEL_1C.product, [read_index("t", str(tmp_path / "bands"), report.features)]).read(
        GRIDS["own pixels"], SeasonRule(first_month=1, last_month=12).season(2023), ("blue",)
    )
    np.testing.assert_array_equal(found.pixels[0], np.maximum(numbers["B02"][20:100, 20:100], 1000) - 1000)


def test_a_zip_that_changed_after_indexing_is_named(tmp_path: Path, numbers: Numbers) -> None:
    folder = write_safe(tmp_path / "a", LEVEL_1C, {"B02": numbers["B02"]}, classi())
    zipped = packed(folder, tmp_path / "b" / f"{LEVEL_1C.folder}.zip")
    report = everything(zipped.parent)
    source = ArchiveSource(LEVEL_1C.product, [read_index("t", str(zipped.parent), report.features)])
    season = SeasonRule(first_month=1, last_month=12).season(2023)
    data = zipped.read_bytes()
    zipped.write_bytes(data[:-100])
    with pytest.raises(BadInputError, match=r"\.zip has \d+ bytes and had \d+ when it was indexed"):
        source.read(GRIDS["own pixels"], season, ("blue",))
    zipped.write_bytes(data[:3000] + bytes(len(data) - 6000) + data[-3000:])
    with pytest.raises(BadInputError, match="cut off or damaged"):
        source.read(GRIDS["own pixels"], season, ("blue",))
    zipped.unlink()
    with pytest.raises(BadInputError, match="does not exist"):
        source.read(GRIDS["own pixels"], season, ("blue",))


def test_the_footprint_is_where_the_product_says_it_shows_something(tmp_path: Path) -> None:
    where = ground(10, 300, 32634, (601_980.0, 6_320_040.0))
    west, south, east, north = footprint_wgs84(where).bounds
    middle = (west + east) / 2
    write_safe(
        tmp_path,
        EARLIER_2A,
        {"B02": np.full((300, 300), 900, np.uint16)},
        np.full((1, 150, 150), 4, np.uint8),
        where=where,
    )
    (whole,) = everything(tmp_path).images
    assert whole.geometry.hausdorff_distance(footprint_wgs84(where)) < 1e-6
    metadata = tmp_path / EARLIER_2A.folder / EARLIER_2A.metadata
    half = f"{south} {west - 1} {south} {middle - 0.02} {north} {middle - 0.02} {north} {west - 1} {south} {west - 1}"
    metadata.write_text(re.sub("(?<=<EXT_POS_LIST>)[^<]*", half, metadata.read_text()))
    (part,) = everything(tmp_path).images
    assert part.geometry.bounds[2] == pytest.approx(middle, abs=1e-3)
    assert part.geometry.within(whole.geometry.buffer(1e-6))
