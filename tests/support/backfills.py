"""Backfills as a person asks for them in the UI, handed to a daemon that runs."""

import time
from collections import Counter
from collections.abc import Sequence
from uuid import uuid4

import dagster as dg
from dagster import DagsterInstance
from dagster._core.execution.backfill import BULK_ACTION_TERMINAL_STATUSES, BulkActionStatus, PartitionBackfill

from daemons import wait_until
from dagster_project.definitions import build_definitions
from minemap_assets.graph.metadata import MADE, STORY
from tiny import Chain


def begin_backfill(chain: Chain, instance: DagsterInstance, assets: Sequence[str], partitions: Sequence[str]) -> str:
    """Ask for partitions of assets, such as `imagery/imagery`; gives the backfill's id."""
    definitions = build_definitions(chain.environment, registry=chain.registry)
    backfill_id = uuid4().hex[:8]
    instance.add_backfill(
        PartitionBackfill.from_asset_partitions(
            backfill_id=backfill_id,
            asset_graph=definitions.resolve_asset_graph(),
            partition_names=list(partitions),
            asset_selection=[dg.AssetKey(name.split("/")) for name in assets],
            backfill_timestamp=time.time(),
            tags={},
            dynamic_partitions_store=instance,
            all_partitions=False,
            title=None,
            description=None,
            run_config=None,
        )
    )
    return backfill_id


def backfill_status(instance: DagsterInstance, backfill_id: str) -> BulkActionStatus:
    """How far it is, as the UI shows it."""
    backfill = instance.get_backfill(backfill_id)
    assert backfill is not None
    return backfill.status


def wait_for_backfills(instance: DagsterInstance, *backfill_ids: str, patience: float = 900.0) -> None:
    """Wait for their ends. Raises `AssertionError` where one does not succeed."""
    over = [*BULK_ACTION_TERMINAL_STATUSES]
    wait_until(
        lambda: all(backfill_status(instance, one) in over for one in backfill_ids), "the end of backfills", patience
    )
    for one in backfill_ids:
        backfill = instance.get_backfill(one)
        assert backfill is not None
        assert backfill.status is BulkActionStatus.COMPLETED_SUCCESS, (backfill.status, backfill.error, told(instance))


def runs_of(instance: DagsterInstance, backfill_id: str) -> list[dg.DagsterRun]:
    """Its runs, the newest first."""
    return list(instance.get_runs(dg.RunsFilter(tags={"dagster/backfill": backfill_id})))


def made_now(instance: DagsterInstance, after: float) -> Counter[tuple[str, str]]:
    """How often runs made each partition since a time, without those that were kept as they were."""
    found: Counter[tuple[str, str]] = Counter()
    for key in instance.all_asset_keys():
        events = instance.fetch_materializations(dg.AssetRecordsFilter(key, after_timestamp=after), limit=1000)
        for record in events.records:
            event = record.asset_materialization
            if event is not None and event.metadata[STORY].value == MADE:
                found["/".join(key.path), str(record.partition_key or "")] += 1
    return found


def told(instance: DagsterInstance) -> list[str]:
    """What failed runs say."""
    return [
        f"{run.run_id[:8]} {entry.user_message or entry.dagster_event}"
        for run in instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE]))
        for entry in instance.all_logs(run.run_id)
        if entry.dagster_event is not None and entry.dagster_event.is_failure
    ]
