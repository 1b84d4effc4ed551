"""How long partitions took to make, by Dagster's records."""

from collections.abc import Collection, Iterator
from statistics import median

import dagster as dg
from dagster import DagsterInstance

from minemap_assets.graph.metadata import MADE, STORY
from minemap_assets.graph.partitioning import lake_keys
from minemap_assets.graph.statement import Asset
from minemap_assets.lake.manifests import PartitionRef

RUNS = 500
"""The newest materialisations of an asset are looked at."""

FEW = 3
"""Partitions whose times make an asset's usual one."""

RECENT = 10
"""The newest materialisations among which these few are looked for."""


def seconds_by_partition(instance: DagsterInstance, *assets: Asset) -> dict[PartitionRef, float]:
    """What making each partition took the last time, in seconds."""
    return {ref: seconds for asset in assets for ref, seconds in _durations(instance, asset, RUNS)}


def usual_seconds(instance: DagsterInstance, assets: Collection[Asset]) -> dict[Asset, float]:
    """What making one partition of each asset took lately, in seconds; assets that were never made here are left out.

    Few records are read, so that it costs little beside a run.
    """
    found: dict[Asset, float] = {}
    for asset in assets:
        times = [seconds for (_, seconds), _ in zip(_durations(instance, asset, RECENT), range(FEW), strict=False)]
        if times:
            found[asset] = median(times)
    return found


def _durations(instance: DagsterInstance, asset: Asset, most: int) -> Iterator[tuple[PartitionRef, float]]:
    step = f"{asset.room}__{asset.name}"
    seen: set[str | None] = set()
    for record in instance.fetch_materializations(dg.AssetKey([asset.room, asset.name]), limit=most).records:
        event = record.asset_materialization
        story = event.metadata.get(STORY) if event is not None else None
        if event is None or story is None or story.value != MADE or event.partition in seen:
            continue
        seen.add(event.partition)
        for stats in instance.get_run_step_stats(record.run_id, [step]):
            if stats.start_time and stats.end_time:
                yield asset.ref(lake_keys(event.partition)), stats.end_time - stats.start_time
