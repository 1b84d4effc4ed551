"""What a backup looks like: contents under their checksums, and one snapshot for each time that it was made.

    backup.json                          says that this is a backup, and of which format
    objects/3f/3f0a91c2...               a file's bytes, under their SHA-256
    snapshots/20260131T060000Z.json      every file of the lake that was kept then: its path, checksum and size

The same bytes lie there once, whichever snapshots and paths name them; so a second backup writes what is new, and one
that broke off goes on where it stopped. A snapshot is written last.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from minemap_assets.errors import BadInputError
from minemap_assets.lake.object_store import ObjectStore
from minemap_assets.lake.store import LocalStore, Store, read_if_there

FORMAT = 1
MARKER = "backup.json"
OBJECTS = "objects"
SNAPSHOTS = "snapshots"

TIME = "%Y%m%dT%H%M%SZ"
"""Names of snapshots, in UTC."""

_CHECKSUM = re.compile(r"[0-9a-f]{64}")
_COPIES_BYTES = 2_000_000_000
"""Of a backup in a bucket, this much lies on this machine meanwhile."""


class KeptFile(BaseModel):
    """A file's SHA-256 and its size in bytes."""

    model_config = ConfigDict(frozen=True)
    sha256: str
    bytes: int = Field(ge=0)

    @field_validator("sha256")
    @classmethod
    def _is_a_checksum(cls, value: str) -> str:
        if not _CHECKSUM.fullmatch(value):
            raise ValueError(f"{value!r} is no SHA-256")
        return value

    @property
    def path(self) -> str:
        """Where its bytes lie in the backup."""
        return f"{OBJECTS}/{self.sha256[:2]}/{self.sha256}"


class Snapshot(BaseModel):
    """What a lake held at one time: `created` (ISO 8601, UTC), where it lay, its layout, and its files by path.

    `everything` is False where only what cannot be made or fetched again was kept.
    """

    model_config = ConfigDict(frozen=True)
    format: int = FORMAT
    created: str
    lake: str
    layout: int
    everything: bool
    files: Mapping[str, KeptFile]

    @field_validator("files")
    @classmethod
    def _stay_inside(cls, value: Mapping[str, KeptFile]) -> Mapping[str, KeptFile]:
        for name in value:
            path = PurePosixPath(name)
            if not name or path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name:
                raise ValueError(f"{name!r} does not lie in a lake")
        return value


@dataclass(frozen=True)
class Backup:
    """A place with snapshots."""

    store: Store

    @property
    def names(self) -> list[str]:
        """Snapshots, oldest first."""
        return [PurePosixPath(path).stem for path in self.store.list(SNAPSHOTS) if path.endswith(".json")]

    def is_one(self) -> bool:
        """False for a place where nothing was ever kept. Raises `BadInputError` for a backup of a newer minemap."""
        data = read_if_there(self.store, MARKER)
        if data is None:
            return False
        try:
            found = json.loads(data)["backup"]
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise BadInputError(f"{self.store.root}/{MARKER} cannot be read; it is no backup of minemap") from error
        if not isinstance(found, int) or found > FORMAT:
            raise BadInputError(
                f"the backup at {self.store.root} was made by a newer minemap (format {found}, this one reads up to "
                f"{FORMAT}); update minemap"
            )
        return True

    def begin(self) -> None:
        """Make it a backup where nothing is yet. Raises `BadInputError` where something else lies there."""
        if self.is_one():
            return
        if any(not path.startswith(".") for path in self.store.list("")):
            raise BadInputError(
                f"{self.store.root} holds other files and is no backup; name an empty place, or a backup"
            )
        self.store.write_bytes(MARKER, json.dumps({"backup": FORMAT}).encode())

    def snapshot(self, name: str) -> Snapshot:
        """One snapshot. Raises `BadInputError` where there is none of that name, or it cannot be read."""
        data = read_if_there(self.store, f"{SNAPSHOTS}/{name}.json")
        if data is None:
            known = ", ".join(self.names) or "none"
            raise BadInputError(f"the backup at {self.store.root} has no snapshot {name!r}; its snapshots are {known}")
        try:
            return Snapshot.model_validate_json(data)
        except ValidationError as error:
            raise BadInputError(
                f"{self.store.root}/{SNAPSHOTS}/{name}.json cannot be read; choose an older one with --snapshot"
            ) from error

    def write(self, name: str, snapshot: Snapshot) -> None:
        """Add a snapshot, once all its files lie there."""
        raw: dict[str, Any] = snapshot.model_dump(mode="json")
        self.store.write_bytes(f"{SNAPSHOTS}/{name}.json", json.dumps(raw, indent=1, sort_keys=True).encode())


def open_backup(place: str, state: Path) -> Backup:
    """The backup in a folder, or under the URL of an object store; nothing is written. `state` is this machine's."""
    if not place.strip():
        raise BadInputError("the place of the backup is empty; name a folder or the URL of an object store")
    if "://" in place:
        return Backup(ObjectStore(place, state / "backup-copies", cache_bytes=_COPIES_BYTES))
    return Backup(LocalStore(Path(place).expanduser().absolute()))
