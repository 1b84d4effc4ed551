"""Making one asset partition: its files are collected aside, and become visible together with their manifest."""

import contextlib
import json
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath

from minemap_assets.errors import BadInputError, ConflictError, NotFoundError
from minemap_assets.lake.checksums import CHECKSUMS
from minemap_assets.lake.manifests import (
    Manifest,
    Outcome,
    PartitionRef,
    StoredFile,
    file_sha256,
    manifest_bytes,
)
from minemap_assets.lake.marked_names import MarkedName, is_marked, marked, signed
from minemap_assets.lake.partitions import MANIFEST, Examine, Partition
from minemap_assets.lake.store import Patience, Store
from minemap_assets.lake.trash import Trash


@dataclass(frozen=True)
class WriteRules:
    """What holds for one commit.

    A partition may not lose more than the share `most_dropped` of its items (0 to 1). What was `fetched` goes to the
    trash when it is replaced too, because it may not be there to be fetched again. With `anew` nothing of an earlier
    run is adopted, not even what is as it should be. `patience` is for another writer of the same partition, and `told`
    hears in a sentence what was moved.
    """

    most_dropped: float = 1.0
    fetched: bool = False
    anew: bool = False
    patience: Patience = field(default_factory=Patience)
    told: Callable[[str], None] = lambda _: None


@dataclass(frozen=True)
class Base:
    """What lay there when a writer began: the manifest and its tag, and all files with when they last changed."""

    manifest: Manifest | None = None
    tag: str | None = None
    files: Mapping[str, int] = field(default_factory=dict)

    @property
    def named(self) -> frozenset[str]:
        """Paths that the manifest names."""
        return frozenset(f.path for f in self.manifest.files) if self.manifest is not None else frozenset()


class PartitionWriter:
    """Collects the files of one partition; nothing is visible to readers before `commit`.

    Where a claim may be lost to another writer (`Store.excludes`), every name carries a mark of this writer, so that no
    two writers ever write or remove the same object, and the manifest is put on condition that it is still the one that
    this writer began from: so one of two writers wins, and the other removes its own files only.
    """

    def __init__(
        self,
        store: Store,
        ref: PartitionRef,
        print_: str,
        staging: Path,
        base: Base | None = None,
        rules: WriteRules | None = None,
    ) -> None:
        self._store = store
        self._base = base or Base()
        self._rules = rules or WriteRules()
        self._files: dict[str, StoredFile] = {}
        self._plain: dict[str, Path] = {}
        self._own: set[str] = set()
        self._staging = staging
        self._nonce = "" if store.excludes else secrets.token_hex(3)
        self._trash = Trash(store)
        self._latest: dict[str, str] = {}
        self.ref = ref
        self.fingerprint = print_

    @property
    def known(self) -> Manifest | None:
        """The manifest that is to be replaced; None for a new partition."""
        return self._base.manifest

    def path(self, name: str) -> Path:
        """A staging path to write the file (or folder) `name` at, before `add`."""
        target = self._staging / name
        target.parent.mkdir(parents=True, exist_ok=True)
        return target

    def add(self, name: str, *, content_key: str | None = None) -> None:
        """Take over the staged file or folder `name`.

        With `content_key`, the fingerprint of this one file, it is published at once under a name that carries it and
        the start of its checksum, and a later run may `reuse` it. Folders are published under the partition's
        fingerprint. Other files wait for the commit, so that until then the old partition stays as its manifest
        describes it.
        """
        staged = self._staging / name
        if staged.is_dir():
            root = self._own_name(name, self.fingerprint)
            for path in sorted(p for p in staged.rglob("*") if p.is_file()):
                inner = path.relative_to(staged).as_posix()
                self._publish(_describe(path, f"{name}/{inner}", f"{root}/{inner}"), path)
            shutil.rmtree(staged)
        elif content_key:
            stored = _describe(staged, name, name)
            marked = self._own_name(name, content_key, stored.sha256)
            self._publish(stored.model_copy(update={"path": marked}), staged)
            self._outdate(name, content_key, marked)
        else:
            self._plain[name] = staged
            self._files[name] = _describe(staged, name, name)

    def _outdate(self, name: str, content_key: str, latest: str) -> None:
        """Remove what was published before under the same fingerprint, such as an earlier checkpoint.

        Where a claim may be lost, only this writer's own: another one may still name the others.
        """
        item = marked(name, content_key)
        others = [self._latest[item]] if item in self._latest else []
        if self._store.excludes:
            others += [one.path for one in self._left_over.pop(item, ())]
        for path in others:
            if path != latest:
                self._store.delete(f"{self.ref.prefix}/{path}")
                self._own.discard(path)
        self._latest[item] = latest

    def write(self, name: str, put: Callable[[Path], object]) -> None:
        """Have a file written at its staging path, and add it."""
        put(self.path(name))
        self.add(name)

    def reuse(self, name: str, content_key: str) -> Path | None:
        """Adopt a file published by an earlier run under the same fingerprint, or thrown away since; None without one.

        One whose checksum is not what the last manifest or its own name says was damaged, and is not adopted.
        """
        if self._rules.anew:
            return None
        return next((path for one in self._known_under(name, content_key) if (path := self._adopt(name, one))), None)

    def _known_under(self, name: str, content_key: str) -> Iterator["_Known"]:
        """Files that may be adopted: what the manifest names, what lies unnamed in the folder, what is in the trash."""
        item, stored = marked(name, content_key), self._named.get(name)
        if stored is not None and stored.path.startswith(marked(name, content_key, suffix=False)):
            yield _Known(stored.path, stored.sha256, named=True, tag=stored.tag)
        yield from self._left_over.get(item, ())
        yield from self._thrown_away.get(item, ())

    @cached_property
    def _named(self) -> dict[str, StoredFile]:
        return {f.name: f for f in self._base.manifest.files} if self._base.manifest is not None else {}

    @cached_property
    def _left_over(self) -> dict[str, list["_Known"]]:
        """Unnamed files by what they were made for, the newest first."""
        paths = set(self._base.files) - self._base.named
        return _by_item(sorted(paths, key=lambda path: (-self._base.files[path], path)))

    @cached_property
    def _thrown_away(self) -> dict[str, list["_Known"]]:
        prefix = f"{self.ref.prefix}/"
        return _by_item([path.removeprefix(prefix) for path in self._trash.below(self.ref.prefix)], in_trash=True)

    def _adopt(self, name: str, one: "_Known") -> Path | None:
        """Take a file over, where it is what it should be. Another writer may remove it at the same time."""
        path = one.path
        try:
            if one.in_trash or not (one.named or self._store.excludes):
                path = self._brought_here(one)
            local = self._store.fetch(f"{self.ref.prefix}/{path}")
            checksum = CHECKSUMS.of(local)
        except (NotFoundError, FileNotFoundError):
            return None
        if not checksum.startswith(one.checksum):
            self._rules.told(f"{self.ref}: {one.path} is damaged and is not used")
            return None
        size = local.stat().st_size
        self._files[name] = StoredFile(name=name, path=path, bytes=size, sha256=checksum, tag=one.tag)
        return local

    def _brought_here(self, one: "_Known") -> str:
        """Put a file where this writer may name it: under a name of its own where another one may remove the first."""
        full = f"{self.ref.prefix}/{one.path}"
        if self._store.excludes:
            self._trash.take_back(full, full)
            return one.path
        own = signed(one.path, self._nonce)
        self._store.copy(self._trash.path(full) if one.in_trash else full, f"{self.ref.prefix}/{own}")
        self._own.add(own)
        return own

    def drop(self, name: str) -> None:
        """Forget a file that was adopted or added; it is removed after the commit."""
        self._files.pop(name, None)
        self._plain.pop(name, None)

    def published(self, name: str) -> Path:
        """Local path of a file that this writer added."""
        if name in self._plain:
            return self._plain[name]
        return self._store.fetch(f"{self.ref.prefix}/{self._files[name].path}")

    def _publish(self, stored: StoredFile, local: Path) -> None:
        path = f"{self.ref.prefix}/{stored.path}"
        self._own.add(stored.path)
        tag = self._store.put(local, path)
        if self._store.excludes:
            CHECKSUMS.learn(self._store.fetch(path), stored.sha256)
        self._files[stored.name] = stored.model_copy(update={"tag": tag})

    def _own_name(self, name: str, *marks: str) -> str:
        return marked(name, *marks, *([self._nonce] if self._nonce else []))

    def commit(
        self,
        code_version: str,
        inputs: Mapping[str, str],
        outcome: Outcome,
        examine: Examine | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> Manifest:
        """Examine what was made, publish it with its manifest, then remove what the manifest does not name.

        `settings` is what the manifest tells people of them.

        Raises `BadInputError` where too many items would be lost, and `ConflictError` where another writer published
        the partition meanwhile: then nothing has changed.
        """
        self._refuse_losses(outcome)
        if not self._store.excludes:
            self._publish_plain()
        manifest = Manifest(
            room=self.ref.room,
            asset=self.ref.asset,
            keys=self.ref.keys,
            fingerprint=self.fingerprint,
            code_version=code_version,
            inputs=dict(sorted(inputs.items())),
            settings=dict(sorted((settings or {}).items())),
            files=tuple(self._files[name] for name in sorted(self._files)),
            missing=tuple(outcome.missing),
            summary=json.loads(json.dumps(dict(outcome.summary), sort_keys=True)),
            commit=self._nonce,
        )
        if examine is not None:
            rejected = tuple(examine(Partition(self._store, manifest, self._plain)))
            manifest = manifest.model_copy(update={"rejected": rejected})
        text = manifest_bytes(manifest)
        if self._store.excludes:
            self._replace(text)
        else:
            self._replace_if_unchanged(text)
        self._clean_up(manifest)
        return manifest

    def _refuse_losses(self, outcome: Outcome) -> None:
        """Raises `BadInputError` where more of the old items are gone than the rules allow.

        What failed and is tried again by the next run is not lost: until then it lies in the trash.
        """
        known = self._base.manifest
        old = sorted(f.name for f in known.files if f.is_item) if known is not None else []
        again = {missing.item for missing in outcome.missing if missing.retry}
        gone = [name for name in old if name not in self._files and PurePosixPath(name).stem not in again]
        if not gone or len(gone) <= self._rules.most_dropped * len(old):
            return
        reasons = {missing.item: missing.reason for missing in outcome.missing}
        why = reasons.get(PurePosixPath(gone[0]).stem, "it is no longer asked for")
        raise BadInputError(
            f"{self.ref} would lose {len(gone)} of its {len(old)} files, such as {gone[0]} ({why}); nothing was "
            "removed: restore the input that changed (`minemap inputs list`), or, if this is meant, run again with "
            "--accept-losses"
        )

    def _publish_plain(self) -> None:
        """Give files with plain names names of their own too: nothing is written over where a claim may be lost."""
        for name, local in sorted(self._plain.items()):
            stored = self._files[name]
            self._publish(stored.model_copy(update={"path": self._own_name(name, stored.sha256)}), local)
        self._plain.clear()

    def _replace(self, text: bytes) -> None:
        """Put files with plain names and the manifest in the place of the old ones.

        An old manifest goes first where it would name other bytes than the ones that lie there: so no reader, and no
        run after a crash, takes a mixture for whole. By then every byte of the new partition is written.
        """
        local, place = self.path(MANIFEST), f"{self.ref.prefix}/{MANIFEST}"
        local.write_bytes(text)
        stored = [self._files[name] for name in sorted(self._plain)]
        known = self._base.manifest
        before = {f.path: f.sha256 for f in known.files} if known is not None else {}
        if any(before.get(f.path, f.sha256) != f.sha256 for f in stored):
            self._store.delete(place)
        for file in stored:
            self._publish(file, self._plain[file.name])
        self._store.put(local, place)

    def _replace_if_unchanged(self, text: bytes) -> None:
        """Put the manifest where the one that this writer began from still stands; else remove what it wrote."""
        try:
            self._store.write_if(f"{self.ref.prefix}/{MANIFEST}", text, self._base.tag)
        except ConflictError as error:
            for path in sorted(self._own):
                self._store.delete(f"{self.ref.prefix}/{path}")
            raise ConflictError(
                f"another run published {self.ref} meanwhile, and its result stays; run this again to see whether "
                "anything is left to do"
            ) from error

    def _clean_up(self, manifest: Manifest) -> None:
        """Remove what the manifest does not name: all of it under a lasting claim, else only what nobody may name.

        Without a lasting claim that is what lay there when this writer began, and its own: whoever wrote it began from
        an older manifest and can no longer publish; whoever began since has files that were not there then.
        """
        prefix, named = self.ref.prefix, {f.path for f in manifest.files} | {MANIFEST}
        if self._store.excludes:
            paths = {path.removeprefix(f"{prefix}/") for path in self._store.list(prefix)}
        else:
            paths = set(self._base.files) | self._own
        names = {f.name for f in manifest.files}
        dropped = {f.path for f in self._named.values() if f.is_item and f.name not in names}
        kept = [path for path in sorted(paths - named) if self._discard(path, path in dropped)]
        if kept:
            self._rules.told(
                f"{self.ref}: {len(kept)} files that it no longer holds lie in the trash, which `minemap prune` empties"
            )

    def _discard(self, path: str, dropped: bool) -> bool:
        """Throw away or delete a file, of an item that was `dropped` or not; True where it was thrown away."""
        full = f"{self.ref.prefix}/{path}"
        if dropped or (self._rules.fetched and is_marked(path)):
            with contextlib.suppress(NotFoundError):
                self._trash.throw(full)
                return True
        self._store.delete(full)
        return False


@dataclass(frozen=True)
class _Known:
    """A file that may be adopted: its path in the partition, and the start of the checksum that it should have."""

    path: str
    checksum: str
    named: bool = False
    in_trash: bool = False
    tag: str = ""


def _by_item(paths: Sequence[str], *, in_trash: bool = False) -> dict[str, list[_Known]]:
    found: dict[str, list[_Known]] = {}
    for path in paths:
        name = MarkedName.parse(path)
        if name is not None:
            found.setdefault(name.item, []).append(_Known(path, name.checksum, in_trash=in_trash))
    return found


def _describe(local: Path, name: str, path: str) -> StoredFile:
    return StoredFile(name=name, path=path, bytes=local.stat().st_size, sha256=file_sha256(local))
