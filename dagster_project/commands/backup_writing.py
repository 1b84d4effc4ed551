"""What `minemap backup` does: it copies what is new, reads back what it wrote, and adds a snapshot in the end."""

import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from dagster_project.commands.backup_contents import Extent, Held, held, input_paths, partition_refs
from dagster_project.commands.backup_format import OBJECTS, SNAPSHOTS, TIME, Backup, KeptFile, Snapshot
from minemap_assets.errors import BadInputError, NotFoundError, PermanentError
from minemap_assets.graph.graph import Graph
from minemap_assets.lake.manifests import LAYOUT_VERSION, DamagedError, PartitionRef, StoredFile, file_sha256
from minemap_assets.lake.partitions import MANIFEST
from minemap_assets.lake.pruned import PRUNED
from minemap_assets.lake.store import Patience, Store
from minemap_assets.project.project import Project

_ATTEMPTS = 5
"""How often a partition is looked at anew that a run makes again in the same moment."""


@dataclass
class Written:
    """What a backup came to: the snapshot's name, all files and bytes that it names, and how many of them were new.

    `damaged` are sentences on what could not be kept because it is not what was published; `dropped` are older
    snapshots that were removed.
    """

    snapshot: str = ""
    files: int = 0
    bytes: int = 0
    new_files: int = 0
    new_bytes: int = 0
    damaged: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)


@dataclass
class BackupWriter:
    """One backup of one lake. `told` hears of every file that is copied: its path and size in bytes."""

    project: Project
    graph: Graph
    backup: Backup
    extent: Extent = Extent.NEEDED
    told: Callable[[str, int], None] = lambda _, __: None
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def run(self, keep: int | None = None) -> Written:
        """Copy, check, and add a snapshot; `keep` is how many snapshots are left, None for all.

        Raises `BadInputError` where something else lies at that place, `BusyError` where another backup goes on there,
        and `PermanentError` where what was written is read back with other bytes.
        """
        self._refuse_inside()
        self.backup.begin()
        store = self.backup.store
        with store.writing(), store.claim("backup", Patience()) as self._staging:
            self._there = {path: entry.bytes for path, entry in store.entries(OBJECTS).items()}
            self._files: dict[str, KeptFile] = {}
            self._written = Written()
            for path in input_paths(self.project):
                self._input(path)
            for ref in partition_refs(self.project, self.graph):
                self._partition(ref)
            self._finish()
            if keep is not None:
                self._drop(keep)
        return self._written

    def _refuse_inside(self) -> None:
        lake, place = self.project.lake.store.root, self.backup.store.root
        if f"{place}/".startswith(f"{lake}/") or f"{lake}/".startswith(f"{place}/"):
            raise BadInputError(f"the backup at {place} and the lake at {lake} lie in each other; name another place")

    def _input(self, path: str) -> None:
        try:
            with self.project.lake.store.using():
                local = self.project.lake.store.fetch(path)
                self._keep(path, KeptFile(sha256=file_sha256(local), bytes=local.stat().st_size), local)
        except NotFoundError:  # removed meanwhile by somebody, on purpose
            return

    def _partition(self, ref: PartitionRef) -> None:
        """Keep a partition as it was at one moment; one that a run makes again meanwhile is looked at anew."""
        before: bytes | None = None
        for _ in range(_ATTEMPTS):
            try:
                found = held(self.project, self.graph, ref, self.extent)
                if found is None:
                    return
                if found.data == before:
                    break
                before = found.data
                self._keep_partition(found)
                return
            except DamagedError as damage:
                if damage.path is None:
                    self._written.damaged.append(str(damage))
                    return
        where = f"{self.project.lake.store.root}/{ref.prefix}"
        self._written.damaged.append(f"{ref} holds files that are not what was published, in {where}; it is not kept")

    def _keep_partition(self, found: Held) -> None:
        store, prefix = self.project.lake.store, found.ref.prefix
        for stored in found.files:
            self._stored(found.ref, stored)
        if found.pruned:
            self._input(f"{prefix}/{PRUNED}")
        with store.using():
            local = self._staging / "manifest"
            local.write_bytes(found.data)
            self._keep(f"{prefix}/{MANIFEST}", KeptFile(sha256=file_sha256(local), bytes=len(found.data)), local)

    def _stored(self, ref: PartitionRef, stored: StoredFile) -> None:
        """Keep a file of a partition, whose checksum is known: what is there already is not even read here."""
        path, kept = f"{ref.prefix}/{stored.path}", KeptFile(sha256=stored.sha256, bytes=stored.bytes)
        if self._there.get(kept.path) == kept.bytes:
            self._files[path] = kept
            return
        store = self.project.lake.store
        with store.using():
            try:
                local = store.fetch(path)
                if file_sha256(local) != stored.sha256:
                    store.forget(path)
                    local = store.fetch(path)
                if file_sha256(local) != stored.sha256:
                    raise DamagedError(ref, f"{store.root}/{path} is not what was published", stored.path)
            except NotFoundError as error:
                raise DamagedError(ref, f"{store.root}/{path} is gone", stored.path) from error
            self._keep(path, kept, local)

    def _keep(self, path: str, kept: KeptFile, local: Path) -> None:
        """Copy a file into the backup unless it is there, and read back what was written."""
        if self._there.get(kept.path) != kept.bytes:
            self.told(path, kept.bytes)
            put_checked(self.backup.store, local, kept, self._staging)
            self._there[kept.path] = kept.bytes
            self._written.new_files += 1
            self._written.new_bytes += kept.bytes
        self._files[path] = kept

    def _finish(self) -> None:
        now, written = self.now().astimezone(UTC), self._written
        snapshot = Snapshot(
            created=now.isoformat("T", "seconds"),
            lake=self.project.lake.store.root,
            layout=LAYOUT_VERSION,
            everything=self.extent is Extent.EVERYTHING,
            files=dict(sorted(self._files.items())),
        )
        written.snapshot = now.strftime(TIME)
        written.files, written.bytes = len(self._files), sum(kept.bytes for kept in self._files.values())
        self.backup.write(written.snapshot, snapshot)

    def _drop(self, keep: int) -> None:
        """Remove older snapshots, and then what no snapshot names any more."""
        names, store = self.backup.names, self.backup.store
        old = names[: max(len(names) - keep, 0)]
        named = {one.path for name in names if name not in old for one in self.backup.snapshot(name).files.values()}
        for name in old:
            store.delete(f"{SNAPSHOTS}/{name}.json")
        _delete(store, (path for path in self._there if path not in named))
        self._written.dropped = old


def _delete(store: Store, paths: Iterable[str]) -> None:
    for path in sorted(paths):
        store.delete(path)


def put_checked(store: Store, local: Path, kept: KeptFile, staging: Path) -> None:
    """Put a copy of a file under its checksum, and read it back.

    Raises `PermanentError` where that gives other bytes.
    """
    with store.using():
        copy = staging / "object"
        shutil.copyfile(local, copy)
        store.put(copy, kept.path)
        store.forget(kept.path)
        if file_sha256(store.fetch(kept.path)) != kept.sha256:
            store.delete(kept.path)
            raise PermanentError(
                f"{store.root}/{kept.path} was read back with other bytes than were written; check the disk or service "
                "of the backup, and run this again"
            )
