"""Dagster's event log in SQLite files, with what a command does in it many times a second done once.

Dagster prepares an engine for every single question, which compiles the same statements again, and builds the schema
of every run's file by its migrations (dagster 1.13.27): half of the time that a small partition takes. The files are
the same: whoever opens them with Dagster's own class reads and writes them as well.
"""

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from dagster import DagsterInstance
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.pool import NullPool


def hasten(instance: DagsterInstance) -> None:
    """Have this process use the quick log, where the instance keeps its log in SQLite files."""
    log = instance.event_log_storage
    if type(log) is SqliteEventLogStorage:
        quick = QuickEventLog(log._base_dir)
        quick.register_instance(instance)
        instance._event_storage = quick


class QuickEventLog(SqliteEventLogStorage):
    """Dagster's log with one engine for all files, and a schema that is built once and copied."""

    def __init__(self, base_dir: str) -> None:
        self._shard = ""
        self._tables: set[str] = set()
        self._empty: bytes | None = None
        self._engine = create_engine("sqlite://", poolclass=NullPool, creator=self._open)
        super().__init__(base_dir)

    def has_table(self, table_name: str) -> bool:
        """Whether the index has a table; one that was there stays."""
        if table_name not in self._tables and super().has_table(table_name):
            self._tables.add(table_name)
        return table_name in self._tables

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        """A transaction in the file of a run, or of the index; one at a time, as in Dagster."""
        with self._db_lock:
            self._shard = shard
            if shard not in self._initialized_dbs:
                self._prepare(Path(self.path_for_shard(shard)))
                self._initialized_dbs.add(shard)
            with self._engine.connect() as connection, connection.begin():
                yield connection

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(self.path_for_shard(self._shard), timeout=SQLITE_BUSY_TIMEOUT_SECONDS)

    def _prepare(self, path: Path) -> None:
        """Have a file with the schema: a copy of an empty one, or the one that is there as Dagster finds it."""
        if not path.exists():
            with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".empty-") as whole:
                whole.write(self._schema())
                whole.flush()
                try:
                    os.link(whole.name, path)
                except FileExistsError:
                    pass  # another process was faster
                else:
                    return
        self._initdb(self._engine)

    def _schema(self) -> bytes:
        """A file with the schema and nothing else, as Dagster makes it."""
        if self._empty is None:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "empty.db"
                engine: Engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)
                self._initdb(engine)
                engine.dispose()
                with closing(sqlite3.connect(path)) as database:
                    self._empty = database.serialize()
        return self._empty
