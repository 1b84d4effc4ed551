"""What the steps of all runs took, added up once for each run: totals that only grow, kept in a file of the state.

Dagster keeps the times of steps by run, and asking for every run each time would take longer with every run. So each
call asks for the runs that ended since the last one. Without the file, all runs that Dagster still knows are counted.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
from dagster import DagsterInstance

from minemap_assets.errors import BadInputError
from minemap_assets.lake.disk_errors import storage_errors
from minemap_assets.lake.locks import LockedError, hold
from minemap_assets.lake.workspaces import settle

FILE = "step-totals.json"
PATIENCE_SECONDS = 60.0

OVERLAP_SECONDS = 3600.0
"""A run that was entered so late after its end, as by a machine that stood still, is counted all the same."""

ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


@dataclass
class Totals:
    """Sums since the first run that was counted: steps and seconds by asset (`room/name`), and runs by how they ended.

    `until` is the last end of a run so far (seconds since 1970), and `counted` are the runs that ended shortly before.
    """

    until: float = 0.0
    counted: dict[str, float] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    steps: dict[str, int] = field(default_factory=dict)
    failed_steps: dict[str, int] = field(default_factory=dict)
    runs: dict[str, int] = field(default_factory=dict)


def count_runs(instance: DagsterInstance, state: Path) -> Totals:
    """Add the runs that ended since the last call, and return the totals.

    Raises `BadInputError` where another process counts for more than a minute, and `StorageError` where the file cannot
    be written.
    """
    with storage_errors(state, "MINEMAP_STATE"):
        state.mkdir(parents=True, exist_ok=True)
        try:
            with hold(state / f"{FILE}.lock", PATIENCE_SECONDS):
                totals = _read(state / FILE)
                _add(instance, totals)
                part = state / f".{FILE}.part"
                part.write_text(json.dumps(asdict(totals), sort_keys=True))
                settle(part, state / FILE)
        except LockedError as error:
            raise BadInputError(f"another process counts runs in {state}; wait for it, and run this again") from error
    return totals


def _read(file: Path) -> Totals:
    """Totals so far; none where the file is not there or was damaged, so that counting begins anew."""
    with suppress(OSError, ValueError, TypeError):
        raw: Mapping[str, Any] = json.loads(file.read_text())
        return Totals(**raw)
    return Totals()


def _add(instance: DagsterInstance, totals: Totals) -> None:
    since = max(totals.until - OVERLAP_SECONDS, 0.0)
    filters = dg.RunsFilter(statuses=ENDED, updated_after=datetime.fromtimestamp(since, UTC))
    for record in instance.get_run_records(filters):
        run_id, ended = record.dagster_run.run_id, record.end_time or record.update_timestamp.timestamp()
        # one that ended long before was counted; it was only written to again, as with a tag
        if run_id in totals.counted or ended <= since:
            continue
        totals.counted[run_id] = ended
        status = record.dagster_run.status.value.lower()
        totals.runs[status] = totals.runs.get(status, 0) + 1
        _add_steps(instance, run_id, totals)
        totals.until = max(totals.until, ended)
    totals.counted = {run: ended for run, ended in totals.counted.items() if ended > totals.until - OVERLAP_SECONDS}


def _add_steps(instance: DagsterInstance, run_id: str, totals: Totals) -> None:
    for step in instance.get_run_step_stats(run_id):
        asset = str(step.step_key).split("[", 1)[0].replace("__", "/")
        if step.start_time is None or step.end_time is None or "/" not in asset:
            continue
        totals.steps[asset] = totals.steps.get(asset, 0) + 1
        totals.seconds[asset] = totals.seconds.get(asset, 0.0) + max(step.end_time - step.start_time, 0.0)
        if step.status is not None and step.status.value == "FAILURE":
            totals.failed_steps[asset] = totals.failed_steps.get(asset, 0) + 1
