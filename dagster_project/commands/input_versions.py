"""What the commands of `minemap inputs` do: list versions of inputs, show them, compare them and bring them back."""

import difflib
import sys
from dataclasses import dataclass
from typing import Any

from rich.table import Column, Table

from dagster_project.commands.context import console, counted, open_session
from dagster_project.commands.json_output import plain, print_json
from minemap_assets.errors import BadInputError
from minemap_assets.lake.input_history import FOLDER, HISTORY, History, Version, input_path, is_below, short_path
from minemap_assets.lake.inputs import Inputs, read_input
from minemap_assets.lake.store import Store
from minemap_assets.messages import suggestion

_DEPTH = 3
"""Parts of the path of an input at most; what lies deeper bears a checksum in its path and never changes: registered
files, models that were in use.
"""


@dataclass(frozen=True)
class Listed:
    """An input: its state in a word, versions kept, when the newest was recorded, and its size where it is there."""

    path: str
    state: str
    versions: int
    newest: Version | None
    bytes: int | None


def list_inputs(*, as_json: bool) -> None:
    """Every input, as a table or as JSON."""
    found = _listed()
    if as_json:
        print_json([{**plain(one), "newest": None if one.newest is None else one.newest.when} for one in found])
        return
    if not found:
        console.print("No input yet; `minemap init` begins with the settings.")
        return
    table = Table("input", "state", _numbers("versions"), "newest version", _numbers("bytes"))
    for one in found:
        size = "·" if one.bytes is None else f"{one.bytes:,}"
        table.add_row(one.path, one.state, str(one.versions), "none" if one.newest is None else one.newest.date, size)
    console.print(table)


def _listed() -> list[Listed]:
    store = _store()
    history = Inputs(store).history()
    present = {p: entry.bytes for p, entry in store.entries(FOLDER).items() if _is_input(p)}
    found = []
    for path in sorted({*present, *history.versions}):
        versions = [v for v in history.of(path) if not v.removed]
        newest = versions[-1] if versions else None
        found.append(Listed(short_path(path), _state(store, history, path), len(versions), newest, present.get(path)))
    return found


def show_history(path: str, *, as_json: bool) -> None:
    """The versions of an input, oldest first, as a table or as JSON."""
    store, place = _store(), input_path(path)
    versions = _known(store, place).of(place)
    now = read_input(store, place)
    current = next((v for v in reversed(versions) if not v.removed and v.holds(now)), None)
    if as_json:
        print_json([{**_facts(version), "current": version == current} for version in versions])
        return
    table = Table(_numbers("version"), Column("recorded", no_wrap=True), _numbers("bytes"), "checksum", "")
    for version in versions:
        told = "removed" if version.removed else "what is there now" if version == current else ""
        size = "·" if version.removed else f"{version.size:,}"
        table.add_row(str(version.number), version.date, size, version.sha256 or "·", told)
    console.print(table)
    if now is not None and current is None:
        console.print(f"{place} was edited since; the next run records it.", markup=False, soft_wrap=True)


def show(path: str, version: int | None) -> None:
    """Print an input as it is now, or a version of it; of one that is gone, its last version."""
    store, place = _store(), input_path(path)
    data = read_input(store, place) if version is None else None
    sys.stdout.buffer.write(_version(store, place, version) if data is None else data)
    sys.stdout.flush()


def diff(path: str, version: int | None) -> None:
    """Print what bringing a version back would change; without a number, the one that `restore` would take."""
    store, place = _store(), input_path(path)
    now, then = read_input(store, place) or b"", _version(store, place, version)
    titles = (
        f"{short_path(place)} now",
        f"{short_path(place)} {'before' if version is None else f'version {version}'}",
    )
    lines = difflib.unified_diff(_lines(now), _lines(then), *titles, lineterm="")
    for line in lines:
        console.print(line, markup=False, soft_wrap=True)


def restore(path: str, version: int | None) -> None:
    """Bring a version back; without a number, the newest that is not what is there now, which is recorded first."""
    store, place = _store(), input_path(path)
    _known(store, place)
    restored = Inputs(store).restore(place, version)
    console.print(
        f"{place} is as it was on {restored.date} again (version {restored.number}); `minemap inputs history "
        f"{short_path(place)}` shows all that is kept.",
        markup=False,
        soft_wrap=True,
    )


def forget(path: str) -> None:
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


def _facts(version: Version) -> dict[str, Any]:
    size, checksum = (None, None) if version.removed else (version.size, version.sha256)
    return {"version": version.number, "recorded": version.when, "bytes": size, "sha256": checksum}


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
