"""A full, locked or read-only disk as one sentence, whichever library met it."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from minemap_assets.errors import MinemapError, StorageError


@contextmanager
def storage_errors(folder: Path, variable: str = "MINEMAP_HOME") -> Iterator[None]:
    """Turn a full or locked disk under `folder` into a `StorageError`, whatever library met it.

    `variable` names the setting that a person may change. Every other error goes through as it is.
    """
    try:
        yield
    except StorageError:
        raise
    except Exception as error:
        sentence = explain(error, folder, variable)
        if sentence is None:
            raise
        raise StorageError(sentence) from error


_FULL = (errno.ENOSPC, errno.EDQUOT)
_NO_SPACE = ("no space left on device", "os error 28", "disk is full", "disk full")
"""What libraries write that do not hand on the system's error number."""
_READ_ONLY = ("read-only file system", "readonly database", "read-only database")
"""The last two are also said of a file in which this account may not write."""
_LOCKED = (errno.EACCES, errno.EPERM)
_NO_ROOM = 65_536
"""Free bytes below which a failed write of any kind is put down to a full disk."""
_BROKEN, _HARDLY_ROOM = "disk i/o error", 4_000_000
"""What SQLite says, among others, where its files beside a database find no room; once it has let go of them there is
some again. Free bytes below which that is put down to a full disk.
"""


def explain(error: BaseException, folder: Path, variable: str = "MINEMAP_HOME") -> str | None:
    """One sentence for an error in which a disk refuses a write; None for any other error."""
    there = next(p for p in (folder, *folder.parents) if _is_there(p))
    for link in _chain(error):
        number = link.errno if isinstance(link, OSError) else None
        if number in _FULL or any(words in str(link).lower() for words in _NO_SPACE):
            return _full(folder, there)
        refused = any(words in str(link).lower() for words in _READ_ONLY)
        if number == errno.EROFS or (refused and os.statvfs(there).f_flag & os.ST_RDONLY):
            return f"{folder} is on a read-only file system; choose another folder with {variable}"
        if refused or (number in _LOCKED and isinstance(link, OSError) and _concerns(link, folder)):
            return f"{folder} cannot be written to; choose another folder with {variable} or change its permissions"
        if isinstance(link, NotADirectoryError | FileExistsError) and not there.is_dir():
            return f"{folder} could not be written to: {there} is a file; choose another folder with {variable}"
        if isinstance(link, FileNotFoundError) and there != folder and _leads_to(link, folder):
            return f"{folder} cannot be made: {there} takes no folder; choose another folder with {variable}"
    disk = shutil.disk_usage(there)
    least = _HARDLY_ROOM if any(_BROKEN in str(link).lower() for link in _chain(error)) else _NO_ROOM
    no_room = not isinstance(error, MinemapError) and disk.free < least and disk.total > 0
    return _full(folder, there) if no_room else None


def _is_there(path: Path) -> bool:
    """False also for what may not be looked at."""
    try:
        return path.exists()
    except OSError:
        return False


def _full(folder: Path, there: Path) -> str:
    free = shutil.disk_usage(there).free // 1_000_000
    return f"the disk that holds {folder} is full ({free} MB free); free space there and run the same command again"


def _concerns(error: OSError, folder: Path) -> bool:
    if error.filename is None:
        return True
    return Path(os.fsdecode(error.filename)).is_relative_to(folder) or _leads_to(error, folder)


def _leads_to(error: OSError, folder: Path) -> bool:
    """True for an error about the folder or one above it."""
    return error.filename is not None and folder.is_relative_to(os.fsdecode(error.filename))


def _chain(error: BaseException) -> Iterator[BaseException]:
    link: BaseException | None = error
    while link is not None:
        yield link
        link = link.__cause__ or link.__context__
