"""The Dagster instance of this machine: its folder, its configuration, and its partitions."""

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dagster import DagsterInstance
from dagster._core.instance.config import dagster_instance_config

from dagster_project.event_log import hasten
from dagster_project.run_locks import close_orphans
from minemap_assets.errors import BadInputError
from minemap_assets.graph.partitioning import REGION
from minemap_assets.lake.disk_errors import storage_errors
from minemap_assets.lake.locks import LockedError, hold
from minemap_assets.project.project import Project

PATIENCE_SECONDS = 60.0

MOST_RUNS = 16

CONFIGURATION = """\
# Dagster's configuration on this machine; see docs/architecture.md.
telemetry:
  enabled: false
nux:
  enabled: false

# A pool is a thing that one step at a time may use: the accelerator, the DuckDB file, an account with a quota.
concurrency:
  pools:
    granularity: op
    default_limit: 1
  runs:
    max_concurrent_runs: 2
# A busy code server may take longer than a minute to start a run, which then stays in the queue.
run_queue:
  dequeue_interval_seconds: 2
  max_user_code_failure_retries: 10
  user_code_failure_retry_delay: 30

# Dagster's own launcher, and whether the process of a run still lives. A run whose process is gone is failed, what it
# held is given back, and it starts again; steps have retries of their own.
run_launcher:
  module: dagster_project.launching
  class: WatchingRunLauncher
run_monitoring:
  enabled: true
  start_timeout_seconds: 300
  cancel_timeout_seconds: 120
  max_resume_run_attempts: 0
  poll_interval_seconds: 10
  free_slots_after_run_end_seconds: 10
run_retries:
  enabled: true
  max_retries: 2
  retry_on_asset_or_op_failure: false

retention:
  schedule:
    purge_after_days: 90
  sensor:
    purge_after_days:
      skipped: 7
      started: 30
      success: 30
      failure: 90
  auto_materialize:
    purge_after_days:
      skipped: 7
      success: 30
      failure: 90
"""
"""What a new instance is given, with as many runs at once as the machine has cores."""

FORMER = frozenset({"b3614f374b7cfb3becf245bb40ced8b600d2d4f6bf8c7769c9b0e7b9182477c0"})
"""SHA-256 of what earlier versions wrote: who changed nothing there is given the new one."""

NEEDED = (
    ("run_launcher",),
    ("run_monitoring", "enabled"),
    ("run_monitoring", "free_slots_after_run_end_seconds"),
    ("run_retries", "enabled"),
    ("concurrency", "pools", "default_limit"),
)
"""Without these, what a killed process held is never given back, and its run not started again."""


def open_instance(home: Path) -> DagsterInstance:
    """The instance in a folder, which is made where it does not exist; runs of killed processes are closed."""
    with storage_errors(home, "MINEMAP_STATE"):
        home.mkdir(parents=True, exist_ok=True)
        with _alone(home):
            _configure(home / "dagster.yaml")
            instance = DagsterInstance.from_config(str(home))
            # its databases are made when they are first asked for
            _ = instance.event_log_storage, instance.schedule_storage
            hasten(instance)
            close_orphans(instance)
    return instance


def _configure(path: Path) -> None:
    """Write the configuration where there is none, or one that an earlier version wrote and nobody changed."""
    if path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() not in FORMER:
        return
    runs = max(2, min(os.cpu_count() or 2, MOST_RUNS))
    whole = path.with_name(f".{path.name}")
    whole.write_text(CONFIGURATION.replace("max_concurrent_runs: 2", f"max_concurrent_runs: {runs}"))
    whole.replace(path)


def lacking(home: Path) -> str:
    """What a configuration that somebody wrote lacks of `NEEDED`, in a sentence; empty where it lacks nothing."""
    path = home / "dagster.yaml"
    if not path.exists():
        return ""
    try:
        configured, _ = dagster_instance_config(str(home))
    except Exception as error:  # a parser's, a type's or Dagster's own: they have no class in common
        why = str(error).strip().splitlines()[0]
        raise BadInputError(f"{path} is no configuration of Dagster ({why}); correct it, or remove it") from error
    missing = [".".join(names) for names in NEEDED if not _is_set(configured, names)]
    if not missing:
        return ""
    return (
        f"{path} does not set {', '.join(missing)}: what a killed process held stays held; take these from "
        "docs/architecture.md, or remove the file, and the next command writes a whole one"
    )


def _is_set(configured: Mapping[str, Any], names: Sequence[str]) -> bool:
    """Whether a setting is there and is not switched off."""
    value: object = configured
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
    return bool(value)


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """One process at a time: two that make the same databases at once get in each other's way."""
    try:
        with hold(home / "instance.lock", PATIENCE_SECONDS):
            yield
    except LockedError as error:
        raise BadInputError(f"another process is opening {home}; wait for it to end and run this again") from error


def sync_regions(instance: DagsterInstance, project: Project) -> None:
    """Add a partition for every active region."""
    new = sorted(set(project.active_regions()) - set(instance.get_dynamic_partitions(REGION)))
    if new:
        with storage_errors(Path(instance.root_directory), "MINEMAP_STATE"):
            instance.add_dynamic_partitions(REGION, new)
