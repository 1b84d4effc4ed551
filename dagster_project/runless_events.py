"""Telling the instance of many materialisations that no run of it made, a batch at a time.

One by one they cost a transaction or two each, and in SQLite a new connection for every statement: ten minutes for
thousands of partitions.
"""

from collections.abc import Sequence
from logging import INFO
from typing import Any

import dagster as dg
from dagster import DagsterInstance, EventLogEntry
from dagster._core.events import DagsterEvent, DagsterEventType, StepMaterializationData
from dagster._core.instance.utils import RUNLESS_JOB_NAME, RUNLESS_RUN_ID
from dagster._core.storage.event_log.schema import SqlEventLogStorageTable
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._time import get_current_timestamp


def report(instance: DagsterInstance, materializations: Sequence[dg.AssetMaterialization]) -> None:
    """Record materialisations of one asset together, all or none, as `report_runless_asset_event` does one by one."""
    entries = [_entry(materialization) for materialization in materializations]
    storage = instance.event_log_storage
    if isinstance(storage, SqliteEventLogStorage):
        _store_at_once(storage, entries)
    else:
        storage.store_event_batch(entries)


def _entry(materialization: dg.AssetMaterialization) -> EventLogEntry:
    event = DagsterEvent(
        event_type_value=DagsterEventType.ASSET_MATERIALIZATION.value,
        event_specific_data=StepMaterializationData(materialization),
        job_name=RUNLESS_JOB_NAME,
    )
    return EventLogEntry(  # type: ignore[no-untyped-call]
        user_message="",
        level=INFO,
        job_name=RUNLESS_JOB_NAME,
        run_id=RUNLESS_RUN_ID,
        error_info=None,
        timestamp=get_current_timestamp(),
        step_key=None,
        dagster_event=event,
    )


def _store_at_once(storage: SqliteEventLogStorage, entries: Sequence[EventLogEntry]) -> None:
    """What `SqliteEventLogStorage.store_event` writes for each, in one transaction for each of its two databases.

    The asset's own row tells of the last event only, so it is written once (as in Dagster's storage for PostgreSQL).
    """
    rows, insert = [storage._event_to_row(entry) for entry in entries], SqlEventLogStorageTable.insert()
    with storage.index_transaction() as connection:
        ids = [_number(connection.execute(insert, row)) for row in rows]
        storage._store_asset_event_tags(connection, entries, ids)
        storage._store_asset_event(connection, entries[-1], ids[-1])
    with storage.run_connection(RUNLESS_RUN_ID) as connection:
        connection.execute(insert, rows)


def _number(stored: Any) -> int:
    """The number that the database gave an event."""
    return int(stored.inserted_primary_key[0])
