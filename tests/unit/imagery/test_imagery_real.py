"""Real Sentinel-2 files through the archive source, against a reading that shares no code with it."""

import os
from collections.abc import Sequence
from pathlib import Path

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pytest
import rasterio
from odc.geo.geobox import GeoBox
from pyproj import Transformer

from minemap_assets.errors import BadInputError, NotFoundError
from minemap_assets.geo.grid import at_resolution, footprint_wgs84, square_grid, to_columns, utm_epsg
from minemap_assets.imagery.build import build_imagery
from minemap_assets.imagery.files.images import read_index
from minemap_assets.imagery.products import SENTINEL2_BANDS
from minemap_assets.imagery.reader import open_imagery
from minemap_assets.imagery.seasons import SeasonRule
from minemap_assets.imagery.sources.archive.index import ArchiveRules, IndexReport, index_archive
from minemap_assets.imagery.sources.archive.source import ArchiveSource
from minemap_assets.lake.lake import Lake, build_partition
from minemap_assets.lake.manifests import PartitionRef
from minemap_assets.lake.writer import PartitionWriter

RULE = SeasonRule(first_month=12, last_month=3)
PRODUCT = "sentinel-2-l1c"
BEIHAI = (109.53, 21.57)
RGB = ("blue", "green", "red")


@pytest.fixture(scope="module")
def data() -> Path:
    folder = os.environ.get("MINEMAP_TEST_DATA")
    if not folder:
        pytest.skip("MINEMAP_TEST_DATA is not set: the folder with real satellite files")
    return Path(folder)


@pytest.fixture(scope="module")
def beihai(data: Path) -> Path:
    return data / "oscd-sentinel2-l1c" / "beihai"


@pytest.fixture(scope="module")
def tailings(data: Path) -> Path:
    return data / "tailings-seg-s2-brazil"


def archive(root: Path, report: IndexReport) -> ArchiveSource:
    return ArchiveSource(PRODUCT, [read_index("real", str(root), report.features)])


def ten_metres(longitude: float, latitude: float, pixels: int) -> GeoBox:
    epsg = utm_epsg(longitude, latitude)
    easting, northing = Transformer.from_crs(4326, epsg, always_xy=True).transform(longitude, latitude)
    return at_resolution(square_grid(easting, northing, pixels, epsg), 10.0)


def bilinear(path: Path, band: int, grid: GeoBox) -> npt.NDArray[np.float64]:
    """Raw values at the grid's pixel centres, interpolated by hand in numpy; NaN outside the file."""
    rows, columns = np.mgrid[: grid.shape[0], : grid.shape[1]] + 0.5
    x, y = grid.affine.c + columns * grid.affine.a, grid.affine.f + rows * grid.affine.e
    with rasterio.open(path) as source:
        values = source.read(band).astype(np.float64)
        place = Transformer.from_crs(str(grid.crs), source.crs, always_xy=True)
        a = source.transform
    longitude, latitude = place.transform(x, y)
    column, row = (np.asarray(longitude) - a.c) / a.a, (np.asarray(latitude) - a.f) / a.e
    inside = (column >= 0) & (column <= values.shape[1]) & (row >= 0) & (row <= values.shape[0])
    column = np.clip(column - 0.5, 0, values.shape[1] - 1.000001)
    row = np.clip(row - 0.5, 0, values.shape[0] - 1.000001)
    c, r = column.astype(int), row.astype(int)
    u, v = column - c, row - r
    top = values[r, c] * (1 - u) + values[r, c + 1] * u
    bottom = values[r + 1, c] * (1 - u) + values[r + 1, c + 1] * u
    return np.where(inside, top * (1 - v) + bottom * v, np.nan)


def assert_close(pixels: npt.NDArray[np.uint16], expected: npt.NDArray[np.float64]) -> None:
    """Positions may differ by a hundredth of a pixel, so values by a hundredth of the local contrast."""
    difference = np.abs(pixels.astype(np.float64) - expected)
    assert np.median(difference) <= 1.0
    assert np.percentile(difference, 99.9) <= 15.0


def test_all_thirteen_bands_of_two_dates_match_an_independent_reading(beihai: Path) -> None:
    source = archive(beihai, index_archive(str(beihai), name="beihai", product=PRODUCT))
    grid = ten_metres(*BEIHAI, 512)
    for year, folder, day in ((2016, "imgs_1", "2016-12-09"), (2017, "imgs_2", "2018-03-09")):
        composite = source.read(grid, RULE.season(year), tuple(SENTINEL2_BANDS.values()))
        assert composite.clear_fraction == 1.0
        assert composite.provenance.first_date == composite.provenance.last_date == day
        for place, name in enumerate(SENTINEL2_BANDS):
            (path,) = (beihai / folder).glob(f"*_{name}.tif")
            assert_close(composite.pixels[place], bilinear(path, 1, grid))
    with pytest.raises(NotFoundError):
        source.read(grid, RULE.season(2018), RGB)


def test_five_cities_are_indexed_and_wrong_dates_corrected(data: Path) -> None:
    root = data / "oscd-sentinel2-l1c"
    corrections = {f"{city}/imgs_1": day for city, day in _first_dates(root).items()}
    report = index_archive(str(root), name="oscd", product=PRODUCT, rules=ArchiveRules(date_overrides=corrections))
    assert report.refused == ()
    images = read_index("oscd", str(root), report.features).images
    assert len(images) == 10
    assert all(len(image.assets) == 13 for image in images)
    starts = {image.id.split("/")[0]: image.start.isoformat() for image in images if "/imgs_1/" in image.id}
    assert starts == {
        "aguasclaras": "2015-09-16",
        "beihai": "2016-12-09",
        "brasilia": "2015-09-16",
        "mumbai": "2015-11-30",
        "rio": "2016-04-24",
    }


def _first_dates(root: Path) -> dict[str, str]:
    return {
        path.parent.name: path.read_text().splitlines()[0].removeprefix("date_1: ").strip()
        for path in root.glob("*/dates.txt")
    }


@pytest.mark.parametrize("with_masks", [True, False])
def test_the_malformed_image_is_refused_and_no_other(tailings: Path, with_masks: bool) -> None:
    masks = str(tailings / "mask_tiff") if with_masks else None
    report = index_archive(
        str(tailings / "img_tiff"), name="t", product=PRODUCT, rules=ArchiveRules(year=2021), masks=masks
    )
    assert report.images == 35
    assert [r.path for r in report.refused] == ["img_23.tif"]
    expected = "448 x 48 pixels and its mask mask_23.tif 448 x 448" if with_masks else "times longer on one side"
    assert expected in report.refused[0].reason


def test_float_reflectance_of_three_bands_matches_an_independent_reading(tailings: Path) -> None:
    root = tailings / "img_tiff"
    source = archive(root, index_archive(str(root), name="t", product=PRODUCT, rules=ArchiveRules(year=2021)))
    with rasterio.open(root / "img_27.tif") as file:
        longitude, latitude = file.transform @ (file.width / 2, file.height / 2)
    grid = ten_metres(longitude, latitude, 256)
    composite = source.read(grid, SeasonRule().season(2021), RGB)
    assert composite.provenance.acquisitions == ("img_27",)
    for place in range(3):
        assert_close(composite.pixels[place], bilinear(root / "img_27.tif", place + 1, grid) * 10_000)
    with pytest.raises(BadInputError, match="no band nir here, only blue, green, red"):
        source.read(grid, SeasonRule().season(2021), (*RGB, "nir"))


def _sites(grids: Sequence[GeoBox]) -> gpd.GeoDataFrame:
    columns = [to_columns(grid) for grid in grids]
    return gpd.GeoDataFrame(
        {
            "site_id": [f"m{i}" for i in range(len(grids))],
            "crs": [c.crs for c in columns],
            "transform": [list(c.transform) for c in columns],
            "width": [c.width for c in columns],
            "height": [c.height for c in columns],
        },
        geometry=[footprint_wgs84(grid) for grid in grids],
        crs="EPSG:4326",
    )


def test_a_whole_partition_from_real_files(beihai: Path, tmp_path: Path) -> None:
    source = archive(beihai, index_archive(str(beihai), name="beihai", product=PRODUCT))
    epsg = utm_epsg(*BEIHAI)
    easting, northing = Transformer.from_crs(4326, epsg, always_xy=True).transform(*BEIHAI)
    sites = _sites([square_grid(easting + d, northing, 512, epsg) for d in (0.0, 2_500.0, 90_000.0)])
    lake = Lake.local(tmp_path / "lake", tmp_path / "state")
    ref = PartitionRef("imagery", "imagery", ("beihai", "2016"))

    def build(writer: PartitionWriter):  # type: ignore[no-untyped-def]
        return build_imagery(sites, [source], RULE.season(2016), (*RGB, "nir"), 0.5, writer)

    manifest, _ = build_partition(lake, ref, code_version="1", config={}, inputs={}, build=build)
    assert [m.item for m in manifest.missing] == ["m2"]
    images = open_imagery(lake.open(ref))
    assert images.site_ids == ("m0", "m1")
    assert images.read("m0").grid.shape == (256, 256)
    clear = dict(zip(images.index["site_id"], images.index["clear_fraction"], strict=True))
    assert clear["m0"] == 1.0
    assert 0.3 < clear["m1"] < 0.9
    with rasterio.open(lake.open(ref).file("m0.tif")) as file:
        assert file.descriptions == (*RGB, "nir", "clear_count")
        assert file.nodata == 0
        assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
