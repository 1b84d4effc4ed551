"""A source that somebody adds is reported and planned with like the others, and never costed as another one."""

from dataclasses import replace
from pathlib import Path

import pytest

from minemap_assets.errors import AuthenticationError, BadInputError, RetryableError
from minemap_assets.geo.vector import read_geoparquet
from minemap_assets.imagery.budget import hold_to_budget
from minemap_assets.imagery.cost_models import without_deadline
from minemap_assets.imagery.seasons import SeasonRule
from minemap_assets.imagery.source_kind import AccessAnswer, SourceKind, kinds
from minemap_assets.planning.estimates import Wanted, estimate
from minemap_assets.planning.observations import observations
from minemap_assets.planning.rates import Rate
from minemap_assets.planning.source_reports import SourceReport, report_source
from minemap_assets.project.project import Project
from minemap_assets.sites.assets import SITES
from planned import WITH_COSTS, WITHOUT_COSTS, made_sites, registry_with, sites_in
from tiny import Chain

REGION, YEAR, PRODUCT = "alder-basin", 2019, "planet-nicfi"
BANDS = ("blue", "green", "red", "nir")
WANTED = (Wanted(REGION, YEAR, PRODUCT),)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    return made_sites(Chain(tmp_path_factory.mktemp("planned")).prepared())


def project_with(made: Chain, folder: Path, kind: SourceKind, names: str = '"added"', more: str = "") -> Project:
    chain = made.copied(folder / "copy", registry_with(kind))
    chain.change('planet-nicfi = ["simulated"]', f"planet-nicfi = [{names}]")
    if more:
        chain.change("[sources.simulated]", f"{more}\n[sources.simulated]")
    return chain.project


def report(kind: SourceKind, project: Project) -> SourceReport:
    return report_source(kind, project, lambda check: check())


def check(project: Project) -> None:
    frame = read_geoparquet(project.lake.open(SITES.ref((REGION,))).file("sites.parquet"))
    hold_to_budget(project, REGION, SeasonRule().season(YEAR), PRODUCT, BANDS, frame)


def test_it_is_reported_like_the_others(made: Chain, tmp_path: Path) -> None:
    project = project_with(made, tmp_path, WITHOUT_COSTS)
    assert list(kinds(project)) == ["added", "archive", "earth-engine", "planet-basemaps", "simulated", "stac"]
    told = report(kinds(project)["added"], project)
    assert (told.works, told.products, told.access) == (True, (PRODUCT,), f"{PRODUCT} at hand")
    assert told.covers == "all years; all land"
    assert [str(t) for t in told.terms] == ["ours (may be passed on)"]


@pytest.mark.parametrize("query", [None, without_deadline], ids=["assumed", "asked"])
def test_with_a_cost_model_it_is_planned_by_it(made: Chain, tmp_path: Path, query: object) -> None:
    project = project_with(made, tmp_path, WITH_COSTS)
    (line,) = estimate(project, WANTED, query=query).lines  # type: ignore[arg-type]
    assert (line.source, line.product) == ("added", PRODUCT)
    assert line.cost.requests == 7 * sites_in(project, REGION)


@pytest.mark.parametrize("names", ['"added"', '"simulated", "added"'])
def test_without_one_it_refuses_to_be_planned_by_name(made: Chain, tmp_path: Path, names: str) -> None:
    project = project_with(made, tmp_path, WITHOUT_COSTS, names)
    with pytest.raises(BadInputError, match="the source added states no cost, so planet-nicfi can neither"):
        estimate(project, WANTED)


def test_without_one_no_budget_can_be_kept(made: Chain, tmp_path: Path) -> None:
    check(project_with(made, tmp_path / "none", WITHOUT_COSTS))
    limited = project_with(made, tmp_path / "one", WITHOUT_COSTS, more="[imagery.budget]\nrequests = 100")
    with pytest.raises(BadInputError, match="the source added states no cost"):
        check(limited)


def test_a_budget_is_held_to_its_model(made: Chain, tmp_path: Path) -> None:
    need = 7 * sites_in(made.project, REGION)
    check(project_with(made, tmp_path / "enough", WITH_COSTS, more=f"[imagery.budget]\nrequests = {need}"))
    short = project_with(made, tmp_path / "short", WITH_COSTS, more=f"[imagery.budget]\nrequests = {need - 1}")
    with pytest.raises(
        BadInputError, match=rf"imagery of {REGION} in {YEAR} would need about {need} requests where requests allows"
    ):
        check(short)


def test_measured_rates_take_the_place_of_assumed_ones(made: Chain) -> None:
    sites = sites_in(made.project, REGION)
    rates = {"simulated": Rate(10, 5_000, 0, seconds=7200.0, timed_site_years=4)}
    (line,) = estimate(made.project, WANTED, rates).lines
    assert line.timed == 4
    assert line.hours == pytest.approx(0.5 * sites)
    assert line.cost.stored_bytes == 500 * sites


def test_what_was_fetched_costs_nothing_again_where_it_is_kept(made: Chain, tmp_path: Path) -> None:
    twice = (*WANTED, Wanted(REGION, YEAR, PRODUCT, trains=True))
    for kind, times in ((WITH_COSTS, 2), (_keeping(WITH_COSTS), 1)):
        project = project_with(made, tmp_path / str(times), kind)
        (line,) = estimate(project, twice).lines
        assert line.cost.requests == times * 7 * sites_in(project, REGION)
        assert line.cost.site_years == 2 * sites_in(project, REGION)


def test_images_stand_for_clear_scenes_where_a_source_cannot_tell_them(made: Chain, tmp_path: Path) -> None:
    found = observations(project_with(made, tmp_path, WITH_COSTS, '"added", "simulated"'), REGION, YEAR)
    assert found is not None
    assert (found.source, found.clear) == ("simulated", False)
    assert set(found.by_month.values()) == {1.0}


def test_a_fault_is_a_sentence_and_hides_no_other_source(made: Chain) -> None:
    def no_credentials(_: Project) -> str:
        raise AuthenticationError("ADDED_KEY is not set")

    def faulty(_: Project, __: str) -> AccessAnswer:
        raise KeyError("secret")

    def overloaded(_: Project, __: str) -> AccessAnswer:
        raise RetryableError("the service is overloaded")

    for change, said in (
        ({"credentials": no_credentials}, "ADDED_KEY is not set"),
        ({"check": faulty}, "it failed unexpectedly (KeyError)"),
        ({"check": overloaded}, "the service is overloaded"),
    ):
        told = report(_checked(WITH_COSTS, **change), made.project)
        assert (told.works, told.access, told.products) == (False, said, ())


def _keeping(kind: SourceKind) -> SourceKind:
    return replace(kind, keeps_fetched=True)


def _checked(kind: SourceKind, **change: object) -> SourceKind:
    return replace(kind, access=replace(kind.access, **change))  # type: ignore[arg-type]
