"""Estimates in the summary: of all countries and all ground, the surest of several, and none from too few points."""

from types import SimpleNamespace
from typing import Any, cast

import pandas as pd

from minemap_assets.publication.report.material import Material
from minemap_assets.publication.report.summary_section import yearly_estimates


def row(**other: Any) -> dict[str, Any]:
    usual = {"sample": "a", "iso3": None, "ground": "all", "quantity": "area", "year": 2019, "verdict": "estimated"}
    return usual | {"estimate_km2": 5.0, "low_km2": 4.0, "high_km2": 6.0, "labelled": 200} | other


def estimated(*rows: dict[str, Any]) -> dict[int, dict[str, Any]]:
    areas = pd.DataFrame(list(rows)) if rows else None
    return yearly_estimates(cast(Material, SimpleNamespace(accuracy=SimpleNamespace(areas=areas))))


def test_a_year_has_the_estimate_with_the_shortest_interval() -> None:
    found = estimated(row(), row(sample="b", low_km2=4.5, high_km2=5.5, estimate_km2=5.1))
    assert {year: one["estimate_km2"] for year, one in found.items()} == {2019: 5.1}


def test_estimates_of_a_country_of_change_or_of_too_few_points_are_not_of_all_ground() -> None:
    wrong = (row(iso3="XAA"), row(quantity="gain"), row(ground="not trained on"), row(verdict="insufficient"))
    assert estimated(*wrong) == {}
    assert estimated() == {}
