"""Workspaces: folders for files on their way, each held by one process and never outliving it for long.

Whoever holds a workspace holds the lock file beside it. What lies there without a holder was left behind, and the next
to come removes it.

To see whether somebody holds a name, one has to take its lock for a moment. So that nobody mistakes that for a holder,
names are looked at and taken behind one gate: a lock file of the folder that is held for such a moment only.
"""

import math
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path

from minemap_assets.lake.locks import LOCK, Holder, LockedError, Wait, hold, read_holder

_GATE = ".gate"
_ASIDE = "aside-"
_ATTEMPTS = 100


@contextmanager
def workspace(folder: Path, name: str | None = None, wait: Wait | None = None) -> Iterator[Path]:
    """An empty folder `name` inside `folder`, removed at the end.

    Without a name it has one that nobody else asks for. Clears what dead processes left in `folder`, which is for
    workspaces only. Raises `LockedError` while another one holds it; with `wait` it is waited for, until `BusyError`.
    """
    name = name or unique_name()
    with taken(folder, name, wait):
        path = folder / name
        if os.path.lexists(path):
            _remove(_put_aside(path))
        path.mkdir()
        try:
            yield path
        finally:
            _remove(path)


@contextmanager
def taken(folder: Path, name: str, wait: Wait | None = None, work: str = "") -> Iterator[Path]:
    """Hold a name in a folder of workspaces, without a workspace; gives its lock file, which says who holds it, and for
    which `work`.
    """
    lock = folder / f"{name}{LOCK}"
    with ExitStack() as stack:
        while True:
            try:
                with _gate(folder):
                    stack.enter_context(hold(lock))
                    # that it says who holds it is a courtesy: a full disk is met, and reported, by the work itself
                    with suppress(OSError):
                        lock.write_bytes(Holder.now(work).dump())
                    left = _abandoned(folder)
                break
            except LockedError:
                if wait is None:
                    raise
            wait.once_more(read_holder(lock))
        for path in left:
            _remove(path)
        yield lock


def unique_name() -> str:
    """A name that nobody else asks for."""
    return f"{os.getpid()}-{secrets.token_hex(4)}"


def is_held(lock: Path) -> bool:
    """True while somebody holds a name's lock file."""
    try:
        with _gate(lock.parent):
            return lock.exists() and not _is_free(lock)
    except (FileNotFoundError, NotADirectoryError):
        return False


def clear(folder: Path) -> None:
    """Remove workspaces and lock files that nobody holds."""
    with _gate(folder):
        left = _abandoned(folder)
    for path in left:
        _remove(path)


def settle(local: Path, target: Path) -> None:
    """Rename a file into place, in a folder that is made for it and that others remove whenever it is empty."""
    for attempt in range(_ATTEMPTS):
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            local.replace(target)
            return
        except (FileNotFoundError, FileExistsError):  # the folder went before the rename, or while it was made
            if attempt == _ATTEMPTS - 1 or not local.exists():
                raise


def _gate(folder: Path) -> AbstractContextManager[None]:
    return hold(folder / _GATE, math.inf)


def _is_free(lock: Path) -> bool:
    try:
        with hold(lock):
            return True
    except LockedError:
        return False


def _abandoned(folder: Path) -> list[Path]:
    """Put aside what nobody holds, under names that nobody asks for; for the gate's holder, who must not take long."""
    aside = []
    for name in sorted({path.name.removesuffix(LOCK) for path in folder.iterdir()} - {_GATE}):
        path = folder / name
        if name.startswith(_ASIDE):
            aside.append(path)
            continue
        # what is another user's, or is being removed, stays for its own
        with suppress(LockedError, OSError), hold(folder / f"{name}{LOCK}"):
            if os.path.lexists(path):
                aside.append(_put_aside(path))
    return aside


def _put_aside(path: Path) -> Path:
    return path.rename(path.with_name(f"{_ASIDE}{secrets.token_hex(8)}"))


def _remove(path: Path) -> None:
    """As far as possible; what remains is nobody's, and the next to come tries again."""
    with suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
