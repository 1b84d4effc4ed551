"""The versions of an input: how each is named in the lake, and what a listing of them tells.

A version lies at `inputs/.history/<path below inputs>/<number>-<time>-<start of its SHA-256>` and is never written with
other bytes. `removed` in the place of the checksum says that the input was taken away on purpose.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from minemap_assets.errors import BadInputError
from minemap_assets.lake.store import Entry

FOLDER = "inputs"
HISTORY = f"{FOLDER}/.history"

_REMOVED = "removed"
_TIME = "%Y%m%dT%H%M%SZ"
_NAME = re.compile(r"(?P<number>\d{1,9})-(?P<when>\d{8}T\d{6}Z)-(?P<sha>[0-9a-f]{16}|removed)")


@dataclass(frozen=True)
class Version:
    """One version of an input: its number from 1 on, when it was recorded (UTC), the first 16 hex digits of its SHA-256
    (none for a removal), its size in bytes, and the object's own name.
    """

    number: int
    when: datetime
    sha256: str
    size: int
    name: str

    @property
    def removed(self) -> bool:
        """True for the mark of a removal on purpose."""
        return not self.sha256

    @property
    def date(self) -> str:
        """When it was recorded, for people."""
        return f"{self.when:%Y-%m-%d %H:%M} UTC"

    def holds(self, data: bytes | None) -> bool:
        """True where it is these bytes; None stands for an input that is not there."""
        return self.sha256 == checksum(data)


@dataclass(frozen=True)
class History:
    """The versions of some inputs, by path, oldest first."""

    versions: Mapping[str, tuple[Version, ...]]

    def of(self, path: str) -> tuple[Version, ...]:
        """The versions of one input, removals among them; empty where none is recorded."""
        return self.versions.get(path, ())

    def last_good(self, path: str, data: bytes | None) -> Version | None:
        """The newest version that is something else than what is there now (None: nothing)."""
        return next((v for v in reversed(self.of(path)) if not v.removed and not v.holds(data)), None)

    def refuse_lost(self, path: str, root: str, data: bytes | None) -> None:
        """Raises `BadInputError` where an input that is gone (`data` is None) or blank was something else, and nobody
        removed it on purpose.
        """
        versions = self.of(path)
        if not versions or versions[-1].removed or versions[-1].holds(data) or (data is not None and data.strip()):
            return
        short, how = short_path(path), "gone" if data is None else "empty"
        also = "" if data is None else "remove the file and "
        raise BadInputError(
            f"{root}/{path} is {how}; its last good version is of {versions[-1].date}: bring it back with `minemap "
            f"inputs restore {short}`, or {also}work without it from now on with `minemap inputs forget {short}`"
        )


def checksum(data: bytes | None) -> str:
    """What stands for bytes in a version's name; empty for nothing."""
    return "" if data is None else hashlib.sha256(data).hexdigest()[:16]


def input_path(name: str) -> str:
    """The path of an input in the lake, from `minemap.toml` or `inputs/minemap.toml`.

    Raises `BadInputError` for a name that is not of a place below `inputs/`, or that is of the versions themselves.
    """
    path = name if name.startswith(f"{FOLDER}/") else f"{FOLDER}/{name}"
    if not is_below(path, FOLDER) or is_below(path, HISTORY) or path == HISTORY:
        raise BadInputError(
            f"{name!r} names no input; write its path below the lake's folder {FOLDER}/, such as minemap.toml"
        )
    return path


def short_path(path: str) -> str:
    """The path of an input as people may write it."""
    return path.removeprefix(f"{FOLDER}/")


def is_below(path: str, folder: str) -> bool:
    """True for a plain relative path of something in a folder of the lake: no `..`, no empty part, nothing odd."""
    parts = path.split("/")
    plain = path.isprintable() and "\\" not in path and not any(part in {"", ".", ".."} for part in parts)
    return plain and path.startswith(f"{folder}/")


def version_name(number: int, when: datetime, data: bytes | None) -> str:
    """The name of a version's object in the folder of its input."""
    return f"{number:06}-{when.astimezone(UTC).strftime(_TIME)}-{checksum(data) or _REMOVED}"


def history_of(entries: Mapping[str, Entry]) -> History:
    """The history that a listing of `inputs/.history`, or of a part of it, tells."""
    found: dict[str, list[Version]] = {}
    for path, entry in entries.items():
        folder, _, name = path.rpartition("/")
        match = _NAME.fullmatch(name)
        if match is None or not folder.startswith(f"{HISTORY}/"):
            continue
        when = datetime.strptime(match["when"], _TIME).replace(tzinfo=UTC)
        sha = "" if match["sha"] == _REMOVED else match["sha"]
        version = Version(int(match["number"]), when, sha, entry.bytes, name)
        found.setdefault(f"{FOLDER}/{folder.removeprefix(f'{HISTORY}/')}", []).append(version)
    return History({path: _in_order(versions) for path, versions in sorted(found.items())})


def _in_order(versions: Iterable[Version]) -> tuple[Version, ...]:
    """Every version once, under a number of its own.

    Two who recorded at the same moment may have written the same version twice, or two under the same number.
    """
    ordered: list[Version] = []
    seen: set[tuple[int, str]] = set()
    for version in sorted(versions, key=lambda v: (v.number, v.when, v.name)):
        if (version.number, version.sha256) not in seen:
            seen.add((version.number, version.sha256))
            number = max(version.number, ordered[-1].number + 1 if ordered else 0)
            ordered.append(replace(version, number=number))
    return tuple(ordered)
