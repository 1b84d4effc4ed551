"""The temporal rule: drawn cases, the window of observed years, and what the published script keeps."""

import os
from pathlib import Path

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import shapely

from minemap_assets.polygons.temporal.intersect import confirmed
from minemap_assets.polygons.temporal.window_rule import YearView, window_rule

NONE = np.zeros(0, dtype=object)


Box = tuple[float, float, float, float]


def boxes(*corners: Box) -> npt.NDArray[np.object_]:
    return np.array([shapely.box(*c) for c in corners], dtype=object)


HERE, THERE, FAR = (0.0, 0.0, 1.0, 1.0), (5.0, 5.0, 6.0, 6.0), (20.0, 20.0, 21.0, 21.0)


def test_either_neighbour_confirms() -> None:
    years = {2018: seen(HERE), 2020: seen(THERE)}
    assert window_rule(boxes(HERE, THERE, FAR), 2019, years.get, 1).keep.tolist() == [True, True, False]


def test_touching_confirms() -> None:
    assert confirmed(boxes(HERE), shapely.STRtree(boxes((1.0, 1.0, 2.0, 2.0)))).tolist() == [True]


@pytest.mark.parametrize(
    ("years", "kept"),
    [
        ({}, [True]),
        ({2018: ()}, [False]),
        ({2018: (), 2020: ()}, [False]),
        ({2020: (HERE,)}, [True]),
    ],
)
def test_unobserved_neighbour_is_not_an_empty_one(years: dict[int, tuple[Box, ...]], kept: list[bool]) -> None:
    views = {year: seen(*corners) for year, corners in years.items()}
    assert window_rule(boxes(HERE), 2019, views.get, 1).keep.tolist() == kept


@pytest.mark.parametrize("latitude", [0.0, 30.0, 60.0])
@pytest.mark.parametrize(("gap_m", "kept"), [(95.0, True), (105.0, False)])
@pytest.mark.parametrize("eastward", [True, False])
def test_buffer_is_in_metres(latitude: float, gap_m: float, kept: bool, eastward: bool) -> None:
    from pyproj import Geod

    azimuth, size = (90.0, 0.001) if eastward else (0.0, 0.001)
    lon, lat, _ = Geod(ellps="WGS84").fwd(10.0, latitude, azimuth, gap_m)
    ours = boxes((10.0 - size, latitude - size, 10.0, latitude))
    theirs = boxes((lon, latitude - size, lon + size, latitude) if eastward else (10.0 - size, lat, 10.0, lat + size))
    places = shapely.STRtree(theirs)
    assert confirmed(ours, places, buffer_m=100.0).tolist() == [kept]
    assert confirmed(ours, places).tolist() == [False]


def views(**years: YearView) -> dict[int, YearView]:
    return {int(name[1:]): view for name, view in years.items()}


def seen(*corners: Box, hidden: tuple[Box, ...] = ()) -> YearView:
    return YearView(boxes(*corners), boxes(*hidden))


def keep(years: dict[int, YearView], window: int) -> list[bool]:
    return window_rule(boxes(HERE, THERE), 2019, years.get, window).keep.tolist()


def test_a_gap_year_is_skipped_by_the_default_and_not_by_parity() -> None:
    years = views(y2017=seen(HERE), y2020=seen())
    assert keep(years, window=2) == [True, False]
    assert keep(years, window=1) == [False, False]


def test_only_the_nearest_observed_year_counts() -> None:
    assert keep(views(y2017=seen(HERE), y2018=seen(THERE), y2020=seen()), window=2) == [False, True]


def test_ground_hidden_in_one_year_is_judged_by_the_year_before() -> None:
    years = views(y2017=seen(HERE, THERE), y2018=seen(hidden=((-1.0, -1.0, 2.0, 2.0),)), y2020=seen())
    assert keep(years, window=2) == [True, False]


def test_ground_mostly_seen_is_judged() -> None:
    years = views(y2018=seen(hidden=((0.0, 0.0, 0.4, 1.0), (5.0, 5.0, 5.6, 6.0))))
    assert keep(years, window=1) == [False, True]


def test_nothing_observed_keeps_everything() -> None:
    verdict = window_rule(boxes(HERE), 2019, {}.get, 2)
    assert verdict.keep.tolist() == [True]
    assert verdict.judged.tolist() == [False]
    assert len(window_rule(NONE, 2019, {2018: seen(HERE)}.get, 2).keep) == 0


@pytest.fixture(scope="module")
def golden() -> Path:
    data = os.environ.get("MINEMAP_TEST_DATA")
    if not data:
        pytest.skip("set MINEMAP_TEST_DATA to the folder with paper-postprocessing-golden to run this")
    return Path(data) / "paper-postprocessing-golden"


@pytest.mark.parametrize("year", range(2016, 2025))
def test_parity_keeps_what_the_published_script_keeps(golden: Path, year: int) -> None:
    frames = dict(iter(gpd.read_file(golden / "predictions.gpkg").groupby("year")))
    published = pd.read_csv(golden / "published_rule_output.csv")
    current = frames[year]
    expected = set(published["uid"][published["year"] == year])
    assert 0 < len(expected) < len(current)
    views = {y: YearView(np.asarray(f.geometry, dtype=object), NONE) for y, f in frames.items()}
    windowed = window_rule(np.asarray(current.geometry, dtype=object), year, views.get, 1).keep
    assert set(current["uid"][windowed]) == expected
