"""What is known of runs that were asked for: pauses that grow, and partitions that are being made."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from dagster_project.sensors.requests import (
    ASKED,
    CAUSE,
    Loaded,
    asset_request,
    attempts,
    imagery_request,
    source_tags,
    under_way,
)
from graphs import Assembled, assembled, instance_with_regions
from minemap_assets.imagery.assets import COMPOSITES
from minemap_assets.project.operations import OperationsConfig
from minemap_assets.tables.assets import SITE_PANEL

REF = COMPOSITES.ref(("alder", "2019"))
FAILURE, STARTED = dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.STARTED


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Assembled:
    return assembled(tmp_path_factory.mktemp("project"))


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with instance_with_regions() as one:
        yield one


def run(found: Assembled, instance: dg.DagsterInstance, status: dg.DagsterRunStatus, **tags: str) -> dg.DagsterRun:
    job = found.definitions.resolve_job_def("imagery_update")
    return instance.create_run_for_job(job, status=status, tags=tags)


def test_pauses_grow_with_every_attempt_up_to_a_day(found: Assembled, instance: dg.DagsterInstance) -> None:
    config = OperationsConfig(retry_minutes=60)
    assert not attempts(instance, REF, config, datetime.now(UTC)).rests
    for hours in (1, 2, 4, 8, 16, 24, 24):
        last = run(found, instance, FAILURE, **{ASKED: REF.prefix, CAUSE: "planet-basemaps-a"})
        now = datetime.now(UTC)
        early, late = (attempts(instance, REF, config, now + timedelta(hours=hours + d)) for d in (-0.1, 0.1))
        assert (early.rests, late.rests, late.last) == (True, False, last.run_id)
    for another in (COMPOSITES.ref(("birch", "2019")), COMPOSITES.ref(("alder", "2020"))):
        assert attempts(instance, another, config, now).last == ""


def test_another_cause_is_no_repetition(found: Assembled, instance: dg.DagsterInstance) -> None:
    last = run(found, instance, FAILURE, **{ASKED: REF.prefix, CAUSE: "planet-basemaps-a"})
    before = attempts(instance, REF, OperationsConfig(), datetime.now(UTC), "planet-basemaps-b")
    assert (before.rests, before.last) == (False, last.run_id)
    keys = {
        imagery_request(found.project, "alder", 2019, "planet-basemaps-a", after).run_key for after in ("", last.run_id)
    }
    assert len(keys) == 2


def test_what_is_being_made_is_known_whatever_asked_for_it(found: Assembled, instance: dg.DagsterInstance) -> None:
    run(found, instance, STARTED, **{"dagster/partition": "alder|2019", ASKED: REF.prefix})
    window = {f"dagster/asset_partition_range_{end}": f"birch|{year}" for end, year in (("start", 2018), ("end", 2020))}
    run(found, instance, STARTED, **window)
    work = under_way(instance, found.graph, datetime.now(UTC))
    assert work.making == {REF, *(COMPOSITES.ref(("birch", str(year))) for year in (2018, 2019, 2020))}
    assert work.asked == 1


def test_runs_of_chosen_assets_count_for_these(found: Assembled, instance: dg.DagsterInstance) -> None:
    request = asset_request(found.graph, found.project, SITE_PANEL.ref(("2019",)), "reconcile")
    assert request.asset_selection is not None
    job = found.definitions.resolve_implicit_job_def_def_for_assets(request.asset_selection)
    assert job is not None
    done = instance.create_run_for_job(
        job, tags={"dagster/partition": "2019"}, asset_selection=frozenset(request.asset_selection), status=STARTED
    )
    assert under_way(instance, found.graph, datetime.now(UTC)).making == {SITE_PANEL.ref(("2019",))}
    instance.report_run_failed(done)
    work = under_way(instance, found.graph, datetime.now(UTC))
    assert (work.making, work.recent) == (frozenset(), {SITE_PANEL.ref(("2019",))})
    later = under_way(instance, found.graph, datetime.now(UTC) + timedelta(minutes=6))
    assert later.recent == frozenset()


def test_sources_that_may_be_asked_stand_in_a_tag(tmp_path: Path) -> None:
    settings = '[imagery]\nproducts = [{ product = "planet-nicfi" }]\n'
    settings += '[imagery.sources]\nplanet-nicfi = ["archive", "planet-basemaps"]\n'
    project = assembled(tmp_path, settings).project
    assert source_tags(project, project.region("alder"), 2019) == {"minemap/source": "archive,planet-basemaps"}
    assert imagery_request(project, "alder", 2019, "x").tags["minemap/source"] == "archive,planet-basemaps"


def test_only_partitions_that_exist_may_be_asked_for(found: Assembled) -> None:
    there = Loaded(frozenset({"alder"}), frozenset({"2019"}))
    assert there.has(found.graph, REF)
    assert not there.has(found.graph, COMPOSITES.ref(("birch", "2019")))
    assert not there.has(found.graph, COMPOSITES.ref(("alder", "2020")))
    assert there.has(found.graph, SITE_PANEL.ref(("2019",)))
    assert Loaded(frozenset(), None).has(found.graph, SITE_PANEL.ref(("2020",)))
