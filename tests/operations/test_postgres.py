"""A deployment on PostgreSQL: nothing is lost and nothing run twice, whatever is killed or replaced meanwhile."""

import os
import shutil
import signal
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path

import dagster as dg
import pytest

from daemons import wait_until
from deployments import Connection, Deployment, postgres_binaries, running_deployment, running_postgres
from minemap_assets.lake.manifests import PartitionRef
from minemap_assets.simulation.built_in_worlds import ALDER
from tiny import WORLD, Chain

pytestmark = [pytest.mark.operations, pytest.mark.integration, pytest.mark.slow]

LIMIT = 4
"""Runs at once by docker/dagster.yaml."""

SUCCESS, FAILURE = dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE
QUEUED, STARTED = dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.STARTED
Event = dg.DagsterEventType

LONG = 900.0
"""Patience with twenty runs on a machine that is busy with other tests, in seconds."""


def twenty(chain: Chain) -> list[PartitionRef]:
    """Partitions of which none needs another one."""
    regions, years = sorted(chain.project.active_regions()), [str(year) for year in WORLD.years]
    both = [(region, year) for region in regions for year in years]
    refs = [PartitionRef("chips", "chips", keys) for keys in both]
    refs += [PartitionRef("polygons", "mining_polygons", keys) for keys in both]
    refs += [PartitionRef("tables", name, (year,)) for name in ("polygons", "imagery_clarity") for year in years]
    return [*refs, *(PartitionRef("polygons", "site_history", (region,)) for region in regions)]


@pytest.fixture(scope="module")
def deployment(finished: Chain, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    binaries = postgres_binaries()
    if binaries is None:
        absent = "PostgreSQL's programs are not on this machine; Debian's package `postgresql` brings them"
        pytest.fail(absent) if os.environ.get("CI") else pytest.skip(absent)
    chain = finished.copied(tmp_path_factory.mktemp("deployed") / "chain")
    with running_postgres(binaries) as database, running_deployment(chain, database) as deployment:
        yield deployment


@pytest.fixture(scope="module")
def ui(deployment: Deployment) -> Iterator[Connection]:
    with deployment.connected() as connection:
        regions = sorted(deployment.chain.project.active_regions())
        connection.instance.add_dynamic_partitions("region", regions)
        yield connection


def at_once(instance: dg.DagsterInstance, runs: Collection[str]) -> int:
    """The most of some runs that were at work at the same moment."""
    records = instance.get_run_records(dg.RunsFilter(run_ids=list(runs)))
    moments = [(r.start_time, 1) for r in records if r.start_time] + [(r.end_time, -1) for r in records if r.end_time]
    most = now = 0
    for _, step in sorted(moments):
        now += step
        most = max(most, now)
    return most


def test_twenty_queued_runs_outlive_the_daemon(deployment: Deployment, ui: Connection) -> None:
    chain, refs = deployment.chain, twenty(deployment.chain)
    before = chain.contents()
    for ref in refs:
        shutil.rmtree(Path(chain.environment.home) / ref.prefix)
    assert len(refs) == 20
    runs = {ui.launch([f"{ref.room}/{ref.asset}"], *ref.keys): ref for ref in refs}

    def done() -> int:
        return sum(ui.statuses()[run] is SUCCESS for run in runs)

    wait_until(lambda: done() >= 4, "the first four runs", LONG)
    deployment.kill_daemon()
    at_work = {run for run in runs if ui.statuses()[run] is STARTED}
    wait_until(lambda: all(ui.statuses()[run] is SUCCESS for run in at_work), "the end of what was at work", LONG)
    waiting = [run for run in runs if ui.statuses()[run] is QUEUED]
    assert waiting, "nothing was left for the second daemon"
    deployment.start_daemon()
    wait_until(lambda: done() == 20, "the end of all runs", LONG)

    assert not [run for run in ui.instance.get_runs() if run.root_run_id in runs], "one was started again"
    for run, ref in runs.items():
        assert ui.events(run, Event.RUN_START) == 1, ref
        assert ui.events(run, Event.STEP_START) == 1, ref
        assert ui.events(run, Event.ASSET_MATERIALIZATION) == 1, ref
    assert at_once(ui.instance, runs) <= LIMIT
    assert chain.contents() == before
    made = Counter(
        (record.asset_key.path[-1], record.partition_key)
        for key in ui.instance.all_asset_keys()
        for record in ui.instance.fetch_materializations(key, limit=1000).records
        if record.run_id in runs
    )
    assert made == Counter((ref.asset, "|".join(ref.keys)) for ref in refs)


def test_a_redeploy_waits_for_what_is_at_work_and_keeps_the_queue(deployment: Deployment, ui: Connection) -> None:
    """The code server is told to end, as `docker compose up` does it with a new image, while the daemon goes on."""
    first = _begun(deployment, ui)
    deployment.kill_daemon()
    second = ui.launch(["tables/polygons"], "2018")
    assert deployment.code is not None
    deployment.code.send_signal(signal.SIGTERM)
    deployment.start_daemon()
    assert deployment.code.wait(LONG) == 0
    assert ui.statuses()[first] is SUCCESS
    assert ui.statuses()[second] is not SUCCESS
    deployment.start_code()
    wait_until(lambda: ui.statuses()[second] is SUCCESS, "the run that was in the queue", LONG)
    assert ui.events(second, Event.RUN_START) == 1
    assert "waiting for runs to end" in deployment.log("code")


def test_a_run_whose_container_is_killed_starts_again(deployment: Deployment, ui: Connection) -> None:
    first = _begun(deployment, ui)
    deployment.kill_code()
    deployment.start_code()
    wait_until(lambda: ui.statuses()[first] is FAILURE, "the end of the run that was killed", LONG)

    def again() -> list[dg.DagsterRun]:
        return [run for run in ui.instance.get_runs() if run.root_run_id == first]

    wait_until(lambda: any(run.status is SUCCESS for run in again()), "the second try", LONG)
    assert len(again()) == 1
    assert not ui.instance.event_log_storage.get_concurrency_run_ids()


def _begun(deployment: Deployment, ui: Connection) -> str:
    """A run in the middle of its work: it has made chips, and masks, polygons and tables are to come."""
    home = Path(deployment.chain.environment.home)
    for room, name in (("chips", "chips"), ("segmentation", "raw_masks")):
        shutil.rmtree(home / PartitionRef(room, name, (ALDER, "2018")).prefix)
    run = ui.launch(["chips/chips", "segmentation/raw_masks"], ALDER, "2018")
    wait_until(lambda: ui.events(run, Event.STEP_SUCCESS) == 1, "the first step", LONG)
    assert ui.statuses()[run] is STARTED
    return run
