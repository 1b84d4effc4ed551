"""The lake: the one module that decides every path, and the rules by which a partition becomes visible.

What belongs here: partition references, manifests, fingerprints, publishing and reading. What does not: what the files
hold, and where the bytes lie (`stores.py`).

Layout: `<room>/<asset>/<key>/<key>/` holds the files of one asset partition and its `manifest.json`, which is written
last. Files that are made one by one (a raster a site) carry their own fingerprint in their name, so that an
interrupted partition goes on where it stopped. What no manifest names is removed after the next commit.
`inputs/` holds what people write: settings, regions, registered reference files.
"""

import fcntl
import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from minemap_assets.errors import BadInputError, NotFoundError, PermanentError
from minemap_assets.stores import LocalStore, Store

LAYOUT_VERSION = 1
"""Raised when an older minemap could not read what this one writes."""

MANIFEST = "manifest.json"
INPUTS = "inputs"


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
    """What one asset partition holds, made from what, by which code. `missing` is retried on the next run."""

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
    summary: dict[str, Any] = {}

    @property
    def ref(self) -> PartitionRef:
        """The partition this manifest describes."""
        return PartitionRef(self.room, self.asset, self.keys)

    @property
    def complete(self) -> bool:
        """True where nothing that is missing is worth another try."""
        return not any(m.retry for m in self.missing)

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


class Partition:
    """Read access to a published partition."""

    def __init__(self, store: Store, manifest: Manifest) -> None:
        self._store = store
        self.manifest = manifest

    def names(self) -> tuple[str, ...]:
        """Logical names of all files."""
        return tuple(f.name for f in self.manifest.files)

    def file(self, name: str) -> Path:
        """A local path of one file. Raises `NotFoundError`."""
        for stored in self.manifest.files:
            if stored.name == name:
                return self._store.fetch(f"{self.manifest.ref.prefix}/{stored.path}")
        raise NotFoundError(f"{self.manifest.ref} holds no file {name}")

    def tree(self, name: str) -> Path:
        """A local folder with all files whose names start with `name/`. Raises `NotFoundError`."""
        inside = [f for f in self.manifest.files if f.name.startswith(f"{name}/")]
        if not inside:
            raise NotFoundError(f"{self.manifest.ref} holds no folder {name}")
        last = [self._store.fetch(f"{self.manifest.ref.prefix}/{f.path}") for f in inside][-1]
        depth = len(PurePosixPath(inside[-1].name).parts) - len(PurePosixPath(name).parts)
        return last.parents[depth - 1]


class PartitionWriter:
    """Collects the files of one partition; nothing is visible to readers before `commit`."""

    def __init__(
        self, store: Store, ref: PartitionRef, print_: str, staging: Path, known: Manifest | None = None
    ) -> None:
        self._store = store
        self._files: dict[str, StoredFile] = {}
        self._known = {f.path: f.sha256 for f in known.files} if known is not None else {}
        self._staging = staging
        self.ref = ref
        self.fingerprint = print_

    def path(self, name: str) -> Path:
        """A staging path to write the file (or folder) `name` at, before `add`."""
        target = self._staging / name
        target.parent.mkdir(parents=True, exist_ok=True)
        return target

    def add(self, name: str, *, item: str | None = None) -> None:
        """Publish the staged file or folder `name`.

        With `item`, the fingerprint of this one file, its published name carries it and a later run may `reuse` it.
        Folders always carry the partition's fingerprint.
        """
        staged = self._staging / name
        if staged.is_dir():
            root = _marked(name, self.fingerprint)
            for path in sorted(p for p in staged.rglob("*") if p.is_file()):
                inner = path.relative_to(staged).as_posix()
                self._publish(path, f"{name}/{inner}", f"{root}/{inner}")
            shutil.rmtree(staged)
        else:
            self._publish(staged, name, _marked(name, item) if item else name)

    def reuse(self, name: str, item: str) -> Path | None:
        """Adopt a file published by an earlier run under the same fingerprint; None where there is none.

        A file that the last manifest names with another checksum was damaged since, and is not adopted.
        """
        path = _marked(name, item)
        full = f"{self.ref.prefix}/{path}"
        size = self._store.size(full)
        if size is None:
            return None
        local = self._store.fetch(full)
        checksum = file_sha256(local)
        if self._known.get(path, checksum) != checksum:
            return None
        self._files[name] = StoredFile(name=name, path=path, bytes=size, sha256=checksum)
        return local

    def drop(self, name: str) -> None:
        """Forget a file that was adopted or added; it is removed after the commit."""
        self._files.pop(name, None)

    def published(self, name: str) -> Path:
        """Local path of a file that this writer added."""
        return self._store.fetch(f"{self.ref.prefix}/{self._files[name].path}")

    def _publish(self, local: Path, name: str, path: str) -> None:
        stored = StoredFile(name=name, path=path, bytes=local.stat().st_size, sha256=file_sha256(local))
        self._store.put(local, f"{self.ref.prefix}/{path}")
        self._files[name] = stored

    def commit(self, code_version: str, inputs: Mapping[str, str], outcome: Outcome) -> Manifest:
        """Write the manifest, then remove what it does not name."""
        manifest = Manifest(
            room=self.ref.room,
            asset=self.ref.asset,
            keys=self.ref.keys,
            fingerprint=self.fingerprint,
            code_version=code_version,
            inputs=dict(sorted(inputs.items())),
            files=tuple(self._files[name] for name in sorted(self._files)),
            missing=tuple(outcome.missing),
            summary=json.loads(json.dumps(dict(outcome.summary), sort_keys=True)),
        )
        text = json.dumps(manifest.model_dump(mode="json"), indent=1, sort_keys=True)
        self._store.write_bytes(f"{self.ref.prefix}/{MANIFEST}", text.encode())
        named = {f"{self.ref.prefix}/{f.path}" for f in manifest.files} | {f"{self.ref.prefix}/{MANIFEST}"}
        for path in list(self._store.list(self.ref.prefix)):
            if path not in named:
                self._store.delete(path)
        return manifest


class Lake:
    """All asset partitions under one root."""

    def __init__(self, store: Store, state: Path) -> None:
        self.store = store
        self.state = state

    @classmethod
    def local(cls, home: Path, state: Path) -> "Lake":
        """A lake in a folder."""
        return cls(LocalStore(home), state)

    @classmethod
    def at(cls, home: str, state: Path) -> "Lake":
        """A lake in a folder, or under the URL of an object store."""
        state = state.expanduser().absolute()
        if "://" not in home:
            return cls.local(Path(home).expanduser().absolute(), state)
        from minemap_assets.object_store import ObjectStore

        return cls(ObjectStore(home, state / "lake-cache"), state)

    def manifest(self, ref: PartitionRef) -> Manifest | None:
        """The partition's manifest; None where it was never published. Raises `PermanentError` for a newer layout."""
        try:
            data = self.store.read_bytes(f"{ref.prefix}/{MANIFEST}")
        except NotFoundError:
            return None
        try:
            raw = json.loads(data)
            if raw.get("layout", 0) > LAYOUT_VERSION:
                raise PermanentError(
                    f"the lake at {self.store.root} was written by a newer minemap (layout {raw['layout']}, this one "
                    f"reads up to {LAYOUT_VERSION}); update minemap"
                )
            return Manifest.model_validate(raw)
        except (json.JSONDecodeError, ValidationError):
            return None

    def open(self, ref: PartitionRef) -> Partition:
        """Read access. Raises `NotFoundError` where the partition was never published."""
        manifest = self.manifest(ref)
        if manifest is None:
            raise NotFoundError(f"{ref} has not been made yet")
        return Partition(self.store, manifest)

    def find(self, ref: PartitionRef) -> Partition | None:
        """Like `open`, with None for a partition that was never published."""
        manifest = self.manifest(ref)
        return None if manifest is None else Partition(self.store, manifest)

    def is_whole(self, manifest: Manifest, *, checksums: bool = True) -> bool:
        """True where every file is there with its size and, unless told otherwise, its checksum."""
        for stored in manifest.files:
            path = f"{manifest.ref.prefix}/{stored.path}"
            if self.store.size(path) != stored.bytes:
                return False
            if checksums and file_sha256(self.store.fetch(path)) != stored.sha256:
                return False
        return True

    def manifests(self, room: str, asset: str) -> Iterator[Manifest]:
        """Manifests of all published partitions of an asset, in order of their keys."""
        for path in self.store.list(f"{room}/{asset}"):
            if path.endswith(f"/{MANIFEST}"):
                keys = tuple(PurePosixPath(path).parent.parts[2:])
                manifest = self.manifest(PartitionRef(room, asset, keys))
                if manifest is not None and manifest.keys == keys:
                    yield manifest

    @contextmanager
    def writer(self, ref: PartitionRef, print_: str) -> Iterator[PartitionWriter]:
        """Exclusive write access to a partition. Raises `BadInputError` while another run holds it."""
        with self._lock(ref):
            staging = Path(tempfile.mkdtemp(dir=self.store.staging(), prefix=f"{ref.asset}-"))
            try:
                yield PartitionWriter(self.store, ref, print_, staging, self.manifest(ref))
            finally:
                shutil.rmtree(staging, ignore_errors=True)

    @contextmanager
    def _lock(self, ref: PartitionRef) -> Iterator[None]:
        path = self.state / "locks" / f"{ref.prefix.replace('/', '~')}.lock"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise BadInputError(
                    f"another run is writing {ref} now; wait for it to end and run this again"
                ) from error
            yield


def build_partition(
    lake: Lake,
    ref: PartitionRef,
    *,
    code_version: str,
    config: Any,
    inputs: Mapping[str, str],
    build: Callable[[PartitionWriter], Outcome],
    intact: bool = True,
) -> tuple[Manifest, bool]:
    """Make a partition, or keep it where it is whole and nothing it depends on has changed.

    `intact` is False where something it keeps outside the lake is gone. Returns the manifest and whether it was made
    now. A partition with items worth a retry is made again.
    """
    print_ = fingerprint(code_version, config, inputs)
    with lake.writer(ref, print_) as writer:
        known = lake.manifest(ref)
        current = known is not None and known.fingerprint == print_ and known.complete
        if known is not None and current and intact and lake.is_whole(known):
            return known, False
        outcome = build(writer)
        return writer.commit(code_version, inputs, outcome), True


def _marked(name: str, mark: str) -> str:
    path = PurePosixPath(name)
    return path.with_name(f"{path.stem}-{mark[:12]}{path.suffix}").as_posix()
