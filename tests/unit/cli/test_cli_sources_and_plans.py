"""`minemap sources` and `minemap plan`: what works here and what a run would need, without fetching anything."""

import time
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from dagster_project.cli.deadline import within
from dagster_project.cli.main import app
from dagster_project.demo import prepare
from dagster_project.resources import SOURCES
from dagster_project.selection import Selection
from dagster_project.spending import Scope, estimate_scope, wanted_imagery
from minemap_assets.errors import BadInputError, PermanentError, RetryableError
from minemap_assets.geo.vector import read_geoparquet
from minemap_assets.imagery.recipes import IMAGERY as IMAGERY_RECIPE
from minemap_assets.lake.manifests import PartitionRef
from minemap_assets.planning.estimates import Rate, Wanted, estimate
from minemap_assets.planning.source_reports import PROBES
from minemap_assets.project.project import Project, open_project
from minemap_assets.project.settings import SETTINGS_PATH
from minemap_assets.reference.recipes import polygon_set
from minemap_assets.simulation.built_in_worlds import load_world
from minemap_assets.sites.recipes import GROUND_TRUTH, SITES

SECRET = "PLtop-secret-0123456789"
IMAGERY = Selection(frozenset({"imagery/imagery"}))


def ask(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """The tiny world's inputs, nothing made; no credentials in sight."""
    monkeypatch.setenv("MINEMAP_HOME", str(tmp_path / "lake"))
    monkeypatch.setenv("MINEMAP_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("HOME", str(tmp_path))
    for variable in ("PL_API_KEY", "GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT"):
        monkeypatch.delenv(variable, raising=False)
    project = open_project(str(tmp_path / "lake"), tmp_path / "state", SOURCES)
    prepare(project, load_world("tiny"))
    return project


@pytest.fixture
def with_sites(project: Project) -> Project:
    for name in project.polygon_sets():
        polygon_set(name).make(project, ())
    for region in project.active_regions():
        GROUND_TRUTH.make(project, (region,))
        SITES.make(project, (region,))
    return project


def settle(project: Project, old: str, new: str) -> None:
    text = project.lake.store.read_bytes(SETTINGS_PATH).decode()
    assert old in text
    project.lake.store.write_bytes(SETTINGS_PATH, text.replace(old, new).encode())


def sites_in(project: Project, region: str) -> int:
    return len(read_geoparquet(project.lake.open(PartitionRef("sites", "sites", (region,))).file("sites.parquet")))


def test_every_source_can_be_asked() -> None:
    assert set(PROBES) == set(SOURCES)


def test_a_line_for_each_source_says_what_to_set_and_on_what_terms(project: Project) -> None:
    settle(
        project,
        "[sources.simulated]",
        '[sources.planet_basemaps]\nbase_url = "http://127.0.0.1:9"\n\n[sources.simulated]',
    )
    lines = ask("sources", "simulated", "planet-basemaps", "earth-engine", "archive").output.splitlines()
    by_name = {line.split()[0]: line for line in lines}
    assert len(lines) == len(by_name) == 4
    assert "simulated works" in by_name["simulated"]
    years = load_world("tiny").years
    assert f"{min(years)} to {max(years)}" in by_name["simulated"]
    assert "PL_API_KEY is not set" in by_name["planet-basemaps"]
    assert "non-commercial" in by_name["planet-basemaps"]
    assert "pixels must not be passed on" in by_name["planet-basemaps"]
    assert "earthengine authenticate" in by_name["earth-engine"]
    assert "minemap archive index FOLDER" in by_name["archive"]


def test_a_key_is_never_shown(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    settle(
        project,
        "[sources.simulated]",
        '[sources.planet_basemaps]\nbase_url = "http://127.0.0.1:9"\n\n[sources.simulated]',
    )
    monkeypatch.setenv("PL_API_KEY", SECRET)
    said = ask("sources", "planet-basemaps").output
    assert "PL_API_KEY is set" in said
    assert "does not work" in said
    assert "cannot be reached" in said
    assert SECRET not in said


@pytest.mark.usefixtures("project")
def test_an_unknown_source_is_named() -> None:
    failed = ask("sources", "planet").exception
    assert isinstance(failed, BadInputError)
    assert "planet-basemaps" in str(failed)


def test_what_does_not_answer_is_left_alone() -> None:
    start = time.monotonic()
    with pytest.raises(RetryableError, match=r"did not answer within 0\.1 s"):
        within(0.1, lambda: time.sleep(2))
    assert time.monotonic() - start < 1
    assert within(1.0, lambda: 3) == 3

    def refuse() -> None:
        raise PermanentError("no")

    with pytest.raises(PermanentError, match="no"):
        within(1.0, refuse)


def test_a_plan_counts_sites_times_years_and_leaves_out_what_is_made(with_sites: Project) -> None:
    regions = tuple(with_sites.active_regions())
    scope = Scope(regions, (2018, 2019), IMAGERY)
    estimated = estimate_scope(with_sites, scope)
    sites = sum(sites_in(with_sites, region) for region in regions)
    assert estimated.total.site_years == 2 * sites
    assert estimated.chips >= 2 * sites
    assert estimated.total.requests == 0
    assert len(list(wanted_imagery(with_sites, scope))) == 4


@pytest.mark.usefixtures("project")
def test_a_plan_says_which_regions_it_leaves_out() -> None:
    said = ask("plan", "--years", "2019", "--no-ask").output
    assert "Estimate" not in said
    assert "alder-basin are not made yet" in said
    assert "minemap run --select +sites" in said


def test_a_plan_shows_figures_and_months(with_sites: Project) -> None:
    said = ask("plan", "--years", "2019").output
    assert "site-years" in said
    assert "at an assumed rate" in said
    assert "Jun" in said
    assert "Nov" in said
    assert not list(with_sites.lake.manifests("imagery", "imagery"))


def test_measured_rates_take_the_place_of_assumed_ones(with_sites: Project) -> None:
    wanted = [Wanted("alder-basin", 2019, "planet-nicfi")]
    sites = sites_in(with_sites, "alder-basin")
    rates = {"simulated": Rate(10, 5_000, 0, seconds=7200.0, timed_site_years=4)}
    (line,) = estimate(with_sites, wanted, rates).lines
    assert line.timed == 4
    assert line.hours == pytest.approx(0.5 * sites)
    assert line.cost.stored_bytes == 500 * sites


def test_a_run_above_its_budget_fetches_nothing(with_sites: Project) -> None:
    settle(with_sites, 'planet-nicfi = ["simulated"]', 'planet-nicfi = ["planet-basemaps"]')
    settle(with_sites, "[sources.simulated]", "[imagery.budget]\nplanet_downloads = 0\n\n[sources.simulated]")
    failed = ask("run", "--years", "2019", "--select", "imagery/imagery").exception
    assert isinstance(failed, BadInputError)
    assert "planet_downloads allows 0" in str(failed)
    assert "nothing was fetched" in str(failed)
    assert "above the budget" in ask("plan", "--years", "2019", "--no-ask").output


def test_a_budget_holds_for_a_partition_made_from_the_ui(with_sites: Project) -> None:
    settle(with_sites, 'planet-nicfi = ["simulated"]', 'planet-nicfi = ["planet-basemaps"]')
    settle(with_sites, "[sources.simulated]", "[imagery.budget]\nplanet_downloads = 0\n\n[sources.simulated]")
    with pytest.raises(BadInputError, match=r"imagery of alder-basin in 2019 would need .* planet_downloads allows 0"):
        IMAGERY_RECIPE.make(with_sites, ("alder-basin", "2019"))


def test_a_budget_stops_a_run_whose_sites_it_has_just_made(project: Project) -> None:
    settle(project, 'planet-nicfi = ["simulated"]', 'planet-nicfi = ["planet-basemaps"]')
    settle(project, "[sources.simulated]", "[imagery.budget]\nrequests = 0\n\n[sources.simulated]")
    failed = ask("run", "--years", "2019", "--select", "+imagery/imagery").exception
    assert isinstance(failed, BadInputError)
    assert "requests allows 0" in str(failed)
    assert project.lake.manifest(PartitionRef("sites", "sites", ("alder-basin",))) is not None
    assert not list(project.lake.manifests("imagery", "imagery"))
