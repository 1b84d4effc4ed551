"""Dates, bands and baselines in names as archives really use them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minemap_assets.imagery.files.scene_names import band_of_file, baseline_of, common_band, days_of_file
from minemap_assets.imagery.products import SENTINEL2_BANDS


@pytest.mark.parametrize(
    ("path", "start", "end"),
    [
        ("imgs_1/T49QCD_20161209T031122_B02.tif", "2016-12-09", "2016-12-09"),
        ("S2A_OPER_MSI_L1C_TL_EPA__20161227T091305_A001222_T22LHH_B02.tif", "2016-12-27", "2016-12-27"),
        ("planet_medres_normalized_analytic_2019-06_2019-11_mosaic/680-1018.tif", "2019-06-01", "2019-11-30"),
        ("planet_medres_normalized_analytic_2020-12_mosaic/680-1018.tif", "2020-12-01", "2020-12-31"),
        ("2020-02-29/quad.tif", "2020-02-29", "2020-02-29"),
        ("2019/20200612/680-1018.tif", "2020-06-12", "2020-06-12"),
        ("mosaic_2020-02.tif", "2020-02-01", "2020-02-29"),
    ],
)
def test_days_in_names(path: str, start: str, end: str) -> None:
    days = days_of_file(path)
    assert days is not None
    assert (days.start.isoformat(), days.end.isoformat()) == (start, end)


@pytest.mark.parametrize(
    "path", ["img_31.tif", "680-1018.tif", "20211301.tif", "120210101.tif", "2021/a.tif", "L15-1234E"]
)
def test_names_without_days(path: str) -> None:
    assert days_of_file(path) is None


@pytest.mark.parametrize(
    ("path", "stem", "band"),
    [
        ("a/T49QCD_20161209T031122_B8A.tif", "a/T49QCD_20161209T031122", "nir08"),
        ("T32_20210101_B04_10m.tif", "T32_20210101", "red"),
        ("scene-red.tif", "scene", "red"),
        ("scene_rededge1.tif", "scene", "rededge1"),
        ("20210101/B2.tif", "20210101/scene", "blue"),
        ("20210101/nir.tif", "20210101/scene", "nir"),
    ],
)
def test_bands_in_names(path: str, stem: str, band: str) -> None:
    named = band_of_file(path)
    assert named is not None
    assert (named.stem, named.band) == (stem, band)


@pytest.mark.parametrize("path", ["img_31.tif", "scene_B99.tif", "infrared.tif", "scene_AB02.tif", "B02_scene.tif"])
def test_names_without_bands(path: str) -> None:
    assert band_of_file(path) is None


@given(st.sampled_from(sorted(SENTINEL2_BANDS.items())), st.booleans(), st.booleans())
def test_every_way_to_write_a_sentinel_band(pair: tuple[str, str], lower: bool, short: bool) -> None:
    name, common = pair
    written = name.replace("B0", "B") if short else name
    assert common_band(written.lower() if lower else written) == common


def test_baselines() -> None:
    assert baseline_of("S2A_MSIL2A_20220101T100411_N0301_R122_T33UUP") == "03.01"
    assert baseline_of("x/S2B_MSIL1C_20240101T100411_N0510") == "05.10"
    assert baseline_of("T33_N12_scene") == ""
