"""Estimates in the summary: of all countries and all ground, the surest of several, and none from too few points."""

from types import SimpleNamespace
from typing import Any, cast

import pandas as pd

from minemap_assets.publication.report.document import Prose
from minemap_assets.publication.report.material import Material
from minemap_assets.publication.report.summary_section import summary_section, yearly_estimates


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


def totals(**seen: int) -> Any:
    frame = pd.DataFrame(
        [
            {"year": int(year[1:]), "area_km2": 1.5 if sites else None, "final": False, "sites_observed": sites}
            | {"sites_expected": 4, "polygons": 2 if sites else None, "model_verdict": "weak"}
            for year, sites in seen.items()
        ]
    )
    panel = pd.DataFrame({"year": frame["year"], "observed_share": (frame["sites_observed"] > 0).astype(float)})
    regions = pd.DataFrame({"year": [2018], "product": ["planet-nicfi"]})
    made = Material.__new__(Material)
    accuracy = SimpleNamespace(areas=None, breaks=None)
    for name, value in (("views", {"yearly_totals": frame}), ("panel", panel), ("by_region", regions), ("truth", ())):
        object.__setattr__(made, name, value)
    object.__setattr__(made, "accuracy", accuracy)
    return made


def told(material: Material) -> str:
    return " ".join(block.words for block in summary_section(material).blocks if isinstance(block, Prose))


def test_the_lead_is_of_the_latest_year_that_was_observed() -> None:
    material = totals(y2016=0, y2017=4, y2018=4, y2019=0)
    assert (material.seen_years, material.shown_years) == ((2017, 2018), (2017, 2018))
    assert material.provisional == frozenset({2017, 2018})
    words = told(material)
    assert "In 2018 mines cover 1.50" in words
    assert "Images: planet-nicfi in 2018." in words
    assert "Nothing was observed in 2016, 2019." in words
    assert "Provisional: 2017 to 2018." in words


def test_a_gap_in_the_series_is_shown_and_not_cut_out() -> None:
    material = totals(y2016=1, y2017=0, y2018=1)
    assert material.shown_years == (2016, 2017, 2018)
    assert "Nothing was observed in 2017." in told(material)


def test_where_nothing_was_observed_in_any_year_that_is_said() -> None:
    words = told(totals(y2016=0))
    assert "No site was observed in any of the years" in words
    assert "Provisional" not in words
