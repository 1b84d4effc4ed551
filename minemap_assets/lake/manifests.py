"""Manifests: what one asset partition is called, what it holds and what it was made from."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from minemap_assets.errors import PermanentError, StorageError

LAYOUT_VERSION = 1
"""Raised when an older minemap could not read what this one writes."""

_SEAL = "seal"


@dataclass(frozen=True, order=True)
class PartitionRef:
    """Names one partition of one asset; `keys` is empty for an asset without partitions."""

    room: str
    asset: str
    keys: tuple[str, ...] = ()

    @property
    def prefix(self) -> str:
        """Folder of the partition inside the lake."""
        return "/".join((self.room, self.asset, *self.keys))

    def __str__(self) -> str:
        return f"{self.asset}[{'|'.join(self.keys)}]" if self.keys else self.asset


class DamagedError(PermanentError):
    """A published partition does not hold what its manifest says.

    `ref` is the partition that has to be made again, `path` the file in it that is damaged; None for the manifest.
    """

    def __init__(self, ref: PartitionRef, sentence: str, path: str | None = None) -> None:
        super().__init__(sentence)
        self.ref = ref
        self.path = path


class StoredFile(BaseModel):
    """One file of a partition: its logical name, where it lies below the partition's folder, and its checksum.

    `tag` is the store's own name of these bytes, empty where it has none.
    """

    model_config = ConfigDict(frozen=True)
    name: str
    path: str
    bytes: int = Field(ge=0)
    sha256: str
    tag: str = ""

    @field_validator("name", "path")
    @classmethod
    def _stays_inside(cls, value: str) -> str:
        path = PurePosixPath(value)
        if not value or path.is_absolute() or ".." in path.parts or "\\" in value or "\0" in value:
            raise ValueError(f"{value!r} does not lie in the partition's folder")
        return value

    @property
    def is_item(self) -> bool:
        """True for a file that was made and published by itself, such as a site's raster."""
        return self.path != self.name and "/" not in self.name


class Missing(BaseModel):
    """Something a partition should hold and does not: which item, and one sentence why.

    `retry` is False where asking again gives the same answer as long as the inputs stay as they are (no source covers
    the site); everything else is tried again on the next run.
    """

    model_config = ConfigDict(frozen=True)
    item: str
    reason: str
    retry: bool = True


class Manifest(BaseModel):
    """What one asset partition holds, made from what, by which code.

    `missing` is retried on the next run. `rejected` says which checks it failed: it is there for people to look at, and
    nothing is made from it. `settings` tells people what of the settings entered the fingerprint: dotted names with
    short JSON texts; empty where it was not told. `commit` makes two manifests of the same result different objects,
    where a store is written by several machines.
    """

    model_config = ConfigDict(frozen=True)
    layout: int = LAYOUT_VERSION
    room: str
    asset: str
    keys: tuple[str, ...]
    fingerprint: str
    code_version: str
    inputs: dict[str, str]
    settings: dict[str, str] = {}
    files: tuple[StoredFile, ...]
    missing: tuple[Missing, ...] = ()
    rejected: tuple[str, ...] = ()
    summary: dict[str, Any] = {}
    commit: str = ""

    @property
    def ref(self) -> PartitionRef:
        """The partition this manifest describes."""
        return PartitionRef(self.room, self.asset, self.keys)

    @property
    def complete(self) -> bool:
        """True where it passed its checks and nothing that is missing is worth another try."""
        return not self.rejected and not any(m.retry for m in self.missing)

    @property
    def content(self) -> str:
        """Hash of names and bytes of all files: equal where two partitions hold the same."""
        return digest([[f.name, f.sha256] for f in self.files])


def parse_manifest(data: bytes, ref: PartitionRef, root: str) -> Manifest:
    """The manifest of a partition from its bytes.

    Raises `DamagedError` where they are none of this partition, and `StorageError` where a newer minemap wrote them.
    """
    where = f"{root}/{ref.prefix}/manifest.json"
    try:
        raw = json.loads(data)
        _check_seal(raw)
        layout_of(raw, root)
        if _SEAL not in raw and set(raw) - set(Manifest.model_fields):  # perhaps it is the seal whose name was damaged
            raise ValueError("says what it cannot say")
        manifest = Manifest.model_validate(raw)
    except (ValueError, TypeError, RecursionError, ValidationError) as error:
        raise DamagedError(ref, f"{where} cannot be read, so {ref} has to be made again") from error
    if manifest.ref != ref:
        raise DamagedError(ref, f"{where} is that of {manifest.ref}, so {ref} has to be made again")
    return manifest


def manifest_bytes(manifest: Manifest) -> bytes:
    """A manifest as it is stored: JSON, with the hash of all else that it says as its seal."""
    raw = manifest.model_dump(mode="json")
    return json.dumps(raw | {_SEAL: digest(raw)}, indent=1, sort_keys=True).encode()


def _check_seal(raw: Any) -> None:
    """Raises `ValueError` where a manifest was changed since it was written. Older ones have no seal.

    The seals of all layouts are made alike, so that a newer one can be told from a damaged one.
    """
    if isinstance(raw, dict) and _SEAL in raw:
        said = {name: value for name, value in raw.items() if name != _SEAL}
        if raw[_SEAL] != digest(said):
            raise ValueError("not as it was written")


def layout_of(raw: Any, root: str) -> int:
    """The layout that a manifest or a lake's own file states. Raises `StorageError` for a newer one than this reads."""
    layout = raw.get("layout", 0) if isinstance(raw, dict) else None
    if not isinstance(layout, int):
        raise ValueError("no layout")
    if layout > LAYOUT_VERSION:
        raise StorageError(
            f"the lake at {root} was written by a newer minemap (layout {layout}, this one reads up to "
            f"{LAYOUT_VERSION}); update minemap"
        )
    return layout


@dataclass(frozen=True)
class Outcome:
    """What a build says of its partition: facts for people (JSON values) and what could not be done."""

    summary: Mapping[str, Any] = field(default_factory=dict)
    missing: Sequence[Missing] = ()


def digest(value: Any) -> str:
    """SHA-256 of a JSON value in canonical form."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def file_sha256(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def fingerprint(code_version: str, config: Any, inputs: Mapping[str, str]) -> str:
    """What a partition depends on, as one hash. `config` is any JSON value or pydantic model."""
    plain = config.model_dump(mode="json") if isinstance(config, BaseModel) else config
    return digest({"code": code_version, "config": plain, "inputs": dict(inputs)})
