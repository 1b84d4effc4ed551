"""Workspaces: folders for files on their way, each held by one process and never outliving it for long.

What belongs here: holding, making and clearing them. What does not: what is written in them, and where it goes.

Whoever holds a workspace holds an advisory lock on a file beside it, which the system gives back however the process
ends. What lies there without a holder was left behind, and the next to come removes it.
"""

import fcntl
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOCK = ".lock"
_PAUSE = 0.05


class HeldError(Exception):
    """Somebody else holds it now."""


@contextmanager
def hold(lock: Path, patience: float = 0.0) -> Iterator[None]:
    """Hold a lock file, which exists only as long as it is held.

    Raises `HeldError` where another one still holds it after `patience` seconds.
    """
    end = time.monotonic() + patience
    while True:
        try:
            handle = _acquire(lock)
            break
        except HeldError:
            if time.monotonic() >= end:
                raise
            time.sleep(_PAUSE)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)
        os.close(handle)


def _acquire(lock: Path) -> int:
    while True:
        handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_still(lock, handle):
                return handle
        except BlockingIOError as error:
            os.close(handle)
            raise HeldError(str(lock)) from error
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


def is_held(lock: Path) -> bool:
    """True while somebody holds the lock file; one that nobody holds is removed."""
    if not lock.exists():
        return False
    try:
        with hold(lock):
            return False
    except HeldError:
        return True


@contextmanager
def workspace(folder: Path, name: str | None = None) -> Iterator[Path]:
    """An empty folder `name` inside `folder`, removed at the end. Raises `HeldError` while another one holds it.

    Without a name it has one that nobody else asks for. Clears what dead processes left in `folder`, which is for
    workspaces only.
    """
    name = name or f"{os.getpid()}-{secrets.token_hex(4)}"
    clear(folder)
    with hold(folder / f"{name}{LOCK}"):
        path = folder / name
        _remove(path)
        path.mkdir()
        try:
            yield path
        finally:
            _remove(path)


def clear(folder: Path) -> None:
    """Remove workspaces and lock files that nobody holds."""
    for name in sorted({entry.name.removesuffix(LOCK) for entry in folder.iterdir()}):
        try:
            with hold(folder / f"{name}{LOCK}"):
                _remove(folder / name)
        except HeldError:
            continue


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
