"""Inputs: what people and sensors write under `inputs/`, changed by one hand at a time, and every version of it.

An input is read, changed and put back only where nobody changed it meanwhile. Before a version gives way to another one
it is recorded (`input_history.py`), and so is what comes in its place. An input that has versions and is gone was lost
by mistake, unless its removal is recorded too: then nothing goes on as if it had never been there.
"""

import json
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from weakref import WeakKeyDictionary

from minemap_assets.errors import AuthenticationError, BadInputError, ConflictError, StorageError
from minemap_assets.lake.input_history import (
    HISTORY,
    History,
    Version,
    checksum,
    history_of,
    input_path,
    short_path,
    version_name,
)
from minemap_assets.lake.store import Store, read_if_there

KEPT_VERSIONS = 50
KEPT_TIME = timedelta(days=366)
"""A version goes only when it is not among the newest ones, and was out of use for as long as this."""

_PATIENCE = 60.0
"""Seconds of trying again while others change the same input."""
_LONGEST_PAUSE = 0.1

Edit = Callable[[bytes | None], bytes | None]
"""From what an input is to what it shall be; None for one that is not there. Called again where somebody else was
faster, so it may depend on nothing but what it is given.
"""

_recorded: WeakKeyDictionary[Store, dict[str, str]] = WeakKeyDictionary()
"""Checksum of the version of each input that this process recorded last, or found recorded."""


@dataclass(frozen=True)
class Change:
    """What an input was and what it is now (None: not there), and versions that were too old to be kept any longer."""

    before: bytes | None
    after: bytes | None
    dropped: tuple[bytes, ...] = ()


def read_input(store: Store, path: str) -> bytes | None:
    """The bytes of an input; None where there is none. Raises `BadInputError` where the system refuses to read it."""
    with _readable(store, path):
        return read_if_there(store, path)


@contextmanager
def _readable(store: Store, path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BadInputError(
            f"{store.root}/{path} cannot be read ({error.strerror}); make it a file that may be read"
        ) from error


class Inputs:
    """The inputs of one lake and their versions. Paths are those in the lake: `inputs/minemap.toml`.

    Every method raises `BadInputError` for a path that is not below `inputs/`. `now` tells the time.
    """

    def __init__(self, store: Store, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._store = store
        self._now = now

    def read(self, path: str, history: Callable[[], History] | None = None) -> bytes | None:
        """An input as it is now; None where there is none. Raises `BadInputError` where it was lost by mistake.

        `history` gives the versions where they are known; it is called for what is not there.
        """
        data = read_input(self._store, _checked(path))
        if data is not None:
            return data
        known = self.history(path) if history is None else history()
        try:
            known.refuse_lost(path, self._store.root, None)
        except BadInputError:
            data = read_input(self._store, path)  # somebody may have written the first one between the two looks
            if data is None:
                raise
        return data

    @contextmanager
    def reading(self, path: str, data: bytes | None) -> Iterator[None]:
        """Around the parsing of an input: where it is damaged, the error also names the last good version."""
        try:
            yield
        except BadInputError as error:
            good = self.history(path).last_good(path, data)
            if good is None:
                raise
            raise BadInputError(
                f"{error}; the last good version is of {good.date}: `minemap inputs restore {short_path(path)}`"
            ) from error

    def change(self, path: str, edit: Edit) -> Change:
        """Change an input by a function of what it is at that moment; unchanged bytes write nothing.

        Raises `BadInputError` where it was lost by mistake, what `edit` raises, and `ConflictError` where others do not
        stop changing it.
        """

        def careful(data: bytes | None) -> bytes | None:
            if data is None and self.read(path) is not None:
                raise ConflictError(f"{self._store.root}/{path} was written by somebody else meanwhile; run this again")
            return edit(data)

        return self._exchange(path, careful)

    def put(self, path: str, data: bytes) -> Change:
        """Write an input that does not depend on what it was."""
        return self._exchange(path, lambda _: data)

    def remove(self, path: str) -> None:
        """Take an input away on purpose; its versions stay."""
        if self._exchange(path, lambda _: None).before is None:
            versions = self.versions(path)
            if versions and not versions[-1].removed:
                self._append(path, None, versions)

    def forget(self, path: str) -> None:
        """Take an input that is gone for removed on purpose; its versions stay.

        Raises `BadInputError` for one that is there, or that has no version.
        """
        if read_input(self._store, _checked(path)) is not None:
            raise BadInputError(
                f"{self._store.root}/{path} is there; remove the file first, and then have it forgotten, or edit it"
            )
        versions = self._known(path).of(path)
        if not versions[-1].removed:
            self._append(path, None, versions)

    def restore(self, path: str, number: int | None = None) -> Version:
        """Put a version in an input's place; what stands there is recorded first. Returns the version.

        Without a number it is the newest one that is something else than what stands there. Raises `BadInputError`
        where there is no such version.
        """
        chosen: list[Version] = []

        def put_back(data: bytes | None) -> bytes:
            version = self.version(path, number) if number is not None else self._known(path).last_good(path, data)
            if version is None:
                raise BadInputError(
                    f"{self._store.root}/{path} has no other version than the one that is there; nothing to bring back"
                )
            chosen[:] = [version]
            return self.bytes_of(path, version)

        self._exchange(path, put_back)
        return chosen[0]

    def record(self, found: Mapping[str, bytes]) -> None:
        """Keep a version of inputs that were read and understood, by path; those that are kept already cost nothing.

        Lists the versions once at most. A lake that cannot be written to stays as it is.
        """
        recorded = _recorded.setdefault(self._store, {})
        new = {p: d for p, d in found.items() if recorded.get(p) != checksum(d) and _is_whole(p, d)}
        if not new:
            return
        known = self.history()
        for path, data in sorted(new.items()):
            versions = known.of(_checked(path))
            with suppress(StorageError, AuthenticationError):  # reading a project needs no right to write there
                self._drop_old(path, self._keep(path, data, versions))
            recorded[path] = checksum(data)

    def history(self, path: str | None = None) -> History:
        """All versions of one input, or of every input."""
        folder = HISTORY if path is None else _folder(path)
        return history_of(self._store.entries(folder))

    def versions(self, path: str) -> tuple[Version, ...]:
        """All versions of one input, removals among them, oldest first."""
        return self.history(path).of(path)

    def version(self, path: str, number: int) -> Version:
        """One version. Raises `BadInputError` where there is none of that number, or it is a removal."""
        versions = [v for v in self._known(path).of(path) if not v.removed]
        found = next((v for v in versions if v.number == number), None)
        if found is None:
            numbers = ", ".join(str(v.number) for v in versions)
            raise BadInputError(f"{path} has no version {number}; its versions are {numbers}")
        return found

    def bytes_of(self, path: str, version: Version) -> bytes:
        """The bytes of a version. Raises `NotFoundError`."""
        return self._store.read_bytes(f"{_folder(path)}/{version.name}")

    def _exchange(self, path: str, edit: Edit) -> Change:
        end = time.monotonic() + _PATIENCE
        while True:
            try:
                return self._attempt(_checked(path), edit)
            except ConflictError:
                if time.monotonic() > end:
                    raise
                time.sleep(random.uniform(0.0, _LONGEST_PAUSE))

    def _attempt(self, path: str, edit: Edit) -> Change:
        with _readable(self._store, path):
            found = self._store.read_tagged(path)
        before = None if found is None else found.data
        after = edit(before)
        if before is not None:
            self._keep(path, before)
        if after is None and before is not None:
            self._append(path, None, self.versions(path))
            self._store.delete(path)
        if after is None or after == before:
            return Change(before, after)
        self._store.write_if(path, after, None if found is None else found.tag)
        return Change(before, after, self._drop_old(path, self._keep(path, after)))

    def _keep(self, path: str, data: bytes, known: tuple[Version, ...] | None = None) -> tuple[Version, ...]:
        """Record what an input is, unless that is the last version; returns all versions.

        Others may have recorded these bytes and gone on since they were read or written here. So bytes of which there
        is a version already are recorded again only where they are what is there now. The versions are listed before
        that is looked at (`known`: just now): whoever goes on after that has recorded the same under the same number.
        """
        versions = self.versions(path) if known is None else known
        if versions[-1:] and versions[-1].holds(data):
            return versions
        if any(v.holds(data) for v in versions) and read_input(self._store, path) != data:
            return versions
        return self._append(path, data, versions)

    def _append(self, path: str, data: bytes | None, versions: tuple[Version, ...]) -> tuple[Version, ...]:
        """Record a version (None: a removal) after those that there are."""
        number, now = (versions[-1].number if versions else 0) + 1, self._now()
        name = version_name(number, now, data)
        self._store.write_bytes(f"{_folder(path)}/{name}", b"" if data is None else data)
        _recorded.setdefault(self._store, {})[path] = checksum(data)
        return (*versions, Version(number, now, checksum(data), len(data or b""), name))

    def _known(self, path: str) -> History:
        """The history of an input. Raises `BadInputError` where it has no version."""
        history = self.history(path)
        if not history.of(path):
            raise BadInputError(
                f"no version of {path} is recorded in {self._store.root}; `minemap inputs list` shows what there is"
            )
        return history

    def _drop_old(self, path: str, versions: tuple[Version, ...]) -> tuple[bytes, ...]:
        """Remove versions that nobody needs any longer; returns their bytes."""
        dropped = []
        for version, follower in pairwise(versions[: 1 - KEPT_VERSIONS]):
            if self._now() - follower.when > KEPT_TIME:
                dropped.append(self.bytes_of(path, version))
                self._store.delete(f"{_folder(path)}/{version.name}")
        return tuple(dropped)


def _checked(path: str) -> str:
    if input_path(path) != path:
        raise BadInputError(f"{path!r} names no input; write its path in the lake, such as {input_path(path)}")
    return path


def _folder(path: str) -> str:
    return f"{HISTORY}/{short_path(_checked(path))}"


def _is_whole(path: str, data: bytes) -> bool:
    """False for JSON that breaks off, which nobody may have parsed yet."""
    if not path.endswith((".json", ".geojson")):
        return True
    try:
        json.loads(data)
    except (ValueError, RecursionError):
        return False
    return True
