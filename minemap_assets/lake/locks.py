"""Advisory lock files, which the system gives back however their holder ends; who holds one, and waiting for it."""

import errno
import fcntl
import json
import math
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from minemap_assets.errors import BusyError, StorageError

LOCK = ".lock"
_PAUSE = 0.05
_LONGEST_PAUSE = 1.0
_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)


class LockedError(Exception):
    """Somebody else holds it now."""


@dataclass(frozen=True)
class Holder:
    """Which process holds something, since when by its own machine's clock, and for which `work`, if it says so.

    For people, never for decisions.
    """

    pid: int
    host: str
    since: datetime
    work: str = ""

    @classmethod
    def now(cls, work: str = "") -> "Holder":
        """This process, from now on."""
        return cls(os.getpid(), socket.gethostname(), datetime.now(UTC).replace(microsecond=0), work)

    @classmethod
    def parse(cls, data: bytes) -> "Holder | None":
        """What `dump` wrote; None for anything else."""
        try:
            raw = json.loads(data)
            since = datetime.fromisoformat(raw["since"]).astimezone(UTC)
            return cls(int(raw["pid"]), str(raw["host"]), since, str(raw.get("work", "")))
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
            return None

    def dump(self) -> bytes:
        """As JSON."""
        said = {"pid": self.pid, "host": self.host, "since": self.since.isoformat()}
        return json.dumps(said | ({"work": self.work} if self.work else {})).encode()

    def __str__(self) -> str:
        since = self.since.astimezone()
        today = since.date() == datetime.now().astimezone().date()
        since_when = f"{since:{'%H:%M' if today else '%Y-%m-%d %H:%M'}}"
        work = f", which makes {self.work}" if self.work else ""
        return f"process {self.pid} on {self.host} since {since_when}{work}"


SOMEBODY = "another process"
"""A holder that did not say who it is, or has just let go."""


class Wait:
    """One wait for `what`, which others hold: with growing pauses, for so many seconds.

    `waiting` is told who holds it, once, if it is waited for at all.
    """

    def __init__(self, what: str, seconds: float, waiting: Callable[[str], None]) -> None:
        self._what = what
        self._end = time.monotonic() + seconds
        self._waiting = waiting
        self._told = False
        self._pause = _PAUSE

    def once_more(self, holder: str) -> None:
        """Pause before the next try. Raises `BusyError` where the time is up."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise BusyError(f"{self._what} is held by {holder}; run the same command again when that has ended")
        if not self._told:
            self._told = True
            self._waiting(holder)
        time.sleep(min(self._pause, left))
        self._pause = min(self._pause * 1.5, _LONGEST_PAUSE)


@contextmanager
def hold(lock: Path, patience: float = 0.0, *, shared: bool = False, keep: bool = False) -> Iterator[None]:
    """Hold a lock file between threads and processes: alone, or with others who share it.

    The file exists only as long as it is held, unless it is shared or to be kept. Raises `LockedError` where another
    one still holds it after `patience` seconds; `math.inf` waits in the system, without asking again and again. Raises
    `StorageError` on a file system without locks.
    """
    handle, process = _patiently(lock, fcntl.LOCK_SH if shared else fcntl.LOCK_EX, patience), os.getpid()
    try:
        yield
    finally:
        try:
            if os.getpid() == process:  # a child that was forked meanwhile shares the lock, which is not its own
                if not (shared or keep):
                    lock.unlink(missing_ok=True)
                # closing alone would let go only when every such child has closed it too
                fcntl.flock(handle, fcntl.LOCK_UN)
        finally:
            os.close(handle)


def read_holder(lock: Path) -> str:
    """Who holds a lock file, in words, as far as it says so."""
    try:
        return str(Holder.parse(lock.read_bytes()) or SOMEBODY)
    except OSError:
        return SOMEBODY


def _patiently(lock: Path, how: int, patience: float) -> int:
    if patience == math.inf:
        return _acquire(lock, how)
    end = time.monotonic() + patience
    while True:
        try:
            return _acquire(lock, how | fcntl.LOCK_NB)
        except LockedError:
            if time.monotonic() >= end:
                raise
            time.sleep(_PAUSE)


def _acquire(lock: Path, how: int) -> int:
    while True:
        handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(handle, how)
            if _is_still(lock, handle):
                return handle
        except BlockingIOError as error:
            os.close(handle)
            raise LockedError(str(lock)) from error
        except OSError as error:
            os.close(handle)
            if error.errno in _NO_LOCKS:
                raise StorageError(
                    f"{lock.parent} is on a file system without file locks ({os.strerror(error.errno or 0)}), which "
                    "keep processes apart; choose another folder with MINEMAP_HOME or MINEMAP_STATE"
                ) from error
            raise
        except BaseException:
            os.close(handle)
            raise
        # its last holder removed the file between the two calls
        os.close(handle)


def _is_still(path: Path, handle: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(handle))
    except FileNotFoundError:
        return False
