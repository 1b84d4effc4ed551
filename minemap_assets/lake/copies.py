"""Local copies of an object store's objects, kept up to a number of bytes: those used longest ago go first.

A copy stays while anybody may still read it. Whoever reads copies opens a scope, a lock file whose time is that of its
beginning; every use of a copy is noted as the time of the copy's own note, later than the beginning of the scope that
it belongs to. So a copy used before the oldest scope of all processes began is one that nobody reads.
"""

import atexit
import math
import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

from minemap_assets.lake.locks import LOCK, LockedError, hold
from minemap_assets.lake.workspaces import clear, settle, taken, unique_name

CACHE_BYTES = 20_000_000_000
"""How much is kept where nobody says how much."""

_ATTEMPTS = 100
_EMPTIED = 0.9
"""What remains after a sweep, as a share of the limit."""

_SCOPES: ContextVar[tuple[tuple[str, int], ...]] = ContextVar("scopes", default=())
"""Folders of copies, and when the scope of this context began there, in nanoseconds."""

_ENDLESS: dict[tuple[str, int], int] = {}
"""The same, for scopes that end with the process, by folder and process."""

_HELD = ExitStack()
atexit.register(_HELD.close)
_GUARD = threading.Lock()


@dataclass(frozen=True)
class Copy:
    """One copy, held by this process: where it is, and the note that says which object's state it is."""

    path: Path
    note: Path

    def shows(self, tag: str) -> bool:
        """True where it has the bytes of the object with this ETag."""
        return bool(tag) and self.path.is_file() and self.note.read_text() == tag

    def exchange(self, local: Path, tag: str) -> None:
        """Put a file in its place. No tag stands beside a copy it does not belong to, whenever this ends."""
        self.note.write_text("")
        settle(local, self.path)
        self.note.write_text(tag)

    def use(self, begin: int) -> None:
        """Note that it is used, in a scope that began then: not before it, even where the clock was set back."""
        os.utime(self.note)
        if self.note.stat().st_mtime_ns < begin:
            os.utime(self.note, ns=(begin, begin))


class Copies:
    """All copies in a folder; up to `limit` bytes, where one is given."""

    def __init__(self, folder: Path, limit: int | None) -> None:
        self._folder = folder
        self._files, self._notes, self._open = folder / "files", folder / "tags", folder / "scopes"
        self._limit = limit

    @contextmanager
    def using(self) -> Iterator[None]:
        """A scope: what is fetched in this context stays until its end.

        Threads belong to it where they run in a copy of the context; what others fetch stays until the process ends.
        """
        scopes = _SCOPES.get()
        if any(folder == str(self._folder) for folder, _ in scopes):
            yield
            return
        with self._scope() as begin:
            token = _SCOPES.set((*scopes, (str(self._folder), begin)))
            try:
                yield
            finally:
                _SCOPES.reset(token)

    def begin(self) -> int:
        """When the scope began that a use of now belongs to; one that lasts until the process ends is opened."""
        for folder, begin in _SCOPES.get():
            if folder == str(self._folder):
                return begin
        key = (str(self._folder), os.getpid())
        with _GUARD:
            if key not in _ENDLESS:
                _ENDLESS[key] = _HELD.enter_context(self._scope())
            return _ENDLESS[key]

    @contextmanager
    def at(self, path: str) -> Iterator[Copy]:
        """The copy of an object, for one process at a time; it need not be there yet."""
        copy = Copy(self._files / path, self._notes / f"{path}.tag")
        with ExitStack() as stack:
            for attempt in range(_ATTEMPTS):
                try:
                    copy.note.parent.mkdir(parents=True, exist_ok=True)
                    stack.enter_context(hold(copy.note, math.inf, keep=True))
                    break
                except (FileNotFoundError, FileExistsError):  # a sweep removes folders as long as they are empty
                    if attempt == _ATTEMPTS - 1:
                        raise
            yield copy

    def forget(self, path: str) -> None:
        """Take a copy for no object's state; whoever reads it now keeps it until a new one is fetched."""
        if (self._notes / f"{path}.tag").exists():
            with self.at(path) as copy:
                copy.note.write_text("")

    def drop(self, path: str) -> None:
        """Remove a copy, whoever uses it; nothing happens where there is none."""
        if (self._notes / f"{path}.tag").exists():
            with self.at(path) as copy:
                copy.path.unlink(missing_ok=True)
                copy.note.unlink(missing_ok=True)

    def grown(self, by: int) -> None:
        """Count bytes that were added, and sweep where they have become too many."""
        if self._limit is None:
            return
        with self._tally() as tally:
            total, due = self._read(tally)
            tally.write_text(f"{total + by} {due}")
        if total + by > due:
            self.sweep(self._limit)

    def sweep(self, limit: int) -> None:
        """Remove copies that nobody uses, oldest first, until there is room; left to another one that does it now."""
        with suppress(LockedError), hold(self._folder / "sweep.lock"):
            before = self._oldest_use()
            found = sorted(self._found())
            total = sum(bytes_ for _, bytes_, _ in found)
            for used, bytes_, path in found if total > limit else ():
                if total <= limit * _EMPTIED or used >= before:
                    break
                if self._remove(path, before):
                    total -= bytes_
            with self._tally() as tally:
                # where all are used, the next sweep waits until there are noticeably more
                tally.write_text(f"{total} {max(limit, total + limit // 20)}")

    @contextmanager
    def _scope(self) -> Iterator[int]:
        self._open.mkdir(parents=True, exist_ok=True)
        with taken(self._open, unique_name()) as lock:
            yield lock.stat().st_mtime_ns

    def _oldest_use(self) -> int:
        """Copies that were used before this time, in nanoseconds, are used no more."""
        self._open.mkdir(parents=True, exist_ok=True)
        # the clock of the file system, which all the times that are compared come from
        now = self._folder / "sweep.lock"
        os.utime(now)
        begins = [now.stat().st_mtime_ns]
        clear(self._open)
        for lock in self._open.glob(f"*{LOCK}"):
            with suppress(FileNotFoundError):
                begins.append(lock.stat().st_mtime_ns)
        return min(begins)

    def _found(self) -> Iterator[tuple[int, int, str]]:
        """When a copy was used last, its bytes, and its object's path."""
        for folder, _, names in os.walk(self._files):
            for name in names:
                path = (Path(folder) / name).relative_to(self._files).as_posix()
                with suppress(FileNotFoundError):
                    bytes_ = (self._files / path).stat().st_size
                    note = self._notes / f"{path}.tag"
                    yield note.stat().st_mtime_ns if note.exists() else 0, bytes_, path

    def _remove(self, path: str, before: int) -> bool:
        """Remove a copy that was not used since; one that is being fetched now stays."""
        copy = Copy(self._files / path, self._notes / f"{path}.tag")
        try:
            copy.note.parent.mkdir(parents=True, exist_ok=True)
            with hold(copy.note, keep=True):
                if copy.note.stat().st_mtime_ns >= before:
                    return False
                copy.path.unlink(missing_ok=True)
                copy.note.unlink(missing_ok=True)
        except (LockedError, FileNotFoundError, FileExistsError):
            return False
        for target, base in ((copy.path, self._files), (copy.note, self._notes)):
            for parent in target.relative_to(base).parents[:-1]:
                try:
                    (base / parent).rmdir()
                except OSError:
                    break
        return True

    @contextmanager
    def _tally(self) -> Iterator[Path]:
        self._folder.mkdir(parents=True, exist_ok=True)
        with hold(self._folder / "tally.lock", math.inf, keep=True):
            yield self._folder / "tally"

    def _read(self, tally: Path) -> tuple[int, int]:
        """Bytes at the last sweep and since, and at how many the next is due: at once where nobody knows."""
        try:
            total, due = tally.read_text().split()
            return int(total), int(due)
        except (OSError, ValueError):
            return 0, -1
