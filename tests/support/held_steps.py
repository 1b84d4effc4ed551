"""Steps that are held in the middle of their work, so that a test may look at whoever waits for them, and kill them."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import dagster as dg
from dagster import DagsterInstance

from daemons import wait_until
from minemap_assets.lake.manifests import PartitionRef
from minemap_assets.lake.store import Patience
from tiny import Chain

eventually = partial(wait_until, patience=600.0)
"""Wait for what takes seconds, and some minutes on a machine that does ten other things."""

UNHURRIED = {"DAGSTER_GRPC_TIMEOUT_SECONDS": "600"}
"""Environment of a daemon on such a machine: its code server may take minutes to start a run."""

_WORKER = re.compile(r"Started process for run \(pid: (\d+)\)")


@contextmanager
def held(chain: Chain, ref: PartitionRef) -> Iterator[None]:
    """Hold a partition of the lake, as another writer does: a step that is to make it has its slot, and waits."""
    with chain.project.lake.store.claim(ref.prefix.replace("/", "~"), Patience()):
        yield


def wait_for_holder(instance: DagsterInstance, pool: str, of: str) -> str:
    """The run that holds a slot of a pool, as soon as there is one whose tags or partition say `of`."""
    found: list[str] = []

    def holds() -> bool:
        for slot in instance.event_log_storage.get_concurrency_info(pool).claimed_slots:
            run = instance.get_run_by_id(slot.run_id)
            if run is not None and of in " ".join(run.tags.values()):
                found.append(slot.run_id)
        return bool(found)

    eventually(holds, f"a run of {of} that holds {pool}", pause=0.1)
    return found[0]


def holders(instance: DagsterInstance, pool: str) -> set[str]:
    """Runs with a slot of a pool."""
    return {slot.run_id for slot in instance.event_log_storage.get_concurrency_info(pool).claimed_slots}


def worker(instance: DagsterInstance, run_id: str) -> int:
    """The process of a run that Dagster started."""
    said = [found for entry in instance.all_logs(run_id) if (found := _WORKER.search(str(entry.dagster_event)))]
    return int(said[0][1])


def step_process(instance: DagsterInstance, run_id: str) -> int:
    """The process of the step that a run began last."""
    begun = [
        entry.dagster_event.pid
        for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_START)
        if entry.dagster_event is not None and entry.dagster_event.pid is not None
    ]
    return begun[-1]


def messages(instance: DagsterInstance, run_id: str) -> list[str]:
    """What a run's log says, the sentences of failures among it."""
    return [
        f"{entry.user_message} {event.event_specific_data}" if event and event.is_failure else str(entry.user_message)
        for entry in instance.all_logs(run_id)
        for event in [entry.dagster_event]
    ]


def wait_for_message(instance: DagsterInstance, partition: str, words: str) -> str:
    """The run of a partition whose log says these words, as soon as it does."""
    found: list[str] = []

    def said() -> bool:
        for run in instance.get_runs():
            if run.tags.get("dagster/partition") == partition and any(
                words in message for message in messages(instance, run.run_id)
            ):
                found.append(run.run_id)
        return bool(found)

    eventually(said, f"a run of {partition} that says {words!r}")
    return found[0]


def cpu_seconds(pid: int) -> float:
    """What a process has computed so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
