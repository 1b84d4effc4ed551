"""`minemap sources` and `minemap plan`: what works here and what a run would need, without fetching anything."""

import time
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from dagster_project.cli.main import app
from dagster_project.commands.deadline import within
from minemap_assets.errors import BadInputError, PermanentError, RetryableError
from minemap_assets.graph.graph import Graph, Scope
from minemap_assets.graph.partition_states import PartitionStates
from minemap_assets.imagery.assets import COMPOSITES
from minemap_assets.imagery.source_kind import SourceKind
from minemap_assets.lake.manifests import PartitionRef
from minemap_assets.planning.source_reports import SourceReport
from minemap_assets.planning.spending import estimate_steps, wanted_imagery
from planned import WITH_COSTS, WITHOUT_COSTS, made_sites, registry_with, sites_in
from tiny import WORLD, Chain

SECRET = "PLtop-secret-0123456789"
NOBODY = '[sources.planet_basemaps]\nbase_url = "http://127.0.0.1:9"\n'
"""Where nobody answers as Planet."""


def ask(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


@pytest.fixture
def chain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Chain:
    """The tiny world's inputs, nothing made; no credentials in sight."""
    monkeypatch.setenv("MINEMAP_HOME", str(tmp_path / "lake"))
    monkeypatch.setenv("MINEMAP_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("HOME", str(tmp_path))
    for variable in ("PL_API_KEY", "GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT"):
        monkeypatch.delenv(variable, raising=False)
    return Chain(tmp_path).prepared()


@pytest.fixture
def with_sites(chain: Chain) -> Chain:
    return made_sites(chain)


def test_a_line_for_each_source_says_what_to_set_and_on_what_terms(chain: Chain) -> None:
    chain.change("[sources.simulated]", f"{NOBODY}\n[sources.simulated]")
    lines = ask("sources", "simulated", "planet-basemaps", "earth-engine", "archive").output.splitlines()
    by_name = {line.split()[0]: line for line in lines}
    assert len(lines) == len(by_name) == 4
    assert "simulated works" in by_name["simulated"]
    years = WORLD.years
    assert f"{min(years)} to {max(years)}" in by_name["simulated"]
    assert "PL_API_KEY is not set" in by_name["planet-basemaps"]
    assert "non-commercial" in by_name["planet-basemaps"]
    assert "pixels must not be passed on" in by_name["planet-basemaps"]
    assert "earthengine authenticate" in by_name["earth-engine"]
    assert "minemap archive index FOLDER" in by_name["archive"]


def test_a_key_is_never_shown(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    chain.change("[sources.simulated]", f"{NOBODY}\n[sources.simulated]")
    monkeypatch.setenv("PL_API_KEY", SECRET)
    said = ask("sources", "planet-basemaps").output
    assert "PL_API_KEY is set" in said
    assert "does not work" in said
    assert "cannot be reached" in said
    assert SECRET not in said


@pytest.mark.usefixtures("chain")
def test_an_unknown_source_is_named() -> None:
    failed = ask("sources", "planet").exception
    assert isinstance(failed, BadInputError)
    assert "planet-basemaps" in str(failed)


@pytest.mark.usefixtures("chain")
def test_every_registered_source_is_listed_also_one_that_somebody_adds(monkeypatch: pytest.MonkeyPatch) -> None:
    def reported(kind: SourceKind, *_: object) -> SourceReport:
        return SourceReport(kind.name, (), "none needed", True, "asked", "everything", "none", ())

    monkeypatch.setattr("dagster_project.registry.Registry", lambda: registry_with(WITHOUT_COSTS))
    monkeypatch.setattr("dagster_project.commands.source_answers.report_source", reported)
    lines = ask("sources").output.splitlines()
    assert [line.split()[0] for line in lines] == [
        "added", "archive", "earth-engine", "planet-basemaps", "simulated", "stac"
    ]  # fmt: skip


def test_a_source_that_somebody_adds_is_planned_with(with_sites: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    with_sites.change('planet-nicfi = ["simulated"]', 'planet-nicfi = ["added"]')
    monkeypatch.setattr("dagster_project.registry.Registry", lambda: registry_with(WITH_COSTS))
    assert "added works, serves planet-nicfi" in ask("sources", "added").output
    assert "added: hours at an assumed rate" in ask("plan", "--years", "2019").output
    monkeypatch.setattr("dagster_project.registry.Registry", lambda: registry_with(WITHOUT_COSTS))
    failed = ask("plan", "--years", "2019").exception
    assert isinstance(failed, BadInputError)
    assert "the source added states no cost" in str(failed)


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


def test_a_plan_counts_sites_times_years_and_leaves_out_what_is_made(with_sites: Chain) -> None:
    project = with_sites.project
    graph = Graph(with_sites.registry.rooms, project)
    states = PartitionStates(graph, project)
    regions = tuple(project.active_regions())
    steps = graph.steps(Scope(frozenset({COMPOSITES}), regions, (2018, 2019)))
    estimated = estimate_steps(project, steps, states)
    sites = sum(sites_in(project, region) for region in regions)
    assert estimated.total.site_years == 2 * sites
    assert estimated.chips >= 2 * sites
    assert estimated.total.requests == 0
    assert len(list(wanted_imagery(project, steps, states))) == 4


@pytest.mark.usefixtures("chain")
def test_a_plan_says_which_regions_it_leaves_out() -> None:
    said = ask("plan", "--years", "2019", "--no-ask").output
    assert "Estimate" not in said
    assert "alder-basin are not made yet" in said
    assert "minemap run --select +sites" in said


def test_a_plan_shows_figures_and_months(with_sites: Chain) -> None:
    said = ask("plan", "--years", "2019").output
    assert "site-years" in said
    assert "at an assumed rate" in said
    assert "Jun" in said
    assert "Nov" in said
    assert not list(with_sites.project.lake.manifests("imagery", "imagery"))


def test_a_run_above_its_budget_fetches_nothing(with_sites: Chain) -> None:
    with_sites.change('planet-nicfi = ["simulated"]', 'planet-nicfi = ["planet-basemaps"]')
    with_sites.change("[sources.simulated]", "[imagery.budget]\nplanet_downloads = 0\n\n[sources.simulated]")
    failed = ask("run", "--years", "2019", "--select", "imagery/imagery").exception
    assert isinstance(failed, BadInputError)
    assert "planet_downloads allows 0" in str(failed)
    assert "nothing was fetched" in str(failed)
    assert "above the budget" in ask("plan", "--years", "2019", "--no-ask").output


def test_a_budget_holds_for_a_partition_made_from_the_ui(with_sites: Chain) -> None:
    with_sites.change('planet-nicfi = ["simulated"]', 'planet-nicfi = ["planet-basemaps"]')
    with_sites.change("[sources.simulated]", "[imagery.budget]\nplanet_downloads = 0\n\n[sources.simulated]")
    project = with_sites.project
    states = PartitionStates(Graph(with_sites.registry.rooms, project), project)
    with pytest.raises(BadInputError, match=r"imagery of alder-basin in 2019 would need .* planet_downloads allows 0"):
        states.make(COMPOSITES, ("alder-basin", "2019"))


def test_a_budget_stops_a_run_whose_sites_it_has_just_made(chain: Chain) -> None:
    chain.change('planet-nicfi = ["simulated"]', 'planet-nicfi = ["planet-basemaps"]')
    chain.change("[sources.simulated]", "[imagery.budget]\nrequests = 0\n\n[sources.simulated]")
    failed = ask("run", "--years", "2019", "--select", "+imagery/imagery").exception
    assert isinstance(failed, BadInputError)
    assert "requests allows 0" in str(failed)
    lake = chain.project.lake
    assert lake.manifest(PartitionRef("sites", "sites", ("alder-basin",))) is not None
    assert not list(lake.manifests("imagery", "imagery"))
