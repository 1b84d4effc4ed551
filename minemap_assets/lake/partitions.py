"""One asset partition's files: reading a published one, and collecting a new one until it is published whole."""

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from minemap_assets.errors import NotFoundError
from minemap_assets.lake.manifests import Manifest, Outcome, PartitionRef, StoredFile, file_sha256
from minemap_assets.lake.store import Store

MANIFEST = "manifest.json"


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


Examine = Callable[[Partition], Sequence[str]]
"""Says in one sentence each which checks a partition fails; called before it is published."""


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

    def add(self, name: str, *, content_key: str | None = None) -> None:
        """Take over the staged file or folder `name`.

        With `content_key`, the fingerprint of this one file, it is published at once under a name that carries it, and
        a later run may `reuse` it. Folders are published under the partition's fingerprint. Other files wait for the
        commit, so that until then the old partition stays as its manifest describes it.
        """
        staged = self._staging / name
        if staged.is_dir():
            root = _marked(name, self.fingerprint)
            for path in sorted(p for p in staged.rglob("*") if p.is_file()):
                inner = path.relative_to(staged).as_posix()
                self._publish(path, f"{name}/{inner}", f"{root}/{inner}")
            shutil.rmtree(staged)
        elif content_key:
            self._publish(staged, name, _marked(name, content_key))
        else:
            self._plain[name] = staged
            self._files[name] = _describe(staged, name, name)

    def write(self, name: str, put: Callable[[Path], object]) -> None:
        """Have a file written at its staging path, and add it."""
        put(self.path(name))
        self.add(name)

    def reuse(self, name: str, content_key: str) -> Path | None:
        """Adopt a file published by an earlier run under the same fingerprint; None where there is none.

        A file that the last manifest names with another checksum was damaged since, and is not adopted.
        """
        path = _marked(name, content_key)
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
        self, code_version: str, inputs: Mapping[str, str], outcome: Outcome, examine: Examine | None = None
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


def _marked(name: str, mark: str) -> str:
    path = PurePosixPath(name)
    return path.with_name(f"{path.stem}-{mark[:12]}{path.suffix}").as_posix()


def _describe(local: Path, name: str, path: str) -> StoredFile:
    return StoredFile(name=name, path=path, bytes=local.stat().st_size, sha256=file_sha256(local))
