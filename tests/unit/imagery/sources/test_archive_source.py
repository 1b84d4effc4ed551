"""The archive source on files whose every pixel is known."""

from datetime import date
from pathlib import Path

import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from archives import BANDS4, GRID, UTM, field, on_grid, ramp, stack, write_tif
from odc.geo.geobox import GeoBox

from minemap_assets.errors import BadInputError, NotCoveredError
from minemap_assets.geo.grid import footprint_wgs84, square_grid
from minemap_assets.imagery.files.images import read_index
from minemap_assets.imagery.seasons import SeasonRule
from minemap_assets.imagery.source import Composite
from minemap_assets.imagery.sources.archive.index import ArchiveRules, index_archive
from minemap_assets.imagery.sources.archive.source import STACK_BYTES, ArchiveSource

SEASON = SeasonRule().season(2021)
AROUND = Affine(10, 0, 499_480, 0, -10, 8_900_520)
"""20 pixels of margin around the grid, aligned with it."""

RULES = ArchiveRules(bands=BANDS4, date="2021-07-01")


def source(root: Path, rules: ArchiveRules = RULES, stack_bytes: int = STACK_BYTES) -> ArchiveSource:
    report = index_archive(str(root), name="test", product="planet-nicfi", rules=rules)
    assert report.refused == ()
    return ArchiveSource("planet-nicfi", [read_index("test", str(root), report.features)], stack_bytes=stack_bytes)


def read(root: Path, rules: ArchiveRules = RULES, grid: GeoBox = GRID) -> Composite:
    return source(root, rules).read(grid, SEASON, BANDS4)


def test_aligned_pixels_come_through_unchanged(tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(1, 30_000, (4, 104, 104)).astype(np.uint16)
    write_tif(tmp_path / "a.tif", pixels, AROUND)
    composite = read(tmp_path)
    np.testing.assert_array_equal(composite.pixels, pixels[:, 20:84, 20:84])
    assert composite.clear_fraction == 1.0
    assert (composite.clear_count == 1).all()


@pytest.mark.parametrize(
    ("crs", "transform", "shape", "tolerance"),
    [
        (UTM, Affine(10, 0, 499_483, 0, -10, 8_900_527), (104, 104), 1.0),
        (UTM, Affine(20, 0, 499_400, 0, -20, 8_900_600), (60, 60), 1.0),
        (UTM, Affine(15, 0, 499_400, 0, -15, 8_900_600), (80, 80), 1.0),
        (UTM, Affine(2.5, 0, 499_480, 0, -2.5, 8_900_520), (420, 420), 1.0),
        (UTM, Affine(10, 0, 499_480, 0, 10, 8_899_480), (104, 104), 1.0),
        (32719, Affine(10, 0, 1_158_000, 0, -10, 8_894_900), (200, 200), 1.5),
        (3857, Affine(4.777, 0, -7_013_700, 0, -4.777, -1_112_400), (400, 400), 1.5),
        (4326, Affine(9.3e-5, 0, -63.0055, 0, -9.3e-5, -9.9465), (150, 150), 1.5),
    ],
    ids=["shifted", "coarse", "finer-kernel", "fine", "south-up", "other-zone", "web-mercator", "degrees"],
)
def test_a_linear_ramp_keeps_its_values_through_any_crs(
    tmp_path: Path, crs: int, transform: Affine, shape: tuple[int, int], tolerance: float
) -> None:
    write_tif(tmp_path / "a.tif", stack(field(ramp, shape, transform, crs)), transform, f"EPSG:{crs}")
    composite = read(tmp_path)
    assert composite.clear_fraction == 1.0
    np.testing.assert_allclose(composite.pixels, stack(on_grid(ramp)), atol=tolerance)


def test_much_finer_pixels_are_averaged_by_area(tmp_path: Path) -> None:
    pixels = np.zeros((4, 320, 320), dtype=np.uint16)
    pixels[:, ::2, ::2] = 4000
    pixels[:, 1::2, ::2] = 2000
    pixels[:, :, 1::2] = 1000
    write_tif(tmp_path / "a.tif", pixels, Affine(2, 0, 499_680, 0, -2, 8_900_320))
    inner = read(tmp_path).pixels
    expected = np.array([[[pixels[0, r : r + 5, c : c + 5].mean() for c in (0, 5)] for r in (0, 5)]])
    np.testing.assert_allclose(inner[:, :2, :2], expected.repeat(4, axis=0), atol=0.51)


@pytest.mark.parametrize(
    ("values", "rules"),
    [
        (np.uint16(2500), ArchiveRules(bands=BANDS4, date="2021-07-01")),
        (np.float32(0.25), ArchiveRules(bands=BANDS4, date="2021-07-01")),
        (np.uint16(3500), ArchiveRules(bands=BANDS4, date="2021-07-01", offset=-0.1)),
        (np.float32(25), ArchiveRules(bands=BANDS4, date="2021-07-01", scale=0.01)),
        (np.uint8(50), ArchiveRules(bands=BANDS4, date="2021-07-01", scale=0.005)),
        (np.int16(2500), ArchiveRules(bands=BANDS4, date="2021-07-01")),
    ],
    ids=["uint16", "float", "offset", "percent", "byte", "int16"],
)
def test_numbers_become_reflectance_times_ten_thousand(tmp_path: Path, values: np.generic, rules: ArchiveRules) -> None:
    write_tif(tmp_path / "a.tif", np.full((4, 104, 104), values), AROUND)
    assert set(np.unique(read(tmp_path, rules).pixels)) == {2500}


def test_reflectance_below_zero_is_stored_as_the_darkest_and_above_one_as_it_is(tmp_path: Path) -> None:
    pixels = np.full((4, 104, 104), 0.5, dtype=np.float32)
    pixels[0], pixels[1, 20] = -0.02, 2.7
    write_tif(tmp_path / "a.tif", pixels, AROUND)
    composite = read(tmp_path, ArchiveRules(bands=BANDS4, date="2021-07-01", scale=1.0))
    assert set(np.unique(composite.pixels[0])) == {1}
    assert composite.pixels[1, 0, 0] == 27_000


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (-9999, np.int16),
        (-32768, np.int16),
        (32767, np.int16),
        (65535, np.uint16),
        (65534, np.uint16),
        (-9999.0, np.float32),
        (np.inf, np.float32),
    ],
)
def test_a_number_that_the_product_cannot_hold_is_no_ground_in_any_band(
    tmp_path: Path, number: float, kind: type[np.generic]
) -> None:
    pixels = np.full((4, 104, 104), 800, dtype=kind)
    pixels[2, 20, 20] = number
    pixels[:, 23:26, 20:84] = number
    write_tif(tmp_path / "a.tif", pixels, AROUND)
    composite = read(tmp_path, ArchiveRules(bands=BANDS4, date="2021-07-01", scale=1e-4))
    missing = np.zeros((64, 64), dtype=bool)
    missing[0, 0] = missing[3:6] = True
    np.testing.assert_array_equal(composite.pixels, np.where(missing, 0, 800)[None].repeat(4, axis=0))
    np.testing.assert_array_equal(composite.clear_count, ~missing)


def test_a_number_that_is_none_has_no_say_in_its_neighbours(tmp_path: Path) -> None:
    pixels = np.full((4, 208, 208), 800, dtype=np.int16)
    pixels[:, ::2, ::2] = -9999
    write_tif(tmp_path / "a.tif", pixels, Affine(5, 0, AROUND.c, 0, -5, AROUND.f))
    assert set(np.unique(read(tmp_path).pixels)) == {800}


def test_the_limits_hold_after_the_offset_of_the_baseline(tmp_path: Path) -> None:
    pixels = np.full((4, 104, 104), 1800, dtype=np.uint16)
    pixels[:, 20, 20:24] = (1, 999, 31_000, 31_001)
    write_tif(tmp_path / "a.tif", pixels, AROUND)
    rules = ArchiveRules(bands=BANDS4, date="2021-07-01", offset=-0.1)
    assert read(tmp_path, rules).pixels[0, 0, :5].tolist() == [1, 1, 30_000, 0, 800]


def test_an_image_of_fill_numbers_alone_is_refused(tmp_path: Path) -> None:
    write_tif(tmp_path / "a.tif", np.full((4, 104, 104), -9999, dtype=np.int16), AROUND)
    rules = ArchiveRules(bands=BANDS4, date="2021-07-01")
    report = index_archive(str(tmp_path), name="test", product="planet-nicfi", rules=rules)
    assert [r.reason for r in report.refused] == [
        "a has no observed pixel in any band; fetch it again if it should have"
    ]


@pytest.mark.parametrize("tag", [None, 0.0, 65535.0])
def test_a_zero_in_any_band_is_no_observation_whatever_the_tag_says(tmp_path: Path, tag: float | None) -> None:
    pixels = np.full((4, 104, 104), 800, dtype=np.uint16)
    pixels[:, 20, 20] = 0
    pixels[3, 30:33, 30:33] = 0
    write_tif(tmp_path / "a.tif", pixels, AROUND, nodata=tag)
    composite = read(tmp_path)
    missing = np.zeros((64, 64), dtype=bool)
    missing[0, 0] = missing[10:13, 10:13] = True
    np.testing.assert_array_equal(composite.pixels, np.where(missing, 0, 800)[None].repeat(4, axis=0))
    np.testing.assert_array_equal(composite.clear_count, ~missing)


def test_where_a_person_says_which_number_is_missing_zero_is_a_dark_pixel(tmp_path: Path) -> None:
    pixels = np.full((4, 104, 104), 800, dtype=np.int16)
    pixels[3, 30, 30] = 0
    pixels[:, 40, 40] = -1
    write_tif(tmp_path / "a.tif", pixels, AROUND)
    composite = read(tmp_path, ArchiveRules(bands=BANDS4, date="2021-07-01", nodata=-1))
    np.testing.assert_array_equal(composite.pixels[:, 10, 10], [800, 800, 800, 1])
    assert not composite.pixels[:, 20, 20].any()


@pytest.mark.parametrize("missing", [0.0, 65535.0])
def test_declared_nodata_in_one_band_hides_the_pixel(tmp_path: Path, missing: float) -> None:
    pixels = np.full((4, 104, 104), 800, dtype=np.uint16)
    pixels[3, 30, 30] = missing
    write_tif(tmp_path / "a.tif", pixels, AROUND, nodata=missing)
    assert not read(tmp_path).pixels[:, 10, 10].any()


def test_nan_is_not_observed(tmp_path: Path) -> None:
    pixels = np.full((4, 104, 104), 0.3, dtype=np.float32)
    pixels[:, 20:40, 20:84] = np.nan
    write_tif(tmp_path / "a.tif", pixels, AROUND, nodata=np.nan)
    assert read(tmp_path).clear_fraction == 1 - 20 / 64


def test_gaps_do_not_bleed_into_their_neighbours(tmp_path: Path) -> None:
    pixels = np.full((4, 104, 104), 800, dtype=np.uint16)
    pixels[:, :, :50] = 0
    write_tif(tmp_path / "a.tif", pixels, AROUND @ Affine.translation(0.3, 0.3))
    assert set(np.unique(read(tmp_path).pixels)) == {0, 800}


def test_an_alpha_band_hides_pixels_and_is_no_band(tmp_path: Path) -> None:
    pixels = np.full((5, 104, 104), 800, dtype=np.uint16)
    pixels[4] = 65535
    pixels[4, :52] = 0
    write_tif(tmp_path / "quad.tif", pixels, AROUND, alpha=True)
    composite = read(tmp_path)
    assert not composite.pixels[:, :32].any()
    assert (composite.pixels[:, 32:] == 800).all()


def test_a_mask_inside_the_file_hides_pixels(tmp_path: Path) -> None:
    path = write_tif(tmp_path / "a.tif", np.full((4, 104, 104), 800, dtype=np.uint16), AROUND)
    mask = np.full((104, 104), 255, dtype=np.uint8)
    mask[:52] = 0
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "r+") as target:
        target.write_mask(mask)
    composite = read(tmp_path)
    assert not composite.pixels[:, :32].any()
    assert (composite.pixels[:, 32:] == 800).all()


def test_bands_are_found_by_name_in_any_order(tmp_path: Path) -> None:
    write_tif(tmp_path / "a.tif", stack(np.full((104, 104), 1000.0)), AROUND, bands=("nir", "red", "green", "blue"))
    composite = source(tmp_path, ArchiveRules(date="2021-07-01")).read(GRID, SEASON, ("red", "blue"))
    assert composite.bands == ("red", "blue")
    np.testing.assert_array_equal(composite.pixels[:, 0, 0], [1100, 1300])


def test_one_file_a_band_at_its_own_pixel_size(tmp_path: Path) -> None:
    coarse = Affine(20, 0, 499_480, 0, -20, 8_900_520)
    for name, transform, size, shift in (("B02", AROUND, 104, 0), ("B8A", coarse, 52, 500)):
        values = field(ramp, (size, size), transform, UTM) + shift
        write_tif(tmp_path / "scene" / f"T20_20210704T1_{name}.tif", stack(values, 1), transform)
    report = index_archive(str(tmp_path), name="s2", product="sentinel-2-l2a")
    assert (report.images, report.refused) == (1, ())
    archive = ArchiveSource("sentinel-2-l2a", [read_index("s2", str(tmp_path), report.features)])
    composite = archive.read(GRID, SEASON, ("nir08", "blue"))
    np.testing.assert_allclose(composite.pixels, np.stack([on_grid(ramp) + 500, on_grid(ramp)]), atol=1.0)
    assert composite.provenance.acquisitions == ("scene/T20_20210704T1",)


def tile(root: Path, name: str, columns: slice, value: int) -> None:
    width = columns.stop - columns.start
    transform = AROUND @ Affine.translation(columns.start, 0)
    write_tif(root / f"{name}.tif", np.full((4, 104, width), value, dtype=np.uint16), transform)


def test_tiles_of_one_day_are_one_observation(tmp_path: Path) -> None:
    tile(tmp_path, "20210701_a", slice(0, 60), 1000)
    tile(tmp_path, "20210701_b", slice(50, 104), 2000)
    composite = read(tmp_path, ArchiveRules(bands=BANDS4))
    np.testing.assert_array_equal(composite.pixels[0, 0], [1000] * 40 + [2000] * 24)
    assert (composite.clear_count == 1).all()
    assert composite.provenance.acquisitions == ("20210701_a", "20210701_b")


def test_days_are_combined_and_counted(tmp_path: Path) -> None:
    tile(tmp_path, "2021-06-01", slice(0, 104), 9000)
    tile(tmp_path, "20210801", slice(0, 52), 2000)
    tile(tmp_path, "20210901", slice(0, 50), 1000)
    tile(tmp_path, "2021-11", slice(0, 48), 3000)
    tile(tmp_path, "20211201", slice(0, 104), 50)
    composite = read(tmp_path, ArchiveRules(bands=BANDS4))
    np.testing.assert_array_equal(composite.pixels[0, 0, [0, 31]], [2500, 5500])
    np.testing.assert_array_equal(composite.clear_count[0, [0, 29, 31, 40]], [4, 3, 2, 1])
    assert (composite.provenance.first_date, composite.provenance.last_date) == ("2021-06-01", "2021-11-30")


def test_a_mosaic_for_a_year_belongs_to_that_year_only(tmp_path: Path) -> None:
    tile(tmp_path, "whole", slice(0, 104), 1000)
    archive = source(tmp_path, ArchiveRules(bands=BANDS4, year=2020))
    across = SeasonRule(first_month=12, last_month=3)
    assert archive.read(GRID, across.season(2020), BANDS4).clear_fraction == 1.0
    with pytest.raises(NotCoveredError):
        archive.read(GRID, across.season(2019), BANDS4)


def test_what_is_elsewhere_or_of_another_season_is_not_covered(tmp_path: Path) -> None:
    tile(tmp_path, "20210701", slice(0, 104), 1000)
    archive = source(tmp_path, ArchiveRules(bands=BANDS4))
    with pytest.raises(NotCoveredError, match="2022-06-01 to 2022-12-01"):
        archive.read(GRID, SeasonRule().season(2022), BANDS4)
    with pytest.raises(NotCoveredError):
        archive.read(square_grid(600_000, 8_900_000, 64, UTM, 10.0), SEASON, BANDS4)


def test_a_partly_covered_grid_says_how_much(tmp_path: Path) -> None:
    tile(tmp_path, "20210701", slice(0, 36), 1000)
    archive = source(tmp_path, ArchiveRules(bands=BANDS4))
    composite = archive.read(GRID, SEASON, BANDS4)
    assert composite.clear_fraction == 0.25
    available = archive.available(footprint_wgs84(GRID), SEASON)
    assert available.images == 1
    assert available.covered_share == pytest.approx(0.25, abs=0.005)
    assert archive.available(shapely.box(0, 0, 1, 1), SEASON).covered_share == 0.0


def test_a_band_that_the_archive_lacks_is_named(tmp_path: Path) -> None:
    write_tif(tmp_path / "a.tif", stack(np.full((104, 104), 900.0), 3), AROUND)
    archive = source(tmp_path, ArchiveRules(bands=("blue", "green", "red"), date="2021-07-01"))
    with pytest.raises(BadInputError, match="no band nir here, only blue, green, red"):
        archive.read(GRID, SEASON, BANDS4)


def test_blocks_of_rows_give_the_same_composite(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    degrees = Affine(7e-5, 0, -63.0055, 0, -7e-5, -9.9465)
    for day in (1, 2, 3):
        pixels = rng.integers(0, 3, (1, 150, 180)) * rng.integers(1, 9000, (4, 150, 180))
        write_tif(tmp_path / f"2021070{day}.tif", pixels.astype(np.uint16), degrees, "EPSG:4326")
    rules = ArchiveRules(bands=BANDS4)
    whole = source(tmp_path, rules).read(GRID, SEASON, BANDS4)
    parts = source(tmp_path, rules, stack_bytes=1).read(GRID, SEASON, BANDS4)
    np.testing.assert_array_equal(parts.pixels, whole.pixels)
    np.testing.assert_array_equal(parts.clear_count, whole.clear_count)
    assert parts.provenance.acquisitions == whole.provenance.acquisitions


@pytest.mark.parametrize("damage", ["cut", "removed", "zeroed"])
def test_a_file_damaged_after_indexing_is_named(tmp_path: Path, damage: str) -> None:
    noise = np.random.default_rng(2).integers(1, 9000, (4, 104, 104)).astype(np.uint16)
    path = write_tif(tmp_path / "20210701.tif", noise, AROUND, compress="deflate")
    archive = source(tmp_path, ArchiveRules(bands=BANDS4))
    data = path.read_bytes()
    if damage == "removed":
        path.unlink()
    else:
        half = len(data) // 2
        path.write_bytes(data[:half] + (bytes(len(data) - half) if damage == "zeroed" else b""))
    with pytest.raises(BadInputError, match=r"20210701\.tif .*(fetch it again|index the archive again)"):
        archive.read(GRID, SEASON, BANDS4)


def test_revisions_change_with_the_files_they_speak_of(tmp_path: Path) -> None:
    rules = ArchiveRules(bands=BANDS4)
    tile(tmp_path, "20200701", slice(0, 104), 1000)
    tile(tmp_path, "20210701", slice(0, 104), 1000)
    old = source(tmp_path, rules)
    assert source(tmp_path, rules).revision == old.revision
    assert sorted(old.latest().revisions) == [2020, 2021]
    tile(tmp_path, "20210801", slice(0, 104), 1000)
    new = source(tmp_path, rules)
    assert new.revision != old.revision
    assert new.latest().revisions[2020] == old.latest().revisions[2020]
    assert new.latest().revisions[2021] != old.latest().revisions[2021]
    assert new.revision_for(GRID, SeasonRule().season(2020)) == old.revision_for(GRID, SeasonRule().season(2020))
    assert new.revision_for(GRID, SEASON) != old.revision_for(GRID, SEASON)
    newest = new.latest().newest
    assert newest is not None
    assert newest.date() == date(2021, 8, 1)


def test_seasons_across_new_year_have_their_own_revisions(tmp_path: Path) -> None:
    tile(tmp_path, "20180309", slice(0, 104), 1000)
    tile(tmp_path, "20180709", slice(0, 104), 1000)
    archive = source(tmp_path, ArchiveRules(bands=BANDS4))
    assert list(archive.latest_by_season(SeasonRule(first_month=12, last_month=3)).revisions) == [2017]
    assert list(archive.latest_by_season(SeasonRule()).revisions) == [2018]


def test_provenance_tells_terms_baseline_and_offset(tmp_path: Path) -> None:
    write_tif(tmp_path / "a.tif", np.full((4, 104, 104), 3500, dtype=np.uint16), AROUND)
    rules = ArchiveRules(
        bands=BANDS4, date="2021-07-01", offset=-0.1, processing_baseline="05.09", terms="own", redistributable=True
    )
    facts = read(tmp_path, rules).provenance
    assert (facts.source, facts.product) == ("archive", "planet-nicfi")
    assert (facts.terms, facts.redistributable, facts.processing_baseline) == ("own", True, "05.09")
    assert facts.offset == pytest.approx(-1000)
    assert facts.bytes_read > 0
