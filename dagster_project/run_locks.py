"""Dagster runs that a killed process left behind as if they still went on: telling them apart, and closing them.

A process that runs partitions holds a lock file, which the system gives back however the process ends; its runs carry
the file's path as a tag.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
from dagster import DagsterInstance

from dagster_project.first_promotion import user
from minemap_assets.lake.workspaces import clear, is_held, taken, unique_name

PROCESS = ".dagster/minemap_process"
"""Tag of a run: the lock file that its process holds. Dagster shows nobody a tag whose name begins so."""

USER = "user"
"""Tag of a run: who started it, as Dagster shows it in the list of runs."""

UNFINISHED = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]

REASON = "The process that ran this was killed; the next run goes on from what it had published."


def _folder(instance: DagsterInstance) -> Path:
    return Path(instance.root_directory) / "processes"


@contextmanager
def running(instance: DagsterInstance) -> Iterator[dict[str, str]]:
    """Tags for the runs of this process, which count as alive until the end of the context."""
    folder = _folder(instance)
    folder.mkdir(parents=True, exist_ok=True)
    with taken(folder, unique_name()) as lock:
        yield {PROCESS: str(lock), USER: user()}


def close_orphans(instance: DagsterInstance) -> int:
    """Report runs of dead processes of this machine as failed, and give back what they held; returns their number.

    A run that was closed already may hold something all the same, where its process was killed in its last moments:
    Dagster would let no other step have it, ever.
    """
    folder, storage = _folder(instance), instance.event_log_storage
    unfinished = [r for r in instance.get_runs(dg.RunsFilter(statuses=UNFINISHED)) if _is_orphan(folder, r)]
    for run in unfinished:
        # what it holds goes first: who is killed in between leaves a run behind that is still to be closed
        storage.free_concurrency_slots_for_run(run.run_id)
        instance.report_run_failed(run, REASON)
    for run_id in storage.get_concurrency_run_ids():
        held = instance.get_run_by_id(run_id)
        if held is not None and held.is_finished and _is_orphan(folder, held):
            storage.free_concurrency_slots_for_run(run_id)
    if folder.is_dir():
        clear(folder)
    return len(unfinished)


def _is_orphan(folder: Path, run: dg.DagsterRun) -> bool:
    lock = Path(run.tags.get(PROCESS, ""))
    return lock.parent == folder and not is_held(lock)
