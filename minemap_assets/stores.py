"""Where bytes lie: the few operations the lake needs of a file system or an object store.

What belongs here: moving whole objects in and out, each one appearing at once or not at all. What does not: which
objects there are and what they mean (`lake.py`).
"""

import errno
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from minemap_assets.errors import BadInputError, NotFoundError, PermanentError


class Store(Protocol):
    """Whole objects under relative POSIX paths. `put` and `write_bytes` are atomic: readers see old or new."""

    @property
    def root(self) -> str:
        """Where the store lies, for messages."""

    def staging(self) -> Path:
        """A folder from which `put` is cheap; the caller removes what it makes there."""

    def put(self, local: Path, path: str) -> None:
        """Move a local file to `path`."""

    def fetch(self, path: str) -> Path:
        """A local path with the object's bytes. Raises `NotFoundError`."""

    def size(self, path: str) -> int | None:
        """Bytes of an object; None where there is none."""

    def read_bytes(self, path: str) -> bytes:
        """Raises `NotFoundError`."""

    def write_bytes(self, path: str, data: bytes) -> None:
        """Write a small object."""

    def list(self, prefix: str) -> Iterator[str]:
        """Paths of all objects under a prefix, sorted."""

    def delete(self, path: str) -> None:
        """Remove an object; nothing happens where there is none."""


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
        self._guard(lambda: folder.mkdir(parents=True, exist_ok=True))
        return folder

    def put(self, local: Path, path: str) -> None:
        """Sync the file and rename it into place."""
        target = self._root / path

        def move() -> None:
            target.parent.mkdir(parents=True, exist_ok=True)
            with local.open("rb+") as handle:
                os.fsync(handle.fileno())
            local.replace(target)

        self._guard(move)

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

    def read_bytes(self, path: str) -> bytes:
        """The bytes of a file."""
        try:
            return (self._root / path).read_bytes()
        except (FileNotFoundError, NotADirectoryError) as error:
            raise NotFoundError(f"{self._root / path} does not exist") from error

    def write_bytes(self, path: str, data: bytes) -> None:
        """Write a small file at once or not at all."""
        handle, name = tempfile.mkstemp(dir=self.staging())
        local = Path(name)
        try:
            with os.fdopen(handle, "wb") as target:
                target.write(data)
            self.put(local, path)
        finally:
            local.unlink(missing_ok=True)

    def list(self, prefix: str) -> Iterator[str]:
        """Paths of all files under a prefix, sorted."""
        base = self._root / prefix
        if not base.is_dir():
            return
        for folder, _, names in sorted(os.walk(base)):
            for name in sorted(names):
                yield (Path(folder) / name).relative_to(self._root).as_posix()

    def delete(self, path: str) -> None:
        """Remove a file, and the folders that are empty without it."""
        target = self._root / path
        target.unlink(missing_ok=True)
        for parent in target.parents:
            if parent == self._root:
                break
            try:
                parent.rmdir()
            except OSError:
                break

    def _guard(self, action: Callable[[], None]) -> None:
        try:
            action()
        except PermissionError as error:
            raise BadInputError(
                f"{self._root} cannot be written to; choose another folder with MINEMAP_HOME or change its permissions"
            ) from error
        except OSError as error:
            raise PermanentError(_explain(error, self._root)) from error


def _explain(error: OSError, root: Path) -> str:
    if error.errno == errno.ENOSPC:
        free = shutil.disk_usage(root).free // 1_000_000 if root.exists() else 0
        return f"the disk that holds {root} is full ({free} MB free); free space there and run the same command again"
    if error.errno == errno.EROFS:
        return f"{root} is on a read-only file system; choose another folder with MINEMAP_HOME"
    return f"{root} could not be written to: {error}"
