"""SQLite files that may stay open between questions: opening and closing its file is most of what a small one takes.

Closing the last connection to a file in WAL mode writes everything in the log over to the file, and waits for the disk.
Between transactions others read and write the files as before.
"""

import os
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager

from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.pool import NullPool


class OpenDatabases:
    """Connections by path, of which the `most_open` used last stay open (none, until told otherwise), and one engine
    for all, which knows what it has compiled.

    A transaction outlives the death of its process; one that the machine's own death takes is told anew from the lake.
    Whoever uses it takes turns.
    """

    def __init__(self) -> None:
        self.most_open = 0
        self._path = ""
        self._open: OrderedDict[str, Connection] = OrderedDict()
        self._owner = os.getpid()
        self.engine: Engine = create_engine("sqlite://", poolclass=NullPool, creator=self._connect)

    def at(self, path: str) -> Engine:
        """The engine, whose next connection is to the file at this path."""
        self._path = path
        return self.engine

    @contextmanager
    def transaction(self, path: str) -> Iterator[Connection]:
        """A transaction in a file, which is rolled back where it ends by an exception."""
        self._leave_others_alone()
        connection = self._open.pop(path, None)
        if connection is None or connection.invalidated:
            connection = self.at(path).connect()
        try:
            with connection.begin():
                yield connection
        except BaseException:
            connection.close()
            raise
        self._open[path] = connection
        self._close_but(self.most_open)

    def keep(self, most: int) -> int:
        """Let so many stay open from now on, and close the others; returns how many might before."""
        self._leave_others_alone()
        before, self.most_open = self.most_open, most
        self._close_but(most)
        return before

    def close(self) -> None:
        """Close what is open; it can be used again."""
        self._leave_others_alone()
        self._close_but(0)

    def _close_but(self, most: int) -> None:
        while len(self._open) > most:
            self._open.popitem(last=False)[1].close()

    def _leave_others_alone(self) -> None:
        """A forked process has connections of its own: the ones it was born with belong to its parent."""
        if self._owner != os.getpid():
            _inherited.append(self._open)
            self._open, self._owner = OrderedDict(), os.getpid()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=SQLITE_BUSY_TIMEOUT_SECONDS, check_same_thread=False)
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection


_inherited: list[OrderedDict[str, Connection]] = []
"""What is never closed in this process."""


class Turns:
    """One transaction at a time, but for one that begins inside of another in the same thread."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._inside = False

    @contextmanager
    def turn(self) -> Iterator[bool]:
        """Wait for a turn; gives whether this thread is inside of another one."""
        with self._lock:
            inside, self._inside = self._inside, True
            try:
                yield inside
            finally:
                self._inside = inside
