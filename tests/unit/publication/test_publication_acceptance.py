"""The record of what was accepted: who, why, which years; damaged, it is never taken for empty."""

from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from minemap_assets.errors import BadInputError
from minemap_assets.publication.acceptance import ACCEPTED_PATH, accept, accepted
from minemap_assets.publication.figures import CountryFigures, YearFigures, figures_of
from projects import project_at

NOW = datetime(2026, 2, 1, 9, 30, tzinfo=UTC)


def figures(area: float) -> YearFigures:
    return YearFigures(countries={"XAA": CountryFigures(name="Aland", area_km2=area)}, products=("planet-nicfi",))


def test_an_acceptance_is_recorded_and_leaves_other_years_as_they_were(tmp_path: Path) -> None:
    project = project_at(tmp_path / "lake", tmp_path / "state")
    assert accepted(project).years == {}
    accept(project.lake.store, {2019: figures(1.0), 2020: figures(2.0)}, ["2020: more"], "reviewer", "looked at", NOW)
    accept(project.lake.store, {2020: figures(3.0)}, [], "reviewer", "corrected", NOW)
    found = accepted(project_at(tmp_path / "lake", tmp_path / "state"))
    assert found.years == {2019: figures(1.0), 2020: figures(3.0)}
    assert [(one.by, one.at, one.reason, one.years, one.findings) for one in found.decisions] == [
        ("reviewer", "2026-02-01T09:30:00+00:00", "looked at", (2019, 2020), ("2020: more",)),
        ("reviewer", "2026-02-01T09:30:00+00:00", "corrected", (2020,), ()),
    ]


def test_a_decision_without_a_reason_is_refused(tmp_path: Path) -> None:
    project = project_at(tmp_path / "lake", tmp_path / "state")
    with pytest.raises(BadInputError, match="needs a reason"):
        accept(project.lake.store, {2019: figures(1.0)}, [], "reviewer", "  ")
    assert accepted(project).decisions == ()


def test_a_damaged_record_is_an_error_and_stays_as_it_is(tmp_path: Path) -> None:
    project = project_at(tmp_path / "lake", tmp_path / "state")
    project.lake.store.write_bytes(ACCEPTED_PATH, b'{"decisions": [')
    with pytest.raises(BadInputError, match="restore an earlier version"):
        accept(project.lake.store, {2019: figures(1.0)}, [], "reviewer", "looked at")
    with pytest.raises(BadInputError, match="restore an earlier version"):
        accepted(project_at(tmp_path / "lake", tmp_path / "state"))
    assert project.lake.store.read_bytes(ACCEPTED_PATH) == b'{"decisions": ['


def test_figures_keep_what_is_missing_apart_from_zero() -> None:
    countries = pd.DataFrame(
        {"iso3": ["XBB", "XAA", ""], "name": ["Bland", "Aland", "unassigned"], "area_km2": [None, 2.5, 0.0]}
    )
    panel = pd.DataFrame(
        {
            "observed_share": [1.0, 0.5, 0.0],
            "product": ["sentinel-2-l2a", "planet-nicfi", "planet-nicfi"],
            "model_verdict": ["usable", "usable", "usable"],
        }
    )
    found = figures_of(countries, panel)
    assert {iso3: one.area_km2 for iso3, one in found.countries.items()} == {"": 0.0, "XAA": 2.5, "XBB": None}
    assert found.products == ("planet-nicfi", "sentinel-2-l2a")
    assert (found.covered_share, found.verdict) == (0.5, "usable")
    empty = figures_of(countries.iloc[:0], panel.iloc[:0])
    assert (empty.covered_share, empty.verdict, empty.products) == (None, None, ())
