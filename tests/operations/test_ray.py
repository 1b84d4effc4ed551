"""A backfill on a Ray cluster, launched as the UI launches it: where its steps run, and what a lost machine costs."""

import shutil
import subprocess
import sys
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg
import pytest
from dagster import DagsterInstance
from dagster._core.execution.backfill import BULK_ACTION_TERMINAL_STATUSES, BulkActionStatus

from daemons import MODULE, PATIENCE, Daemon, wait_until
from minemap_assets.lake.manifests import PartitionRef
from mutations import mutated
from ray_cluster import RayCluster, environment_of, processes, ray_cluster
from tiny import YEARS, Chain

pytestmark = [pytest.mark.operations, pytest.mark.integration, pytest.mark.slow]

YEAR = str(YEARS[-1])
MODEL_STEP = "segmentation__raw_masks"
MASKS = (("segmentation", "raw_masks"), ("polygons", "raw_polygons"))
MINING = ("polygons", "mining_polygons")
TABLES = (("tables", "polygons"), ("tables", "country_summary"))
PER_REGION = (*MASKS, MINING)

EAGER = """
import sys
from dagster._daemon import controller
controller.DEFAULT_DAEMON_INTERVAL_SECONDS = 3
from dagster._daemon.cli import main
main()
"""
"""Dagster's daemon, which looks after backfills every 3 s instead of every 30."""

LAUNCH = """
mutation Launch($params: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $params) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message }
  }
}
"""


@dataclass
class Sightings:
    """The processes of steps that were seen: on which node, and which GPUs they might see."""

    cluster: RayCluster
    seen: dict[str, set[tuple[str, str]]] = field(default_factory=lambda: defaultdict(set))
    _over: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def going_on(self) -> Iterator[None]:
        """Look all the time."""
        looking = threading.Thread(target=self._look, daemon=True)
        looking.start()
        try:
            yield
        finally:
            self._over.set()
            looking.join()

    def _look(self) -> None:
        known: set[int] = set()
        while not self._over.wait(0.2):
            for pid in set(processes()) - known:
                variables = environment_of(pid)
                if b"execute_step" not in _command(pid) or not (node := self.cluster.node_of(variables)):
                    continue
                known.add(pid)
                self.seen[variables["DAGSTER_RUN_STEP_KEY"]].add((node, variables.get("CUDA_VISIBLE_DEVICES", "all")))


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


class EagerDaemon(Daemon):
    """A daemon that does not let a test wait."""

    def start(self) -> None:
        """Start it, in a session of its own."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", EAGER, "run", "-m", MODULE],
                env=self.variables,
                cwd=self.chain.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )


def launched(daemon: Daemon, assets: Sequence[tuple[str, str]], partitions: Sequence[str]) -> str:
    """Launch a backfill with the mutation that the UI sends: of partitions of the first asset, and what follows."""
    selection = [{"path": path} for path in assets]
    params = {"assetSelection": selection, "partitionNames": list(partitions), "title": "after a correction"}
    return str(mutated(LAUNCH, params, MODULE, daemon.chain.folder, daemon.variables)["backfillId"])


def forgotten(chain: Chain, partitions: Mapping[tuple[str, str], Sequence[str]]) -> None:
    """Remove partitions from the lake, so that they are to be made anew."""
    for (room, asset), keys in partitions.items():
        for key in keys:
            ref = PartitionRef(room, asset, tuple(key.split("|")))
            shutil.rmtree(chain.folder / "lake" / ref.room / ref.asset / Path(*ref.keys))


def events(instance: DagsterInstance, backfill: str, kind: dg.DagsterEventType) -> list[str]:
    """The steps that an event of a kind was written for, in the runs of a backfill."""
    found = [entry for run in runs(instance, backfill) for entry in instance.all_logs(run.run_id, of_type=kind)]
    return [str(entry.dagster_event.step_key) for entry in found if entry.dagster_event is not None]


def runs(instance: DagsterInstance, backfill: str) -> Sequence[dg.DagsterRun]:
    """The runs of a backfill."""
    return instance.get_runs(dg.RunsFilter(tags={"dagster/backfill": backfill}))


def test_a_backfill_on_a_cluster_survives_the_loss_of_its_worker(finished: Chain, tmp_path: Path) -> None:
    chain = finished.copied(tmp_path / "chain")
    wanted = finished.contents()
    regions = sorted(chain.project.active_regions())
    partitions = [f"{region}|{YEAR}" for region in regions]
    asked = dict.fromkeys(PER_REGION, partitions) | {path: [YEAR] for path in TABLES}
    forgotten(chain, asked)
    assert len(wanted) - len(chain.contents()) == len(PER_REGION) * len(regions) + len(TABLES)
    with ray_cluster() as cluster:
        daemon = EagerDaemon(chain, {**cluster.variables, "MINEMAP_EXECUTOR": "ray"})
        sightings = Sightings(cluster)
        cluster.start_head({})
        cluster.start_worker("first", {})
        daemon.start()
        try:
            with daemon.instance() as instance, sightings.going_on():
                instance.event_log_storage.set_concurrency_slots("gpu", 2)  # both wait for the one GPU in Ray
                backfill = launched(daemon, MASKS, partitions)
                begun = dg.DagsterEventType.STEP_START
                wait_until(lambda: MODEL_STEP in events(instance, backfill, begun), "the first model step", pause=0.1)
                cluster.kill("first")
                cluster.start_worker("second", {})
                _wait_for_success(instance, backfill)
                assert set(events(instance, backfill, dg.DagsterEventType.STEP_UP_FOR_RETRY)) == {MODEL_STEP}
                assert made(instance, backfill) == {"__".join(path): len(regions) for path in MASKS}
                backfill = launched(daemon, (MINING, *TABLES), partitions)
                _wait_for_success(instance, backfill)
                assert made(instance, backfill) == {"__".join(MINING): len(regions)} | {
                    "__".join(path): 1 for path in TABLES
                }
                assert not instance.event_log_storage.get_concurrency_info("gpu").claimed_slots
        finally:
            daemon.stop()
    assert chain.contents() == wanted
    _check_places(sightings)


def made(instance: DagsterInstance, backfill: str) -> Counter[str]:
    """How often the runs of a backfill recorded a partition, by step."""
    return Counter(events(instance, backfill, dg.DagsterEventType.ASSET_MATERIALIZATION))


def _wait_for_success(instance: DagsterInstance, backfill: str) -> None:
    """Wait for the end of a backfill, all runs of which did their work."""

    def over() -> bool:
        found = instance.get_backfill(backfill)
        return found is not None and found.status in BULK_ACTION_TERMINAL_STATUSES

    wait_until(over, "the end of the backfill", patience=3 * PATIENCE)
    assert {run.status for run in runs(instance, backfill)} == {dg.DagsterRunStatus.SUCCESS}
    found = instance.get_backfill(backfill)
    assert found is not None
    assert found.status is BulkActionStatus.COMPLETED_SUCCESS, found


def _check_places(sightings: Sightings) -> None:
    """Model steps ran on the workers with the GPU, the others on the head, and saw none."""
    seen = dict(sightings.seen)
    assert seen.pop(MODEL_STEP) == {("first", "0"), ("second", "0")}
    assert seen.keys() == {"__".join(path) for path in (*PER_REGION, *TABLES)} - {MODEL_STEP}
    assert set().union(*seen.values()) == {("head", "")}
