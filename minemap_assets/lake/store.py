"""Where bytes lie: the few operations the lake needs of a file system or an object store."""

import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from minemap_assets.errors import NotFoundError
from minemap_assets.lake.disk_errors import storage_errors
from minemap_assets.lake.workspaces import workspace

_ATTEMPTS = 5


class Store(Protocol):
    """Whole objects under relative POSIX paths. `put` and `write_bytes` are atomic: readers see old or new."""

    @property
    def root(self) -> str:
        """Where the store lies, for messages."""

    def staging(self) -> Path:
        """A folder of workspaces (`workspaces.py`) from which `put` is cheap."""

    def writing(self) -> AbstractContextManager[None]:
        """Around all work in `staging`: a disk that takes nothing more becomes a `StorageError`."""

    def put(self, local: Path, path: str) -> None:
        """Move a local file to `path`."""

    def fetch(self, path: str) -> Path:
        """A local path with the object's bytes. Raises `NotFoundError`."""

    def size(self, path: str) -> int | None:
        """Bytes of an object; None where there is none."""

    def sizes(self, prefix: str) -> Mapping[str, int]:
        """Bytes of all objects in the folder `prefix`, by path, sorted."""

    def read_bytes(self, path: str) -> bytes:
        """Raises `NotFoundError`."""

    def write_bytes(self, path: str, data: bytes) -> None:
        """Write a small object."""

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


class LocalStore:
    """A folder on this machine."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @property
    def root(self) -> str:
        """The folder."""
        return str(self._root)

    def staging(self) -> Path:
        """A folder on the same file system."""
        folder = self._root / ".staging"
        with self.writing():
            folder.mkdir(parents=True, exist_ok=True)
        return folder

    def writing(self) -> AbstractContextManager[None]:
        """Errors of this folder's disk as one sentence."""
        return storage_errors(self._root)

    def put(self, local: Path, path: str) -> None:
        """Sync the file and rename it into place."""
        target = self._root / path
        with self.writing():
            with local.open("rb+") as handle:
                os.fsync(handle.fileno())
            for attempt in range(_ATTEMPTS):
                target.parent.mkdir(parents=True, exist_ok=True)
                try:
                    local.replace(target)
                    break
                except FileNotFoundError:
                    # another process may remove the folder as long as it is empty
                    if attempt == _ATTEMPTS - 1:
                        raise

    def fetch(self, path: str) -> Path:
        """The file itself."""
        target = self._root / path
        if not target.is_file():
            raise NotFoundError(f"{target} does not exist")
        return target

    def size(self, path: str) -> int | None:
        """Bytes of a file; None where there is none."""
        try:
            return (self._root / path).stat().st_size
        except (FileNotFoundError, NotADirectoryError):
            return None

    def sizes(self, prefix: str) -> dict[str, int]:
        """Bytes of all files below a folder, by path, sorted."""
        found = {path: self.size(path) for path in self.list(prefix)}
        return {path: size for path, size in found.items() if size is not None}

    def read_bytes(self, path: str) -> bytes:
        """The bytes of a file."""
        try:
            return (self._root / path).read_bytes()
        except (FileNotFoundError, NotADirectoryError) as error:
            raise NotFoundError(f"{self._root / path} does not exist") from error

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
        for parent in target.parents:
            if parent == self._root:
                break
            try:
                parent.rmdir()
            except OSError:
                break
