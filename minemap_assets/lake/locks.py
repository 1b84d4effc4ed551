"""Advisory lock files, which the system gives back however their holder ends."""

import fcntl
import os
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
