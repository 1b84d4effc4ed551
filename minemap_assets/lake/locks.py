"""Advisory lock files, which the system gives back however their holder ends."""

import fcntl
import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOCK = ".lock"
_PAUSE = 0.05


class LockedError(Exception):
    """Somebody else holds it now."""


@contextmanager
def hold(lock: Path, patience: float = 0.0, *, shared: bool = False, keep: bool = False) -> Iterator[None]:
    """Hold a lock file between threads and processes: alone, or with others who share it.

    The file exists only as long as it is held, unless it is shared or to be kept. Raises `LockedError` where another
    one still holds it after `patience` seconds; `math.inf` waits in the system, without asking again and again.
    """
    handle = _patiently(lock, fcntl.LOCK_SH if shared else fcntl.LOCK_EX, patience)
    try:
        yield
    finally:
        if not (shared or keep):
            lock.unlink(missing_ok=True)
        os.close(handle)


def is_held(lock: Path) -> bool:
    """True while somebody holds the lock file; one that nobody holds is removed."""
    if not lock.exists():
        return False
    try:
        with hold(lock):
            return False
    except LockedError:
        return True


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
