"""Accuracy measures against hand-counted truth and published figures."""

import math

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from minemap_assets.segmentation.metrics import Confusion
from minemap_assets.validation.accuracy import wilson
from minemap_assets.validation.continuity import SiteMask, compare
from minemap_assets.validation.points import YearMap, validate


def test_measures_of_a_hand_counted_table() -> None:
    counts = Confusion(true_positive=40, false_positive=10, false_negative=5, true_negative=45)
    assert counts.accuracy == pytest.approx(0.85)
    assert counts.precision == pytest.approx(0.8)
    assert counts.recall == pytest.approx(40 / 45)
    assert counts.specificity == pytest.approx(45 / 55)
    assert counts.false_positive_rate == pytest.approx(10 / 55)
    assert counts.matthews == pytest.approx((40 * 45 - 10 * 5) / math.sqrt(50 * 45 * 55 * 50))


def test_the_wilson_interval_of_a_textbook_case() -> None:
    low, high = wilson(81, 263)
    assert (round(low, 4), round(high, 4)) == (0.2553, 0.3662)  # Newcombe 1998, table I, method 3


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1))
def test_measures_stay_in_their_range_and_count_every_point(pairs: list[tuple[bool, bool]]) -> None:
    mapped, true = (np.array(side, dtype=bool) for side in zip(*pairs, strict=True))
    counts = Confusion.of(mapped, true)
    assert counts.pixels == len(pairs)
    assert 0.0 <= counts.accuracy <= 1.0
    assert math.isnan(counts.matthews) or -1.0 - 1e-9 <= counts.matthews <= 1.0 + 1e-9
    low, high = wilson(counts.true_positive + counts.true_negative, counts.pixels)
    assert low - 1e-12 <= counts.accuracy <= high + 1e-12


def test_points_are_compared_with_the_map_of_their_year() -> None:
    points = gpd.GeoDataFrame(
        {"year": [2019, 2019, 2020, 2020], "label": [True, False, True, False]},
        geometry=[shapely.Point(0.5, 0.5), shapely.Point(5, 5), shapely.Point(0.5, 0.5), shapely.Point(0.6, 0.6)],
        crs="EPSG:4326",
    )
    box = np.array([shapely.box(0, 0, 1, 1)], dtype=object)
    empty = np.array([], dtype=object)
    frame = validate(points, [YearMap("mapped", 2019, box), YearMap("mapped", 2020, box), YearMap("none", 2019, empty)])
    found = frame.set_index(["map", "year"])
    assert found.loc[("mapped", 2019), "accuracy"] == 1.0
    assert found.loc[("mapped", 2020), "false_positive"] == 1
    assert found.loc[("none", 2019), "false_negative"] == 1
    assert len(validate(points, [YearMap("mapped", 2016, box)])) == 0


def test_continuity_counts_only_ground_that_both_products_saw() -> None:
    mine = np.zeros((4, 4), dtype=bool)
    mine[:2] = True
    seen = np.ones((4, 4), dtype=bool)
    half = seen.copy()
    half[:, 2:] = False
    full, other = SiteMask(mine, seen, 1.0), SiteMask(mine & half, half, 1.0)
    (row,) = compare("r", {"planet-nicfi": {"m1": full}, "sentinel-2-l2a": {"m1": other, "m2": other}})
    assert (row["observed_km2"], row["area_km2"], row["other_km2"], row["both_km2"]) == (8.0, 4.0, 4.0, 4.0)
