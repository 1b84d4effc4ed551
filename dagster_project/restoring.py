"""The instance's agreement with the lake: an instance that was lost, or is new here, is told what exists.

The lake is the truth; nothing is made.
"""

from collections.abc import Callable, Iterable
from weakref import WeakKeyDictionary

import dagster as dg
from dagster import AssetRecordsFilter, DagsterInstance

from dagster_project.event_log import kept_open
from dagster_project.runless_events import report
from minemap_assets.graph.dagster_assets import asset_key, materialization
from minemap_assets.graph.graph import Graph
from minemap_assets.graph.partition_states import PartitionStates
from minemap_assets.graph.partitioning import partition_key
from minemap_assets.graph.statement import Asset
from minemap_assets.lake.manifests import DamagedError, PartitionRef

_AT_ONCE = 200
"""Events of one transaction; no more are in memory at a time."""

_WHY = "Restored from the lake's manifest"

_known: WeakKeyDictionary[DagsterInstance, dict[dg.AssetKey, set[str | None]]] = WeakKeyDictionary()
"""Partitions that an instance was seen to know of. A run asks for each of its steps, and asks the database once."""


def restore_all(
    instance: DagsterInstance,
    graph: Graph,
    states: PartitionStates,
    *,
    restored: Callable[[Asset, int], None] = lambda _, __: None,
    damaged: Callable[[DamagedError], None] = lambda _: None,
) -> int:
    """Tell a new or lost instance what the lake holds; what is damaged is set aside for the next run.

    `restored` is told of each asset and how many of its partitions were recorded. Returns how many there were.
    Manifests are read one by one, those of partitions that the instance knows of not at all.
    """
    count = 0
    with kept_open(instance):
        for asset in graph.assets:
            found = _restore_asset(instance, asset, states, damaged)
            if found:
                restored(asset, found)
            count += found
    return count


def restore(instance: DagsterInstance, graph: Graph, states: PartitionStates, refs: Iterable[PartitionRef]) -> int:
    """Record the materialisations the instance does not know of; returns how many there were.

    Raises `DamagedError` where telling a partition's facts shows that it is damaged; those before it are recorded.
    """
    count = 0
    for ref in refs:
        asset, key = graph.asset(ref), partition_key(ref.keys)
        known = _known_of(instance, asset_key(asset))
        if key in known:
            continue
        manifest = states.manifest(ref)
        if manifest is None or manifest.rejected:
            continue
        if not _is_recorded(instance, asset_key(asset), key):
            report(instance, [materialization(states.project, asset, manifest, _WHY)])
            count += 1
        known.add(key)
    return count


def _restore_asset(
    instance: DagsterInstance, asset: Asset, states: PartitionStates, damaged: Callable[[DamagedError], None]
) -> int:
    """Record all partitions of one asset, some at a time."""
    lake, key, count = states.project.lake, asset_key(asset), 0
    recorded = _recorded(instance, key)
    batch: list[dg.AssetMaterialization] = []
    for ref in lake.refs(asset.room, asset.name):
        if partition_key(ref.keys) not in recorded:
            event = _event(asset, ref, states, damaged)
            batch += [] if event is None else [event]
        if len(batch) == _AT_ONCE:
            report(instance, batch)
            count, batch = count + len(batch), []
    if batch:
        report(instance, batch)
    return count + len(batch)


def _event(
    asset: Asset, ref: PartitionRef, states: PartitionStates, damaged: Callable[[DamagedError], None]
) -> dg.AssetMaterialization | None:
    """What is to be recorded of a partition; None where it failed its checks or is damaged."""
    while True:
        manifest = states.project.lake.manifest(ref)
        if manifest is None or manifest.rejected:
            return None
        try:
            return materialization(states.project, asset, manifest, _WHY)
        except DamagedError as damage:
            states.set_aside(damage)
            damaged(damage)
            if damage.ref == ref:
                return None


def _known_of(instance: DagsterInstance, key: dg.AssetKey) -> set[str | None]:
    known = _known.setdefault(instance, {})
    if key not in known:
        known[key] = _recorded(instance, key)
    return known[key]


def _recorded(instance: DagsterInstance, key: dg.AssetKey) -> set[str | None]:
    recorded: set[str | None] = set(instance.get_materialized_partitions(key))
    if not recorded and instance.get_latest_materialization_event(key) is not None:
        recorded.add(None)
    return recorded


def _is_recorded(instance: DagsterInstance, key: dg.AssetKey, partition: str | None) -> bool:
    """Whether the instance knows of a partition by now: another process may have made it and recorded it."""
    chosen = AssetRecordsFilter(asset_key=key, asset_partitions=None if partition is None else [partition])
    return bool(instance.fetch_materializations(chosen, limit=1).records)
