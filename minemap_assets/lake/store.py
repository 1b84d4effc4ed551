"""Where bytes lie: the few operations the lake needs of a file system or an object store."""

import contextlib
import hashlib
import math
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from minemap_assets.errors import ConflictError, NotFoundError
from minemap_assets.lake.disk_errors import storage_errors
from minemap_assets.lake.locks import Wait, hold
from minemap_assets.lake.workspaces import settle, workspace

_WRITES_LOCK = "conditional-writes.lock"


@dataclass(frozen=True)
class Entry:
    """What a store says of an object without reading it: its size, and when it last changed.

    `changed` is in nanoseconds and means something only beside that of another object of the same store: one that was
    written later has no smaller number. `tag` is another one for other bytes; empty where the store has none.
    """

    bytes: int
    changed: int
    tag: str = ""


@dataclass(frozen=True)
class Tagged:
    """A small object as it was read: its bytes, and a tag that is another one for other bytes."""

    data: bytes
    tag: str


@dataclass(frozen=True)
class Patience:
    """How long to wait for somebody else's claim, and whom to tell, once, that it is waited for.

    `waiting` is called with a few words on who holds it, such as `process 4711 on nova since 12:04`.
    """

    seconds: float = 0.0
    waiting: Callable[[str], None] = lambda _: None


class Store(Protocol):
    """Whole objects under relative POSIX paths. `put` and `write_bytes` are atomic: readers see old or new."""

    @property
    def root(self) -> str:
        """Where the store lies, for messages."""

    @property
    def excludes(self) -> bool:
        """True where a claim surely keeps others out for as long as it is held.

        Where it may be lost to somebody else (a lease, after a long pause), a name must never be written twice with
        other bytes, and what decides is the conditional write of a manifest.
        """

    def staging(self) -> Path:
        """A folder of workspaces (`workspaces.py`) from which `put` is cheap."""

    def writing(self) -> AbstractContextManager[None]:
        """Around all work in `staging`: a disk that takes nothing more becomes a `StorageError`."""

    def claim(self, name: str, patience: Patience) -> AbstractContextManager[Path]:
        """The right to write what `name` stands for, and an empty folder in `staging` for it.

        Waits for another holder as long as `patience` says. Raises `BusyError` after that.
        """

    def using(self) -> AbstractContextManager[None]:
        """Around work with fetched paths: they stay until its end. Without it they stay until the process ends."""

    def put(self, local: Path, path: str) -> str:
        """Move a local file to `path`; returns its tag there, empty where the store has none."""

    def fetch(self, path: str) -> Path:
        """A local path with the object's bytes. Raises `NotFoundError`."""

    def forget(self, path: str) -> None:
        """Throw away a local copy of an object, which was found damaged: the next `fetch` gets it anew.

        Nothing happens where what `fetch` gives is the object itself.
        """

    def copy(self, path: str, to: str) -> None:
        """The same bytes under another path too. Raises `NotFoundError`."""

    def move(self, path: str, to: str) -> None:
        """The same bytes under another path. Raises `NotFoundError`."""

    def size(self, path: str) -> int | None:
        """Bytes of an object; None where there is none."""

    def entries(self, prefix: str) -> Mapping[str, Entry]:
        """All objects in the folder `prefix`, by path, sorted."""

    def confirm(self, path: str) -> None:
        """Take an object for changed now, where the store can say so without writing it; else nothing happens."""

    def read_bytes(self, path: str) -> bytes:
        """Raises `NotFoundError`."""

    def read_tagged(self, path: str) -> Tagged | None:
        """A small object with its tag; None where there is none."""

    def write_bytes(self, path: str, data: bytes) -> None:
        """Write a small object."""

    def write_if(self, path: str, data: bytes, tag: str | None) -> str:
        """Write a small object if it still has this tag (None: if there is none); returns its new tag.

        Raises `ConflictError` where somebody else wrote it meanwhile.
        """

    def list(self, prefix: str) -> Iterator[str]:
        """Paths of all objects in the folder `prefix`, sorted."""

    def delete(self, path: str) -> None:
        """Remove an object; nothing happens where there is none."""


def read_if_there(store: Store, path: str) -> bytes | None:
    """The bytes of an object; None where there is none."""
    try:
        return store.read_bytes(path)
    except NotFoundError:
        return None


def described(name: str, root: str) -> str:
    """What is claimed, for messages: a claim's name is a path whose slashes are written as tildes."""
    return f"{name.replace('~', '/')} in {root}"


def _entries(folder: Path, prefix: str) -> Iterator[tuple[str, Entry]]:
    """All files below a folder, unsorted; what is removed meanwhile, or may not be read, is not there."""
    inside = []
    with contextlib.suppress(OSError), os.scandir(folder) as listed:
        inside = list(listed)
    for one in inside:
        path = f"{prefix}/{one.name}" if prefix else one.name
        if one.is_dir(follow_symlinks=False):
            yield from _entries(folder / one.name, path)
        elif not one.is_dir():
            with contextlib.suppress(FileNotFoundError):
                status = one.stat()
                yield path, Entry(status.st_size, status.st_ctime_ns)


class LocalStore:
    """A folder on this machine."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @property
    def root(self) -> str:
        """The folder."""
        return str(self._root)

    @property
    def excludes(self) -> bool:
        """The system gives a lock back only when its holder lets go or ends."""
        return True

    def staging(self) -> Path:
        """A folder on the same file system."""
        folder = self._root / ".staging"
        with self.writing():
            folder.mkdir(parents=True, exist_ok=True)
        return folder

    def writing(self) -> AbstractContextManager[None]:
        """Errors of this folder's disk as one sentence."""
        return storage_errors(self._root)

    @contextmanager
    def claim(self, name: str, patience: Patience) -> Iterator[Path]:
        """A lock file, which the system gives back however its holder ends."""
        wait = Wait(described(name, self.root), patience.seconds, patience.waiting)
        with self.writing(), workspace(self.staging(), name, wait) as folder:
            yield folder

    def using(self) -> AbstractContextManager[None]:
        """Fetched paths are the files themselves."""
        return nullcontext()

    def put(self, local: Path, path: str) -> str:
        """Sync the file and rename it into place."""
        target = self._root / path
        with self.writing():
            with local.open("rb+") as handle:
                os.fsync(handle.fileno())
            settle(local, target)
        return ""

    def fetch(self, path: str) -> Path:
        """The file itself."""
        target = self._root / path
        if not target.is_file():
            raise NotFoundError(f"{target} does not exist")
        return target

    def forget(self, path: str) -> None:
        """There are no copies: what is damaged here is the object itself."""

    def copy(self, path: str, to: str) -> None:
        """Copy a file, whole or not at all."""
        source = self.fetch(path)
        with self.writing(), workspace(self.staging()) as scratch:
            shutil.copyfile(source, scratch / "file")
            self.put(scratch / "file", to)

    def move(self, path: str, to: str) -> None:
        """Rename a file, and remove the folders that are empty without it."""
        self.put(self.fetch(path), to)
        self._remove_empty(self._root / path)

    def size(self, path: str) -> int | None:
        """Bytes of a file; None where there is none."""
        try:
            return (self._root / path).stat().st_size
        except (FileNotFoundError, NotADirectoryError):
            return None

    def entries(self, prefix: str) -> dict[str, Entry]:
        """All files below a folder, by path, sorted. The system keeps their change times, and nobody can set them."""
        return dict(sorted(_entries(self._root / prefix, prefix)))

    def confirm(self, path: str) -> None:
        """Set the file's times to now; a lake that may only be read stays as it is."""
        with contextlib.suppress(OSError):
            os.utime(self._root / path)

    def read_bytes(self, path: str) -> bytes:
        """The bytes of a file."""
        try:
            return (self._root / path).read_bytes()
        except (FileNotFoundError, NotADirectoryError) as error:
            raise NotFoundError(f"{self._root / path} does not exist") from error

    def read_tagged(self, path: str) -> Tagged | None:
        """The bytes of a file and their hash."""
        data = read_if_there(self, path)
        return None if data is None else Tagged(data, hashlib.sha256(data).hexdigest())

    def write_if(self, path: str, data: bytes, tag: str | None) -> str:
        """Compare and write under a lock that all conditional writes to this folder share."""
        with self.writing(), hold(self.staging() / _WRITES_LOCK, math.inf):
            found = self.read_tagged(path)
            if (None if found is None else found.tag) != tag:
                raise ConflictError(f"{self._root / path} was changed by somebody else meanwhile; run this again")
            self.write_bytes(path, data)
        return hashlib.sha256(data).hexdigest()

    def write_bytes(self, path: str, data: bytes) -> None:
        """Write a small file at once or not at all."""
        folder = self.staging()
        with self.writing(), workspace(folder) as scratch:
            local = scratch / "bytes"
            local.write_bytes(data)
            self.put(local, path)

    def list(self, prefix: str) -> Iterator[str]:
        """Paths of all files below a folder, sorted."""
        base = self._root / prefix
        if not base.is_dir():
            return
        for folder, _, names in sorted(os.walk(base)):
            for name in sorted(names):
                yield (Path(folder) / name).relative_to(self._root).as_posix()

    def delete(self, path: str) -> None:
        """Remove a file, and the folders that are empty without it."""
        target = self._root / path
        with self.writing():
            target.unlink(missing_ok=True)
        self._remove_empty(target)

    def _remove_empty(self, target: Path) -> None:
        for parent in target.parents:
            if parent == self._root:
                break
            try:
                parent.rmdir()
            except OSError:
                break
