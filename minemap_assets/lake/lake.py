"""The lake: the one module that decides every path, and the rules by which a partition becomes visible.

Layout: `<room>/<asset>/<key>/<key>/` holds the files of one asset partition and its `manifest.json`, which is written
last. Files that are made one by one (a raster a site) carry their own fingerprint in their name, so that an
interrupted partition goes on where it stopped; files with plain names change place in the moment of the commit. What no
manifest names is removed after the next commit. `inputs/` holds what people write: settings, regions, registered
reference files. `lake.json` says which layout the lake has.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import ValidationError

from minemap_assets.errors import BadInputError, NotFoundError, StorageError
from minemap_assets.lake.locks import LockedError
from minemap_assets.lake.manifests import LAYOUT_VERSION, Manifest, Outcome, PartitionRef, file_sha256, fingerprint
from minemap_assets.lake.partitions import MANIFEST, Examine, Partition, PartitionWriter
from minemap_assets.lake.store import LocalStore, Store
from minemap_assets.lake.workspaces import workspace

MARKER = "lake.json"


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
        from minemap_assets.lake.object_store import ObjectStore

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

    def is_current(self, manifest: Manifest | None, print_: str, *, checksums: bool = True) -> bool:
        """True where a partition is whole, misses nothing worth another try, and was made under this fingerprint."""
        if manifest is None or manifest.fingerprint != print_ or not manifest.complete:
            return False
        return self.is_whole(manifest, checksums=checksums)

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
            except LockedError as error:
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
        if known is not None and intact and lake.is_current(known, print_):
            return known, False
        outcome = build(writer)
        return writer.commit(code_version, inputs, outcome, examine), True
