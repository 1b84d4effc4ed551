"""Manifests: what one asset partition is called, what it holds and what it was made from."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

LAYOUT_VERSION = 1
"""Raised when an older minemap could not read what this one writes."""


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


class StoredFile(BaseModel):
    """One file of a partition: its logical name, where it lies below the partition's folder, and its checksum."""

    model_config = ConfigDict(frozen=True)
    name: str
    path: str
    bytes: int
    sha256: str


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
    nothing is made from it.
    """

    model_config = ConfigDict(frozen=True)
    layout: int = LAYOUT_VERSION
    room: str
    asset: str
    keys: tuple[str, ...]
    fingerprint: str
    code_version: str
    inputs: dict[str, str]
    files: tuple[StoredFile, ...]
    missing: tuple[Missing, ...] = ()
    rejected: tuple[str, ...] = ()
    summary: dict[str, Any] = {}

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
