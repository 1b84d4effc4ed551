"""Files fetched from services, kept below one folder up to a number of bytes, and as long as the disk has room: those
used longest ago go first.

A file `<name>.<anything>` may have two companions beside it, which never go: `<name>.json`, whose time is that of the
file's last use (without one the file's own time is), and `<name>.lock`, held by whoever reads the file, which stays
that long.
"""

import math
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from minemap_assets.lake.locks import LOCK, LockedError, hold

NOTE = ".json"
PART = ".part"

_STALE = 86_400.0
"""Seconds after which what a killed process left behind is removed."""

_SWEEP_EVERY = 0.02
_SWEEP_BYTES = 1_000_000_000
"""The folder is looked through each time this share of the limit, or so many bytes, have been added."""

_SPARE_BYTES = 10_000_000_000
_SPARE_SHARE = 0.05
"""Bytes of the disk, or share of it where that is less, that are left to everybody else."""

_COMPANIONS = frozenset({NOTE, LOCK})


@dataclass(frozen=True, order=True)
class _Kept:
    """A file by the time of its last use in nanoseconds, and its size in bytes."""

    used: int
    path: Path
    size: int


class KeptFiles:
    """All kept files below a folder. Safe to use from several threads and processes."""

    def __init__(self, root: Path, limit: float = math.inf) -> None:
        """`limit` is in bytes, over everything below `root`, whoever keeps it there."""
        self.root = root
        self.limit = limit
        self._guard = threading.Lock()
        self._added = 0

    def keep(self, path: Path, data: bytes | memoryview) -> None:
        """Put bytes at a path below the folder, at once or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, suffix=PART)
        with os.fdopen(handle, "wb") as part:
            part.write(data)
        Path(name).replace(path)
        self.added(len(data))

    def take(self, path: Path) -> bytes | None:
        """The bytes at a path, which is used thereby; None where nothing is kept there."""
        try:
            data = path.read_bytes()
            os.utime(path)
        except FileNotFoundError:
            return None
        return data

    def use(self, path: Path) -> None:
        """Note that a file is used, in its companion where it has one."""
        note = path.with_name(_stem(path) + NOTE)
        with suppress(FileNotFoundError):
            os.utime(note if note.exists() else path)

    def added(self, size: int) -> None:
        """Count bytes that were put below the folder, and make room where there have been many."""
        if self.limit == math.inf:
            return
        with self._guard:
            self._added += size
            full = self._added > min(self.limit * _SWEEP_EVERY, _SWEEP_BYTES)
            if full:
                self._added = 0
        if full:
            self.fit()

    def fit(self, spared: Path | None = None) -> None:
        """Remove files until the rest is within the limit, and the disk not all but full; `spared` and those being read
        stay.
        """
        if self.limit == math.inf:
            return
        self.root.mkdir(parents=True, exist_ok=True)
        with hold(self.root / f"eviction{LOCK}", math.inf, keep=True):
            files = sorted(self._files())
            disk = shutil.disk_usage(self.root)
            lacking = min(_SPARE_BYTES, disk.total * _SPARE_SHARE) - disk.free
            excess = max(sum(file.size for file in files) - self.limit, lacking)
            for file in files:
                if excess <= 0:
                    return
                if file.path != spared and _remove(file.path):
                    excess -= file.size

    def _files(self) -> Iterator[_Kept]:
        for folder, _, names in os.walk(self.root):
            notes = frozenset(name for name in names if name.endswith(NOTE))
            for name in names:
                path = Path(folder, name)
                with suppress(FileNotFoundError):  # another process has just removed or replaced it
                    if path.suffix in _COMPANIONS or (path.suffix == PART and not is_stale(path)):
                        continue
                    status = path.stat()
                    note = path.with_name(_stem(path) + NOTE)
                    used = note.stat().st_mtime_ns if note.name in notes else status.st_mtime_ns
                    yield _Kept(used, path, status.st_size)


def is_stale(path: Path) -> bool:
    """True for what lies there so long that no process can still be writing it."""
    try:
        return time.time() - path.stat().st_mtime > _STALE
    except FileNotFoundError:
        return False


def _remove(path: Path) -> bool:
    """Remove a file unless it is being read."""
    lock = path.with_name(_stem(path) + LOCK)
    if not lock.exists():
        path.unlink(missing_ok=True)
        return True
    with suppress(LockedError), hold(lock, keep=True):
        path.unlink(missing_ok=True)
        return True
    return False


def _stem(path: Path) -> str:
    return path.name.partition(".")[0]
