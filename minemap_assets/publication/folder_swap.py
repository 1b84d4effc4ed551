"""Putting a folder of files where people look for it: it is written whole beside its place, and then swapped in."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path


def put_folder(to: Path, write: Callable[[Path], object]) -> None:
    """Have `write` fill a new folder, and put that in the place of `to`, whatever is there: the caller has looked.

    Until the new one is whole nothing of the earlier one is touched, and it comes back where the swap fails. A folder
    that cannot be moved itself, such as a mounted volume, has its entries swapped.
    """
    to = to.resolve()
    mounted = to.is_mount()
    to.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=to if mounted else to.parent, prefix=f".{to.name}-") as name:
        scratch = Path(name)
        new, old = scratch / "new", scratch / "old"
        new.mkdir()
        write(new)
        if mounted:
            old.mkdir()
            earlier = [path for path in to.iterdir() if path != scratch]
            _swap([(path, old / path.name) for path in earlier] + [(path, to / path.name) for path in new.iterdir()])
        else:
            _swap(([(to, old)] if to.exists() else []) + [(new, to)])


def copy_file(source: Path, folder: Path, name: str) -> None:
    """One file into a folder, under a name that may have folders of its own."""
    target = folder / name
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def _swap(moves: list[tuple[Path, Path]]) -> None:
    """Rename each path to the other, or none of them."""
    done: list[tuple[Path, Path]] = []
    try:
        for source, target in moves:
            done.append((source, target))
            source.rename(target)
    except BaseException:
        for source, target in reversed(done):
            if target.exists() and not source.exists():
                target.rename(source)
        raise
