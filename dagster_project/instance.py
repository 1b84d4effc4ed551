"""The Dagster instance of this machine: its folder, its configuration, and its agreement with the lake.

The lake is the truth: an instance that was lost, or is new on this machine, is told what exists; nothing is made.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
from dagster import DagsterInstance

from dagster_project.run_locks import close_orphans
from minemap_assets.errors import BadInputError
from minemap_assets.graph.dagster_assets import asset_key, materialization
from minemap_assets.graph.graph import Graph
from minemap_assets.graph.partition_states import PartitionStates
from minemap_assets.graph.partitioning import REGION, partition_key
from minemap_assets.lake.disk_errors import storage_errors
from minemap_assets.lake.locks import LockedError, hold
from minemap_assets.lake.manifests import PartitionRef
from minemap_assets.project.project import Project

PATIENCE_SECONDS = 60.0

CONFIGURATION = """\
# Dagster's configuration on this machine; see docs/architecture.md.
telemetry:
  enabled: false
nux:
  enabled: false
concurrency:
  pools:
    granularity: op
    default_limit: 1
  runs:
    max_concurrent_runs: 2
"""


def open_instance(home: Path) -> DagsterInstance:
    """The instance in a folder, which is made where it does not exist; runs of killed processes are closed."""
    with storage_errors(home, "MINEMAP_STATE"):
        home.mkdir(parents=True, exist_ok=True)
        with _alone(home):
            configuration = home / "dagster.yaml"
            if not configuration.exists():
                whole = home / ".dagster.yaml"
                whole.write_text(CONFIGURATION)
                whole.replace(configuration)
            instance = DagsterInstance.from_config(str(home))
            # its databases are made when they are first asked for
            _ = instance.event_log_storage, instance.schedule_storage
            close_orphans(instance)
    return instance


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


def restore(instance: DagsterInstance, graph: Graph, states: PartitionStates, refs: Iterable[PartitionRef]) -> int:
    """Record the materialisations the instance does not know of; returns how many there were."""
    known: dict[dg.AssetKey, set[str | None]] = {}
    count = 0
    for ref in refs:
        manifest = states.manifest(ref)
        if manifest is None or manifest.rejected:
            continue
        asset, wanted = graph.asset(ref), partition_key(ref.keys)
        key = asset_key(asset)
        if key not in known:
            known[key] = _recorded(instance, key)
        if wanted in known[key]:
            continue
        event = materialization(states.project, asset, manifest, "Restored from the lake's manifest")
        instance.report_runless_asset_event(event)
        known[key].add(wanted)
        count += 1
    return count


def _recorded(instance: DagsterInstance, key: dg.AssetKey) -> set[str | None]:
    recorded: set[str | None] = set(instance.get_materialized_partitions(key))
    if not recorded and instance.get_latest_materialization_event(key) is not None:
        recorded.add(None)
    return recorded
