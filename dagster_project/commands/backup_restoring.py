"""What `minemap restore-backup` does: a snapshot is put into an empty lake, every byte checked on its way."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from dagster_project.commands.backup_contents import LASTING
from dagster_project.commands.backup_format import SNAPSHOTS, Backup, KeptFile, Snapshot
from dagster_project.commands.pruning import ref_at
from minemap_assets.errors import BadInputError, NotFoundError
from minemap_assets.lake.input_history import FOLDER as INPUTS
from minemap_assets.lake.lake import Lake
from minemap_assets.lake.lake_version import MARKER
from minemap_assets.lake.manifests import DamagedError, Manifest, PartitionRef, file_sha256, layout_of, parse_manifest
from minemap_assets.lake.partitions import MANIFEST
from minemap_assets.lake.pruned import PRUNED
from minemap_assets.lake.store import Store
from minemap_assets.lake.workspaces import workspace
from minemap_assets.publication.releases.frozen import is_card


@dataclass
class Restored:
    """What came of it: the snapshot, files and bytes that were put now, and partitions that are whole in the lake.

    `not_held` are partitions of which the backup has only the manifest, by asset: a run makes them again.
    """

    snapshot: str
    files: int = 0
    bytes: int = 0
    partitions: int = 0
    not_held: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class BackupRestoring:
    """One restoring of a backup's snapshot. `told` hears of every file that is put: its path and size in bytes."""

    backup: Backup
    lake: Lake
    told: Callable[[str, int], None] = lambda _, __: None

    def run(self, name: str | None = None) -> Restored:
        """Put what a snapshot holds into the lake; without a name, the newest.

        What lies there already with the same bytes stays, so that one that broke off goes on. Raises `BadInputError`
        where the lake holds anything else under one of these paths, or the backup lacks some of its bytes, before
        anything is written; and `StorageError` where a newer minemap made the snapshot.
        """
        if not self.backup.is_one():
            raise BadInputError(
                f"there is no backup at {self.backup.store.root}; name the place that one was written to"
            )
        names = self.backup.names
        if not names:
            raise BadInputError(
                f"the backup at {self.backup.store.root} has no snapshot yet; run `minemap backup` first"
            )
        chosen = name or names[-1]
        snapshot = self.backup.snapshot(chosen)
        layout_of({"layout": snapshot.layout}, f"{self.backup.store.root}/{SNAPSHOTS}/{chosen}.json")
        done = Restored(chosen)
        wanted = self._wanted(snapshot, done)
        missing = self._check(wanted)
        store = self.lake.store
        with store.writing(), workspace(store.staging()) as scratch:
            for path in sorted(missing, key=_order):
                self._put(path, wanted[path], scratch / "file")
                done.files += 1
                done.bytes += wanted[path].bytes
        return done

    def _wanted(self, snapshot: Snapshot, done: Restored) -> dict[str, KeptFile]:
        """Files of the inputs and releases, and of partitions that are held whole."""
        files = dict(snapshot.files)
        wanted = {path: kept for path, kept in files.items() if path == MARKER or _is_lasting(path)}
        for path in (path for path in files if path.endswith(f"/{MANIFEST}") and path not in wanted):
            ref = ref_at(path.removesuffix(f"/{MANIFEST}"))
            if ref is None:
                raise BadInputError(
                    f"snapshot {done.snapshot} names {path}, which is none of a lake; choose another one"
                )
            inside = self._inside(ref, files)
            if inside is None:
                done.not_held[f"{ref.room}/{ref.asset}"] = done.not_held.get(f"{ref.room}/{ref.asset}", 0) + 1
                continue
            done.partitions += 1
            wanted |= {one: files[one] for one in (*inside, path)}
        return wanted

    def _inside(self, ref: PartitionRef, files: dict[str, KeptFile]) -> list[str] | None:
        """Paths of a partition beside its manifest; None where the backup does not hold all of its files."""
        manifest = self._manifest(ref, files[f"{ref.prefix}/{MANIFEST}"])
        note = f"{ref.prefix}/{PRUNED}"
        paths = [f"{ref.prefix}/{stored.path}" for stored in manifest.files]
        held = [path for path in paths if path in files]
        if note in files:
            return [*held, note]
        return held if len(held) == len(paths) else None

    def _manifest(self, ref: PartitionRef, kept: KeptFile) -> Manifest:
        try:
            return parse_manifest(self._fetch(kept).read_bytes(), ref, self.backup.store.root)
        except DamagedError as error:
            raise BadInputError(f"{error}; choose another snapshot with --snapshot") from error

    def _check(self, wanted: dict[str, KeptFile]) -> list[str]:
        """Paths that the lake lacks. Raises `BadInputError` where it holds something else there."""
        there = _sizes(self.lake.store, wanted)
        for path, size in there.items():
            kept = wanted[path]
            if size != kept.bytes or file_sha256(self.lake.store.fetch(path)) != kept.sha256:
                raise BadInputError(
                    f"{self.lake.store.root}/{path} is something else than in the backup; nothing was changed: restore "
                    "into an empty lake (MINEMAP_HOME), or move this one away"
                )
        objects = _sizes(self.backup.store, {kept.path: kept for kept in wanted.values()})
        missing = sorted(path for path in wanted if path not in there)
        for path in missing:
            if objects.get(wanted[path].path) != wanted[path].bytes:
                raise BadInputError(
                    f"the backup at {self.backup.store.root} lacks the bytes of {path} ({wanted[path].path}); nothing "
                    "was changed: choose another snapshot with --snapshot"
                )
        return missing

    def _put(self, path: str, kept: KeptFile, scratch: Path) -> None:
        self.told(path, kept.bytes)
        with self.backup.store.using(), self.lake.store.using():
            shutil.copyfile(self._fetch(kept), scratch)
            self.lake.store.put(scratch, path)

    def _fetch(self, kept: KeptFile) -> Path:
        """Bytes of the backup, as they were kept. Raises `BadInputError` where they are damaged or gone."""
        store = self.backup.store
        try:
            local = store.fetch(kept.path)
            if file_sha256(local) != kept.sha256:
                store.forget(kept.path)
                local = store.fetch(kept.path)
        except NotFoundError as error:
            raise BadInputError(f"{store.root}/{kept.path} is gone; choose another snapshot with --snapshot") from error
        if file_sha256(local) != kept.sha256:
            raise BadInputError(f"{store.root}/{kept.path} is damaged; choose another snapshot with --snapshot")
        return local


def _order(path: str) -> tuple[bool, str]:
    """Manifests come last, and so do the cards of releases, so that nobody sees half of what they stand for."""
    return (path.endswith(f"/{MANIFEST}") and not path.startswith(f"{INPUTS}/")) or is_card(path), path


def _is_lasting(path: str) -> bool:
    return path.startswith(tuple(f"{folder}/" for folder in LASTING))


def _sizes(store: Store, wanted: dict[str, KeptFile]) -> dict[str, int]:
    """Sizes in bytes of those of these paths that are there."""
    folders = sorted({path.split("/", 1)[0] for path in wanted if "/" in path})
    found = {path: entry.bytes for folder in folders for path, entry in store.entries(folder).items()}
    for path in (path for path in wanted if "/" not in path):
        size = store.size(path)
        if size is not None:
            found[path] = size
    return {path: size for path, size in found.items() if path in wanted}
