"""How long partitions took to make, by Dagster's records."""

from collections.abc import Iterator

import dagster as dg
from dagster import DagsterInstance

from minemap_assets.graph.metadata import MADE_NOW
from minemap_assets.graph.partitioning import lake_keys
from minemap_assets.graph.statement import Asset
from minemap_assets.lake.manifests import PartitionRef

RUNS = 500
"""The newest materialisations of an asset are looked at."""


def seconds_by_partition(instance: DagsterInstance, *assets: Asset) -> dict[PartitionRef, float]:
    """What making each partition took the last time, in seconds."""
    return {ref: seconds for asset in assets for ref, seconds in _durations(instance, asset)}


def _durations(instance: DagsterInstance, asset: Asset) -> Iterator[tuple[PartitionRef, float]]:
    step = f"{asset.room}__{asset.name}"
    seen: set[str | None] = set()
    for record in instance.fetch_materializations(dg.AssetKey([asset.room, asset.name]), limit=RUNS).records:
        event = record.asset_materialization
        made = event.metadata.get(MADE_NOW) if event is not None else None
        if event is None or made is None or not made.value or event.partition in seen:
            continue
        seen.add(event.partition)
        for stats in instance.get_run_step_stats(record.run_id, [step]):
            if stats.start_time and stats.end_time:
                yield asset.ref(lake_keys(event.partition)), stats.end_time - stats.start_time
