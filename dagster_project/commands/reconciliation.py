"""What `minemap reconcile` does: Dagster's records of this machine are made to say what the lake holds, and no more.

The lake is the truth. Nothing is fetched or computed, and nothing in the lake is changed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import dagster as dg
from dagster import DagsterInstance
from dagster._core.definitions.data_version import DATA_VERSION_TAG
from dagster._core.storage.event_log.schema import AssetEventTagsTable, SqlEventLogStorageTable
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage

from dagster_project.restoring import restore_all
from minemap_assets.graph.dagster_assets import asset_key, materialization
from minemap_assets.graph.graph import Graph
from minemap_assets.graph.partition_states import PartitionStates
from minemap_assets.graph.partitioning import REGION, lake_keys, partition_key
from minemap_assets.graph.statement import Asset
from minemap_assets.lake.manifests import DamagedError, Manifest
from minemap_assets.project.project import Project

T = TypeVar("T")

CORRECTED = "Corrected: the lake holds another version than was recorded"

_AT_ONCE = 500
"""Partitions of one query; databases take a limited number of values."""

_OF_A_PARTITION = (
    dg.DagsterEventType.ASSET_MATERIALIZATION.value,
    dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED.value,
    dg.DagsterEventType.ASSET_OBSERVATION.value,
)


@dataclass
class Reconciled:
    """What did not agree. Partitions go by their names.

    `recorded` were not known to Dagster, `corrected` were recorded with other content, and `forgotten` are not in the
    lake. `damaged` are sentences on manifests or tables that could not be read; the next run makes these again.
    `regions` are those of Dagster that are not active any more, with the reason; `assets` those that it knows and the
    project does not.
    """

    dry_run: bool
    recorded: list[str] = field(default_factory=list)
    corrected: list[str] = field(default_factory=list)
    forgotten: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    regions: dict[str, str] = field(default_factory=dict)
    assets: list[str] = field(default_factory=list)

    @property
    def agreed(self) -> bool:
        """True where there was nothing to do."""
        return not (self.recorded or self.corrected or self.forgotten)


@dataclass(frozen=True)
class Reconciliation:
    """One comparison of the instance with the lake; with `dry_run` nothing is changed."""

    instance: DagsterInstance
    graph: Graph
    states: PartitionStates
    dry_run: bool = False

    def run(self) -> Reconciled:
        """Compare asset by asset, and correct what does not agree."""
        found = Reconciled(self.dry_run)
        for asset in self.graph.assets:
            self._asset(asset, found)
        if found.recorded and not self.dry_run:
            self._record(found)
        found.regions = orphaned_regions(self.instance, self.states.project)
        known = {asset_key(asset) for asset in self.graph.assets}
        found.assets = sorted(key.to_user_string() for key in set(self.instance.all_asset_keys()) - known)
        return found

    def _asset(self, asset: Asset, found: Reconciled) -> None:
        """Manifests are read one by one, and none is remembered: there may be tens of thousands."""
        lake, recorded = self.states.project.lake, recorded_versions(self.instance, asset)
        held = set(lake.refs(asset.room, asset.name))
        gone = [key for key in recorded if asset.ref(lake_keys(key)) not in held]
        found.forgotten += [str(asset.ref(lake_keys(key))) for key in gone]
        if gone and not self.dry_run:
            _forget(self.instance, asset, gone)
        for ref in sorted(held):
            key = partition_key(ref.keys)
            try:
                manifest = lake.read_manifest(ref)
            except DamagedError as damage:
                found.damaged.append(str(damage))
                continue
            if manifest is None or manifest.rejected:
                continue
            if key not in recorded:
                found.recorded.append(str(ref))
            elif recorded[key] != manifest.content:
                self._correct(asset, manifest, found)

    def _record(self, found: Reconciled) -> None:
        """Add what the records lack; what turns out to be damaged is set aside, and not recorded."""

        def damaged(damage: DamagedError) -> None:
            found.damaged.append(str(damage))
            found.recorded = [name for name in found.recorded if name != str(damage.ref)]

        restore_all(self.instance, self.graph, self.states, damaged=damaged)

    def _correct(self, asset: Asset, manifest: Manifest, found: Reconciled) -> None:
        if not self.dry_run:
            try:
                event = materialization(self.states.project, asset, manifest, CORRECTED)
            except DamagedError as damage:
                found.damaged.append(str(damage))
                self.states.set_aside(damage)
                return
            self.instance.report_runless_asset_event(event)
        found.corrected.append(str(manifest.ref))


def recorded_versions(instance: DagsterInstance, asset: Asset) -> dict[str | None, str]:
    """The content that Dagster has recorded of each partition, by its key; empty for one without."""
    key, found = asset_key(asset), dict[str | None, str]()
    if asset.partitions.dimensions:
        storage = instance.event_log_storage
        tags = storage.get_latest_tags_by_partition(
            key, dg.DagsterEventType.ASSET_MATERIALIZATION, tag_keys=[DATA_VERSION_TAG]
        )
        for one in instance.get_materialized_partitions(key):
            found[one] = tags.get(one, {}).get(DATA_VERSION_TAG, "")
        return found
    event = instance.get_latest_materialization_event(key)
    if event is not None and event.asset_materialization is not None:
        found[None] = (event.asset_materialization.tags or {}).get(DATA_VERSION_TAG, "")
    return found


def orphaned_regions(instance: DagsterInstance, project: Project) -> dict[str, str]:
    """Regions that have partitions in Dagster and are not mapped any more, with the reason."""
    active = project.active_regions()
    return {
        slug: "retired" if slug in project.regions else "not in the regions file"
        for slug in sorted(instance.get_dynamic_partitions(REGION))
        if slug not in active
    }


def _forget(instance: DagsterInstance, asset: Asset, keys: Sequence[str | None]) -> None:
    """Take the records of partitions out of the instance.

    Dagster itself can only forget an asset as a whole, whose other partitions would then look newly made.
    """
    key = asset_key(asset)
    named = [one for one in keys if one is not None]
    if len(named) < len(keys):
        instance.wipe_assets([key])
        return
    storage = instance.event_log_storage
    if not isinstance(storage, SqlEventLogStorage):
        storage.wipe_asset_partitions(key, named)
        return
    events, tags = SqlEventLogStorageTable, AssetEventTagsTable
    with storage.index_connection() as connection:
        for some in _chunks(named):
            chosen = (
                (events.c.asset_key == key.to_string())
                & events.c.partition.in_(some)
                & events.c.dagster_event_type.in_(_OF_A_PARTITION)
            )
            ids = [row[0] for row in connection.execute(events.select().with_only_columns(events.c.id).where(chosen))]
            for part in _chunks(ids):
                connection.execute(tags.delete().where(tags.c.event_id.in_(part)))
            connection.execute(events.delete().where(chosen))
    storage.wipe_asset_cached_status(key)


def _chunks(values: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(values), _AT_ONCE):
        yield values[start : start + _AT_ONCE]
