"""Dagster runs that a killed process left behind as if they still went on: telling them apart, and closing them.

A process that runs partitions holds a lock file, which the system gives back however the process ends; its runs carry
the file's path as a tag, and the mark of the folder of these files, because another machine with the same records may
have a folder of the same name.
"""

import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import dagster as dg
from dagster import DagsterInstance

from dagster_project.first_promotion import user
from minemap_assets.graph.launches import ATTENDED
from minemap_assets.lake.locks import hold
from minemap_assets.lake.workspaces import clear, is_held, taken, unique_name

PROCESS = ".dagster/minemap_lock"
"""Tag of a run that Dagster started in a process: the lock file that this holds. A run that a command makes has it as
`ATTENDED`. Dagster shows nobody a tag whose name begins so.
"""

FOLDER_MARK = ".dagster/minemap_folder"
"""Tag of a run: what is written in the folder of its lock file, and in no other."""

USER = "user"
"""Tag of a run: who started it, as Dagster shows it in the list of runs."""

NO_RETRY = {"dagster/max_retries": "0"}
"""Tag of a run that the daemon is not to start again: the next run of the command goes on from there."""

UNFINISHED = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]

REASON = "The process that ran this was killed; the next run goes on from what it had published."

_alive = ExitStack()
"""The lock of the run that this process was started for."""


def _folder(instance: DagsterInstance) -> Path:
    return Path(instance.root_directory) / "processes"


def _mark(instance: DagsterInstance) -> str:
    """What stands beside the folder of lock files: whoever reads the same there, sees the same locks."""
    home = Path(instance.root_directory)
    mark = home / "processes.mark"
    if not mark.exists():
        with hold(home / "processes.mark.lock", 60.0):
            if not mark.exists():
                whole = home / f".{unique_name()}"
                whole.write_text(secrets.token_hex(16))
                whole.replace(mark)
    return mark.read_text()


@contextmanager
def running(instance: DagsterInstance) -> Iterator[dict[str, str]]:
    """Tags for the runs that a command makes in this process, which count as alive until the end of the context."""
    folder = _folder(instance)
    folder.mkdir(parents=True, exist_ok=True)
    with taken(folder, unique_name()) as lock:
        yield {ATTENDED: str(lock), FOLDER_MARK: _mark(instance), USER: user(), **NO_RETRY}


def keep_alive(instance: DagsterInstance, run: dg.DagsterRun) -> None:
    """Have a run count as alive until this process ends, or begins another one: its end is written after its steps."""
    if is_alive(instance, run):
        return
    _alive.close()
    folder = _folder(instance)
    folder.mkdir(parents=True, exist_ok=True)
    lock = _alive.enter_context(taken(folder, unique_name(), work=told_of(instance, run.run_id)))
    instance.add_run_tags(run.run_id, {PROCESS: str(lock), FOLDER_MARK: _mark(instance)})


def is_alive(instance: DagsterInstance, run: dg.DagsterRun) -> bool | None:
    """Whether the process of a run still lives; None where that cannot be seen from here."""
    lock, mark = Path(run.tags.get(PROCESS) or run.tags.get(ATTENDED, "")), run.tags.get(FOLDER_MARK)
    if lock.parent != _folder(instance) or (mark is not None and mark != _mark(instance)):
        return None
    return is_held(lock)


def close_orphans(instance: DagsterInstance) -> int:
    """Report runs of dead processes of this machine as failed, and give back what they held; returns their number.

    A run that was closed already may hold something all the same, where its process was killed in its last moments:
    Dagster would let no other step have it, ever.
    """
    folder, storage, closed = _folder(instance), instance.event_log_storage, 0
    for run in instance.get_runs(dg.RunsFilter(statuses=UNFINISHED)):
        if is_alive(instance, run) is not False:
            continue
        # what it holds goes first: who is killed in between leaves a run behind that is still to be closed
        storage.free_concurrency_slots_for_run(run.run_id)
        now = instance.get_run_by_id(run.run_id)
        if now is None or now.is_finished:
            continue
        if now.status is dg.DagsterRunStatus.CANCELING:
            instance.report_run_canceled(now, REASON)
        else:
            instance.report_run_failed(now, REASON)
        closed += 1
    for run_id in storage.get_concurrency_run_ids():
        held = instance.get_run_by_id(run_id)
        if held is not None and held.is_finished and is_alive(instance, held) is False:
            storage.free_concurrency_slots_for_run(run_id)
    if folder.is_dir():
        clear(folder)
    return closed


def told_of(instance: DagsterInstance, run_id: str, step: str = "") -> str:
    """A run in words: its id as the UI shows it, and what it makes, or the `step` that it is at."""
    run = instance.get_run_by_id(run_id)
    if run is None:
        return f"run {run_id[:8]}"
    at = " ".join(word for word in (step, run.tags.get("dagster/partition", "")) if word)
    makes = run.tags.get("minemap/step") or at
    return f"run {run_id[:8]}" + (f", which makes {makes}" if makes else "")
