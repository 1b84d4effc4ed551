"""`minemap inputs`: the versions of what people and sensors write under `inputs/`, and bringing one back.

Nothing here opens the project, so that it works where an input is damaged or gone.
"""

import difflib
import sys
from typing import Annotated

import typer
from rich.table import Column, Table

from dagster_project.cli.context import console, counted, open_session
from minemap_assets.errors import BadInputError
from minemap_assets.lake.input_history import FOLDER, HISTORY, History, input_path, is_below, short_path
from minemap_assets.lake.inputs import Inputs, read_input
from minemap_assets.lake.store import Store
from minemap_assets.messages import suggestion

inputs_app = typer.Typer(help="What people and sensors write, and every version of it.", no_args_is_help=True)

Name = Annotated[
    str, typer.Argument(metavar="PATH", help="Path below inputs/, such as minemap.toml or reference/catalogue.json.")
]
Number = Annotated[int | None, typer.Option("--version", min=1, help="Number that `minemap inputs history` shows.")]

_DEPTH = 3
"""Parts of the path of an input at most; what lies deeper bears a checksum in its path and never changes: registered
files, models that were in use.
"""


@inputs_app.command("list")
def list_inputs() -> None:
    """Show every input: whether it is there, how many versions of it are kept, and of when the newest is."""
    store = _store()
    history = Inputs(store).history()
    present = {p: entry.bytes for p, entry in store.entries(FOLDER).items() if _is_input(p)}
    if not present and not history.versions:
        console.print("No input yet; `minemap init` begins with the settings.")
        return
    table = Table("input", "state", _numbers("versions"), "newest version", _numbers("bytes"))
    for path in sorted({*present, *history.versions}):
        versions = [v for v in history.of(path) if not v.removed]
        newest = versions[-1].date if versions else "none"
        size = f"{present[path]:,}" if path in present else "·"
        table.add_row(short_path(path), _state(store, history, path), str(len(versions)), newest, size)
    console.print(table)


@inputs_app.command("history")
def show_history(path: Name) -> None:
    """Show the versions of an input, oldest first."""
    store, place = _store(), input_path(path)
    versions = _known(store, place).of(place)
    now = read_input(store, place)
    current = next((v for v in reversed(versions) if not v.removed and v.holds(now)), None)
    table = Table(_numbers("version"), Column("recorded", no_wrap=True), _numbers("bytes"), "checksum", "")
    for version in versions:
        told = "removed" if version.removed else "what is there now" if version == current else ""
        size = "·" if version.removed else f"{version.size:,}"
        table.add_row(str(version.number), version.date, size, version.sha256 or "·", told)
    console.print(table)
    if now is not None and current is None:
        console.print(f"{place} was edited since; the next run records it.", markup=False, soft_wrap=True)


@inputs_app.command()
def show(path: Name, version: Number = None) -> None:
    """Print an input as it is now, or a version of it. Default for one that is gone: its last version."""
    store, place = _store(), input_path(path)
    data = read_input(store, place) if version is None else None
    sys.stdout.buffer.write(_version(store, place, version) if data is None else data)
    sys.stdout.flush()


@inputs_app.command()
def diff(path: Name, version: Number = None) -> None:
    """Show what bringing a version back would change. Default: the version that `restore` would take."""
    store, place = _store(), input_path(path)
    now, then = read_input(store, place) or b"", _version(store, place, version)
    titles = (
        f"{short_path(place)} now",
        f"{short_path(place)} {'before' if version is None else f'version {version}'}",
    )
    lines = difflib.unified_diff(_lines(now), _lines(then), *titles, lineterm="")
    for line in lines:
        console.print(line, markup=False, soft_wrap=True)


@inputs_app.command()
def restore(path: Name, version: Number = None) -> None:
    """Bring a version back. Default: the newest that is not what is there now, which is recorded first."""
    store, place = _store(), input_path(path)
    _known(store, place)
    restored = Inputs(store).restore(place, version)
    console.print(
        f"{place} is as it was on {restored.date} again (version {restored.number}); `minemap inputs history "
        f"{short_path(place)}` shows all that is kept.",
        markup=False,
        soft_wrap=True,
    )


@inputs_app.command()
def forget(path: Name) -> None:
    """Work without an input that is gone from now on; its versions stay, and can be brought back."""
    store, place = _store(), input_path(path)
    known = _known(store, place)
    Inputs(store).forget(place)
    kept = sum(not v.removed for v in known.of(place))
    console.print(
        f"{place} counts as removed; {counted(kept, 'version')} of it stay{'s' if kept == 1 else ''} in the lake.",
        markup=False,
        soft_wrap=True,
    )


def _numbers(name: str) -> Column:
    return Column(name, justify="right", no_wrap=True)


def _store() -> Store:
    return open_session().home.lake.store


def _known(store: Store, path: str) -> History:
    """The versions of an input. Raises `BadInputError` where it has none, with the most similar one that has."""
    history = Inputs(store).history()
    if not history.of(path):
        if store.size(path) is not None:
            raise BadInputError(
                f"no version of {path} is recorded yet; the next `minemap run` records the one that is there"
            )
        similar = suggestion(short_path(path), [short_path(p) for p in history.versions])
        raise BadInputError(f"no version of {path} is recorded{similar}; `minemap inputs list` shows what there is")
    return history


def _version(store: Store, path: str, number: int | None) -> bytes:
    """The bytes of a version; without a number those that `restore` would bring back."""
    inputs, history = Inputs(store), _known(store, path)
    if number is not None:
        return inputs.bytes_of(path, inputs.version(path, number))
    version = history.last_good(path, read_input(store, path))
    if version is None:
        raise BadInputError(f"{path} has no other version than the one that is there; there is nothing to compare with")
    return inputs.bytes_of(path, version)


def _state(store: Store, history: History, path: str) -> str:
    data, versions = read_input(store, path), history.of(path)
    if data is None:
        return "removed" if versions[-1].removed else "missing"
    if not versions:
        return "not recorded yet"
    return "present" if versions[-1].holds(data) else "changed"


def _is_input(path: str) -> bool:
    """False for versions, and for files that never change."""
    return not is_below(path, HISTORY) and len(path.split("/")) <= _DEPTH


def _lines(data: bytes) -> list[str]:
    return data.decode("utf-8", errors="replace").splitlines()
