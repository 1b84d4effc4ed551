"""Clarity checks and tables from small indexes with figures worked out by hand."""

import numpy as np
import pandas as pd
import pytest

from minemap_assets.imagery.quality import check_coverage, clarity_summary


def index(year: int, values: list[float], product: str = "planet-nicfi") -> pd.DataFrame:
    sites = [f"m{i}" for i in range(len(values))]
    return pd.DataFrame({"site_id": sites, "year": year, "product": product, "clear_fraction": values})


def test_coverage_names_poor_and_absent_sites() -> None:
    check = check_coverage(index(2020, [0.9, 0.5, 0.49]), ["m0", "m1", "m2", "m7"], 0.5)
    assert not check.passed
    assert (check.sites_expected, check.sites_observed, check.observed_share) == (4, 2, 0.5)
    assert (check.below_minimum, check.without_imagery) == (("m2",), ("m7",))


@pytest.mark.parametrize(("share", "passed"), [(0.5, True), (0.51, False)])
def test_the_share_that_must_be_observed_can_be_set(share: float, passed: bool) -> None:
    check = check_coverage(index(2020, [0.9, 0.1]), ["m0", "m1"], 0.5, min_share=share)
    assert check.passed is passed


def test_no_sites_pass() -> None:
    check = check_coverage(index(2020, []), [], 0.5)
    assert check.passed
    assert check.observed_share == 1.0


def test_clarity_by_year() -> None:
    table = clarity_summary([index(2021, [1.0]), index(2020, [0.0, 0.25, 0.5, 0.75, 1.0])])
    assert list(table["year"]) == [2020, 2021]
    first = table.iloc[0]
    assert (first["sites"], first["mean"], first["p5"], first["p50"], first["p75"]) == (5, 0.5, 0.05, 0.5, 0.75)
    assert first["sd"] == pytest.approx(0.3952847)
    assert np.isnan(table["sd"].iloc[1])


def test_products_of_one_year_are_kept_apart() -> None:
    table = clarity_summary([index(2019, [0.5]), index(2019, [0.7], "sentinel-2-l2a")])
    assert list(table["product"]) == ["planet-nicfi", "sentinel-2-l2a"]


def test_nothing_gives_an_empty_table_with_its_columns() -> None:
    table = clarity_summary([])
    assert len(table) == 0
    assert list(table.columns[:5]) == ["year", "product", "sites", "mean", "sd"]
