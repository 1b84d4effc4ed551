"""Dagster's records in SQLite files, with what a command does in them many times a second done once.

Dagster prepares an engine for every single question, which compiles the same statements again, opens and closes the
file, and builds the schema of every run's file by its migrations (dagster 1.13.27): most of the time that a small
partition takes. The files are the same: whoever opens them with Dagster's own classes reads and writes them as well.
"""

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from dagster import DagsterInstance
from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME, SqliteEventLogStorage
from dagster._core.storage.runs import SqliteRunStorage
from dagster._serdes import ConfigurableClassData
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

from dagster_project.open_databases import OpenDatabases, Turns

MOST_OPEN = 2
"""The index, and the file of the run that is being made."""


def hasten(instance: DagsterInstance) -> None:
    """Have this process use the quick records, where the instance keeps its own in SQLite files."""
    log = instance.event_log_storage
    if type(log) is SqliteEventLogStorage:
        quick = QuickEventLog(log._base_dir)
        quick.register_instance(instance)
        instance._event_storage = quick
    runs = instance.run_storage
    if type(runs) is SqliteRunStorage:
        records = QuickRunRecords(runs._conn_string, runs.inst_data)
        records.register_instance(instance)
        instance._run_storage = records


@contextmanager
def kept_open(instance: DagsterInstance) -> Iterator[None]:
    """Within, this process keeps the files open that it asks and writes all the time: it makes one run after the other.

    Nobody else should: a page of the UI hears of new events when the file of a run is written, which those who have it
    open put off.
    """
    hasten(instance)
    stored = (instance.event_log_storage, instance.run_storage)
    quick = [one for one in stored if isinstance(one, QuickEventLog | QuickRunRecords)]
    before = [one.stay_open(MOST_OPEN) for one in quick]
    try:
        yield
    finally:
        for one, most in zip(quick, before, strict=True):
            one.stay_open(most)


class QuickRunRecords(SqliteRunStorage):
    """Dagster's records of runs, in a file that may stay open."""

    def __init__(self, conn_string: str, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(conn_string, inst_data)
        self._path = str(make_url(conn_string).database)
        self._files, self._turns = OpenDatabases(), Turns()

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """A transaction; one at a time, but for questions in the middle of another one."""
        with self._turns.turn() as inside:
            if inside:
                with super().connect() as connection:
                    yield connection
            else:
                with self._files.transaction(self._path) as connection:
                    yield connection

    def stay_open(self, most: int) -> int:
        """Have so many files stay open from now on; returns how many might before."""
        with self._turns.turn():
            return self._files.keep(most)

    def dispose(self) -> None:
        """Close the file."""
        self._files.close()
        super().dispose()


class QuickEventLog(SqliteEventLogStorage):
    """Dagster's log in files that may stay open, with a schema that is built once and copied."""

    def __init__(self, base_dir: str) -> None:
        self._tables: set[str] = set()
        self._empty: bytes | None = None
        self._files = OpenDatabases()
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
            path = self.path_for_shard(shard)
            if shard not in self._initialized_dbs:
                self._prepare(Path(path))
                self._initialized_dbs.add(shard)
            with self._files.transaction(path) as connection:
                yield connection
            if self._files.most_open and shard != INDEX_SHARD_NAME:
                os.utime(path)  # whoever watches the file hears of it, though what is new lies in its log

    def stay_open(self, most: int) -> int:
        """Have so many files stay open from now on; returns how many might before."""
        with self._db_lock:
            return self._files.keep(most)

    def dispose(self) -> None:
        """Close the files."""
        with self._db_lock:
            self._files.close()
        super().dispose()

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
        self._initdb(self._files.at(str(path)))

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
