"""The trash: what a commit dropped and could not be had again for the asking, until it is emptied.

A file lies below `.trash/` under the path that it had, so that a partition which wants it back finds it there. Damaged
files lie below `.quarantine/` in the same way: nothing takes them back, but people may look at them.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from minemap_assets.lake.store import Store

TRASH = ".trash"
QUARANTINE = ".quarantine"


@dataclass(frozen=True)
class Thrown:
    """A file in the trash or in quarantine: where it lies, its size, and when it came there (nanoseconds, UTC)."""

    path: str
    bytes: int
    since: int


class Trash:
    """Where files go that nobody names any more."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @staticmethod
    def path(path: str) -> str:
        """Where a file lies after it was thrown away."""
        return f"{TRASH}/{path}"

    def throw(self, path: str) -> None:
        """Take a file out of its partition and keep it. Raises `NotFoundError`."""
        self._store.move(path, self.path(path))

    def set_aside(self, path: str) -> None:
        """Take a damaged file out of its partition. Raises `NotFoundError`."""
        self._store.move(path, f"{QUARANTINE}/{path}")

    def below(self, prefix: str) -> list[str]:
        """Paths that files of a partition had before they were thrown away."""
        return [path.removeprefix(f"{TRASH}/") for path in self._store.list(f"{TRASH}/{prefix}")]

    def take_back(self, path: str, to: str) -> None:
        """Put a file that was thrown away into its partition again. Raises `NotFoundError`."""
        self._store.move(self.path(path), to)

    def everything(self) -> Iterator[Thrown]:
        """All that lies in the trash or in quarantine."""
        for folder in (TRASH, QUARANTINE):
            for path, entry in self._store.entries(folder).items():
                yield Thrown(path, entry.bytes, entry.changed)

    def empty(self, before: int) -> list[Thrown]:
        """Delete for good what came there before a time (nanoseconds, UTC); returns what that was."""
        gone = [thrown for thrown in self.everything() if thrown.since < before]
        for thrown in gone:
            self._store.delete(thrown.path)
        return gone
