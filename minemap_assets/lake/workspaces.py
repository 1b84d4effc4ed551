"""Workspaces: folders for files on their way, each held by one process and never outliving it for long.

Whoever holds a workspace holds the lock file beside it. What lies there without a holder was left behind, and the next
to come removes it.
"""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from minemap_assets.lake.locks import LOCK, LockedError, hold


@contextmanager
def workspace(folder: Path, name: str | None = None) -> Iterator[Path]:
    """An empty folder `name` inside `folder`, removed at the end. Raises `LockedError` while another one holds it.

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
        except LockedError:
            continue


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
