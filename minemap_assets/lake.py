"""The lake: the one module that decides every path, and the rules by which a partition becomes visible.

What belongs here: publishing and reading. What does not: what a manifest says (`manifests.py`), what the files hold,
and where the bytes lie (`stores.py`).

Layout: `<room>/<asset>/<key>/<key>/` holds the files of one asset partition and its `manifest.json`, which is written
last. Files that are made one by one (a raster a site) carry their own fingerprint in their name, so that an
interrupted partition goes on where it stopped; files with plain names change place in the moment of the commit. What no
manifest names is removed after the next commit. `inputs/` holds what people write: settings, regions, registered
reference files. `lake.json` says which layout the lake has.
"""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import ValidationError

from minemap_assets.errors import BadInputError, NotFoundError, StorageError
from minemap_assets.manifests import (
    LAYOUT_VERSION,
    Manifest,
    Missing,
    Outcome,
    PartitionRef,
    StoredFile,
    digest,
    file_sha256,
    fingerprint,
)
from minemap_assets.stores import LocalStore, Store
from minemap_assets.workspaces import HeldError, workspace

__all__ = [
    "Examine",
    "Lake",
    "Manifest",
    "Missing",
    "Outcome",
    "Partition",
    "PartitionRef",
    "PartitionWriter",
    "build_partition",
    "digest",
    "file_sha256",
    "fingerprint",
]

MANIFEST = "manifest.json"
MARKER = "lake.json"
INPUTS = "inputs"


class Partition:
    """Read access to a published partition, or to one about to be, whose `staged` files are not in the store yet."""

    def __init__(self, store: Store, manifest: Manifest, staged: Mapping[str, Path] | None = None) -> None:
        self._store = store
        self._staged = staged or {}
        self.manifest = manifest

    def names(self) -> tuple[str, ...]:
        """Logical names of all files."""
        return tuple(f.name for f in self.manifest.files)

    def file(self, name: str) -> Path:
        """A local path of one file. Raises `NotFoundError`."""
        if name in self._staged:
            return self._staged[name]
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
        self._plain: dict[str, Path] = {}
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
        """Take over the staged file or folder `name`.

        With `item`, the fingerprint of this one file, it is published at once under a name that carries it, and a later
        run may `reuse` it. Folders are published under the partition's fingerprint. Other files wait for the commit, so
        that until then the old partition stays as its manifest describes it.
        """
        staged = self._staging / name
        if staged.is_dir():
            root = _marked(name, self.fingerprint)
            for path in sorted(p for p in staged.rglob("*") if p.is_file()):
                inner = path.relative_to(staged).as_posix()
                self._publish(path, f"{name}/{inner}", f"{root}/{inner}")
            shutil.rmtree(staged)
        elif item:
            self._publish(staged, name, _marked(name, item))
        else:
            self._plain[name] = staged
            self._files[name] = _describe(staged, name, name)

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
        self._plain.pop(name, None)

    def published(self, name: str) -> Path:
        """Local path of a file that this writer added."""
        if name in self._plain:
            return self._plain[name]
        return self._store.fetch(f"{self.ref.prefix}/{self._files[name].path}")

    def _publish(self, local: Path, name: str, path: str) -> None:
        stored = _describe(local, name, path)
        self._store.put(local, f"{self.ref.prefix}/{path}")
        self._files[name] = stored

    def commit(
        self, code_version: str, inputs: Mapping[str, str], outcome: Outcome, examine: "Examine | None" = None
    ) -> Manifest:
        """Examine what was made, publish it with its manifest, then remove what the manifest does not name."""
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
        if examine is not None:
            rejected = tuple(examine(Partition(self._store, manifest, self._plain)))
            manifest = manifest.model_copy(update={"rejected": rejected})
        self._replace(manifest)
        named = {f"{self.ref.prefix}/{f.path}" for f in manifest.files} | {f"{self.ref.prefix}/{MANIFEST}"}
        for path in list(self._store.list(self.ref.prefix)):
            if path not in named:
                self._store.delete(path)
        return manifest

    def _replace(self, manifest: Manifest) -> None:
        """Put files with plain names and the manifest in the place of the old ones.

        An old manifest goes first where it would name other bytes than the ones that lie there: so no reader, and no
        run after a crash, takes a mixture for whole. By then every byte of the new partition is written.
        """
        local, place = self.path(MANIFEST), f"{self.ref.prefix}/{MANIFEST}"
        local.write_text(json.dumps(manifest.model_dump(mode="json"), indent=1, sort_keys=True))
        stored = [self._files[name] for name in sorted(self._plain)]
        if any(self._known.get(f.path, f.sha256) != f.sha256 for f in stored):
            self._store.delete(place)
        for file in stored:
            self._store.put(self._plain[file.name], f"{self.ref.prefix}/{file.path}")
        self._store.put(local, place)


Examine = Callable[[Partition], Sequence[str]]
"""Says in one sentence each which checks a partition fails; called before it is published."""


class Lake:
    """All asset partitions under one root."""

    def __init__(self, store: Store, state: Path) -> None:
        self.store = store
        self.state = state
        self._marked = False

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
        """The partition's manifest; None where it was never published. Raises `StorageError` for a newer layout."""
        try:
            data = self.store.read_bytes(f"{ref.prefix}/{MANIFEST}")
        except NotFoundError:
            return None
        try:
            raw = json.loads(data)
            self._refuse_newer(raw)
            return Manifest.model_validate(raw)
        except (json.JSONDecodeError, ValidationError):
            return None

    def check(self) -> int:
        """Layout of the lake, 0 for a new one. Raises `StorageError` where a newer minemap wrote it."""
        try:
            raw = json.loads(self.store.read_bytes(MARKER))
        except (NotFoundError, json.JSONDecodeError):
            return 0
        return self._refuse_newer(raw)

    def _refuse_newer(self, raw: Any) -> int:
        layout = raw.get("layout", 0) if isinstance(raw, dict) else 0
        if layout > LAYOUT_VERSION:
            raise StorageError(
                f"the lake at {self.store.root} was written by a newer minemap (layout {layout}, this one reads up to "
                f"{LAYOUT_VERSION}); update minemap"
            )
        return int(layout)

    def _mark(self) -> None:
        """Say in the lake which layout it has, once."""
        if not self._marked and self.check() < LAYOUT_VERSION:
            self.store.write_bytes(MARKER, json.dumps({"layout": LAYOUT_VERSION}).encode())
        self._marked = True

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
        sizes = self.store.sizes(manifest.ref.prefix)
        for stored in manifest.files:
            path = f"{manifest.ref.prefix}/{stored.path}"
            if sizes.get(path) != stored.bytes:
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
        """Exclusive write access to a partition.

        Raises `BadInputError` while another run holds it, and `StorageError` where the disk takes nothing more.
        """
        folder = self.store.staging()
        with self.store.writing(), ExitStack() as stack:
            try:
                staging = stack.enter_context(workspace(folder, ref.prefix.replace("/", "~")))
            except HeldError as error:
                raise BadInputError(
                    f"another run is writing {ref} now; wait for it to end and run this again"
                ) from error
            self._mark()
            yield PartitionWriter(self.store, ref, print_, staging, self.manifest(ref))


def build_partition(
    lake: Lake,
    ref: PartitionRef,
    *,
    code_version: str,
    config: Any,
    inputs: Mapping[str, str],
    build: Callable[[PartitionWriter], Outcome],
    intact: bool = True,
    examine: Examine | None = None,
) -> tuple[Manifest, bool]:
    """Make a partition, or keep it where it is whole and nothing it depends on has changed.

    `intact` is False where something it keeps outside the lake is gone. Returns the manifest and whether it was made
    now. A partition with items worth a retry, or that `examine` rejected, is made again.
    """
    print_ = fingerprint(code_version, config, inputs)
    with lake.writer(ref, print_) as writer:
        known = lake.manifest(ref)
        current = known is not None and known.fingerprint == print_ and known.complete
        if known is not None and current and intact and lake.is_whole(known):
            return known, False
        outcome = build(writer)
        return writer.commit(code_version, inputs, outcome, examine), True


def _marked(name: str, mark: str) -> str:
    path = PurePosixPath(name)
    return path.with_name(f"{path.stem}-{mark[:12]}{path.suffix}").as_posix()


def _describe(local: Path, name: str, path: str) -> StoredFile:
    return StoredFile(name=name, path=path, bytes=local.stat().st_size, sha256=file_sha256(local))
