"""The lake: the one module that decides every path, and the rules by which a partition becomes visible.

Layout: `<room>/<asset>/<key>/<key>/` holds the files of one asset partition and its `manifest.json`, which is written
last. Files that are made one by one (a raster a site) carry their own fingerprint and checksum in their name, so that
an interrupted partition goes on where it stopped; files with plain names change place in the moment of the commit. What
no manifest names is removed or thrown away (`trash.py`) after the next commit. `inputs/` holds what people write:
settings, regions, registered reference files, and every version of these (`inputs.py`). `lake.json` says which layout
it has.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Any

from minemap_assets.errors import NotFoundError, StorageError
from minemap_assets.lake.checksums import CHECKSUMS
from minemap_assets.lake.lake_version import check_layout, mark
from minemap_assets.lake.manifests import (
    DamagedError,
    Manifest,
    Outcome,
    PartitionRef,
    StoredFile,
    file_sha256,
    fingerprint,
    parse_manifest,
)
from minemap_assets.lake.partitions import MANIFEST, Examine, Partition
from minemap_assets.lake.pruned import forget_pruned, pruned_files
from minemap_assets.lake.store import Entry, LocalStore, Store, read_if_there
from minemap_assets.lake.trash import Trash
from minemap_assets.lake.workspaces import clear
from minemap_assets.lake.writer import Base, PartitionWriter, WriteRules


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
    def at(cls, home: str, state: Path, cache_bytes: int | None = None) -> "Lake":
        """A lake in a folder, or under the URL of an object store, of whose files this machine keeps so many bytes."""
        state = state.expanduser().absolute()
        if "://" not in home:
            return cls.local(Path(home).expanduser().absolute(), state)
        from minemap_assets.lake.object_store import ObjectStore

        return cls(ObjectStore(home, state / "lake-cache", cache_bytes=cache_bytes), state)

    def read_manifest(self, ref: PartitionRef) -> Manifest | None:
        """The partition's manifest; None where it was never published.

        Raises `DamagedError` where it cannot be read, and `StorageError` where a newer minemap wrote it.
        """
        data = read_if_there(self.store, f"{ref.prefix}/{MANIFEST}")
        return None if data is None else parse_manifest(data, ref, self.store.root)

    def manifest(self, ref: PartitionRef) -> Manifest | None:
        """Like `read_manifest`, with None for a damaged one too: the partition has to be made again."""
        try:
            return self.read_manifest(ref)
        except DamagedError:
            return None

    def check(self) -> int:
        """Its layout, 0 for a new lake. Raises `StorageError` where it is damaged, or not what this minemap reads."""
        return check_layout(self.store)

    def tidy(self) -> None:
        """Remove what killed processes left on its way, even where nothing is to be made; as far as that is allowed."""
        with suppress(StorageError, OSError):
            clear(self.store.staging())

    def _mark(self) -> None:
        """Say in the lake which layout it has, once."""
        if not self._marked:
            mark(self.store)
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

    def damaged(self, manifest: Manifest, *, thoroughly: bool = False) -> list[StoredFile]:
        """Files of a partition that are not what was published, or not there at all though nobody pruned them.

        The manifest is written last: only a file that may have changed since is read, of the others the size is
        compared. `thoroughly` reads every byte.
        """
        prefix = manifest.ref.prefix
        entries = self.store.entries(prefix)
        own = entries.get(f"{prefix}/{MANIFEST}")
        pruned = pruned_files(self.store, manifest.ref, entries)
        found: list[StoredFile] = []
        suspected: list[StoredFile] = []
        for stored in manifest.files:
            entry = entries.get(f"{prefix}/{stored.path}")
            if entry is None and pruned.get(stored.path) == stored.sha256:
                continue
            if entry is None or entry.bytes != stored.bytes:
                found.append(stored)
            elif thoroughly or own is None or self._may_have_changed(stored, entry, own):
                suspected.append(stored)
        wrong = [stored for stored in suspected if not self._is_as_published(prefix, stored, thoroughly)]
        if suspected and not found and not wrong:
            self.store.confirm(f"{prefix}/{MANIFEST}")
        return sorted([*found, *wrong], key=lambda f: f.path)

    def _may_have_changed(self, stored: StoredFile, entry: Entry, own: Entry) -> bool:
        """Whether a file may be another one than when the manifest (`own`) was written."""
        if stored.tag and entry.tag:
            return stored.tag != entry.tag
        # an object store's times are whole seconds
        return entry.changed > own.changed or (entry.changed == own.changed and not self.store.excludes)

    def _is_as_published(self, prefix: str, stored: StoredFile, anew: bool) -> bool:
        path = f"{prefix}/{stored.path}"
        if anew:
            self.store.forget(path)
        try:
            local = self.store.fetch(path)
            return (file_sha256(local) if anew else CHECKSUMS.of(local)) == stored.sha256
        except (NotFoundError, FileNotFoundError):
            return False

    def set_aside(self, ref: PartitionRef, paths: Iterable[str]) -> None:
        """Take damaged files out of their partition, which is made again then; people may still look at them."""
        paths = list(paths)
        forget_pruned(self.store, ref, paths)
        for path in paths:
            with suppress(NotFoundError):
                Trash(self.store).set_aside(f"{ref.prefix}/{path}")

    def is_whole(self, manifest: Manifest) -> bool:
        """True where every file is there as it was published."""
        return not self.damaged(manifest)

    def refs(self, room: str, asset: str) -> Iterator[PartitionRef]:
        """All partitions of an asset that have a manifest, whether it can be read or not, in order of their keys."""
        for path in self.store.list(f"{room}/{asset}"):
            if path.endswith(f"/{MANIFEST}"):
                yield PartitionRef(room, asset, PurePosixPath(path).parent.parts[2:])

    def manifests(self, room: str, asset: str) -> Iterator[Manifest]:
        """Manifests of all published partitions of an asset, in order of their keys."""
        for ref in self.refs(room, asset):
            manifest = self.manifest(ref)
            if manifest is not None:
                yield manifest

    @contextmanager
    def writer(self, ref: PartitionRef, print_: str, rules: WriteRules | None = None) -> Iterator[PartitionWriter]:
        """Exclusive write access to a partition.

        Waits for another writer as `rules` say, and raises `BusyError` after that; `StorageError` where the disk takes
        nothing more.
        """
        rules = rules or WriteRules()
        with self.store.writing(), self.store.claim(ref.prefix.replace("/", "~"), rules.patience) as staging:
            self._mark()
            yield PartitionWriter(self.store, ref, print_, staging, self._base(ref), rules)

    def _base(self, ref: PartitionRef) -> Base:
        """What lies there now. Files are listed first: whoever wrote them began from this manifest, or an older one."""
        prefix = f"{ref.prefix}/"
        entries = self.store.entries(ref.prefix).items()
        files = {path.removeprefix(prefix): entry.changed for path, entry in entries if path != f"{prefix}{MANIFEST}"}
        found = self.store.read_tagged(f"{prefix}{MANIFEST}")
        if found is None:
            return Base(files=files)
        try:
            manifest = parse_manifest(found.data, ref, self.store.root)
        except DamagedError:
            manifest = None
        return Base(manifest, found.tag, files)


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
    rules: WriteRules | None = None,
    settings: Mapping[str, str] | None = None,
) -> tuple[Manifest, bool]:
    """Make a partition, or keep it where it is whole and nothing it depends on has changed.

    `intact` is False where something it keeps outside the lake is gone. `settings` tells people what `config` says, and
    stands in the manifest. Returns the manifest and whether it was made now. A partition with items worth a retry, or
    that `examine` rejected, is made again. What of it was damaged is set aside, and told.
    """
    print_, rules = fingerprint(code_version, config, inputs), rules or WriteRules()
    with lake.writer(ref, print_, rules) as writer:
        known = writer.known
        if known is not None and known.fingerprint == print_ and known.complete:
            damaged = lake.damaged(known)
            if intact and not damaged and not rules.anew:
                return known, False
            lake.set_aside(ref, [stored.path for stored in damaged])
            for stored in damaged:
                rules.told(f"{ref}: {stored.name} was damaged or gone; it is made again")
        outcome = build(writer)
        return writer.commit(code_version, inputs, outcome, examine, settings), True
