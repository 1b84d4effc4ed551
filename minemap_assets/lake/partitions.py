"""One asset partition's files as they were published: every byte that is read for work has been checked."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from minemap_assets.errors import NotFoundError
from minemap_assets.lake.checksums import CHECKSUMS
from minemap_assets.lake.manifests import DamagedError, Manifest, StoredFile
from minemap_assets.lake.store import Store

MANIFEST = "manifest.json"


class Partition:
    """Read access to a published partition, or to one about to be, whose `staged` files are not in the store yet.

    A file is handed out only with the checksum that the manifest states; each is read once for that, for as long as it
    stays as it is.
    """

    def __init__(self, store: Store, manifest: Manifest, staged: Mapping[str, Path] | None = None) -> None:
        self._store = store
        self._staged = staged or {}
        self.manifest = manifest

    def names(self) -> tuple[str, ...]:
        """Logical names of all files."""
        return tuple(f.name for f in self.manifest.files)

    def file(self, name: str) -> Path:
        """A local path of one file. Raises `NotFoundError`, and `DamagedError` where it is not what was published."""
        if name in self._staged:
            return self._staged[name]
        for stored in self.manifest.files:
            if stored.name == name:
                return self._checked([stored])[0]
        raise NotFoundError(f"{self.manifest.ref} holds no file {name}")

    def tree(self, name: str) -> Path:
        """A local folder with all files whose names start with `name/`. Raises as `file` does."""
        inside = [f for f in self.manifest.files if f.name.startswith(f"{name}/")]
        if not inside:
            raise NotFoundError(f"{self.manifest.ref} holds no folder {name}")
        last = self._checked(inside)[-1]
        depth = len(PurePosixPath(inside[-1].name).parts) - len(PurePosixPath(name).parts)
        return last.parents[depth - 1]

    def _checked(self, files: Sequence[StoredFile]) -> list[Path]:
        """Local paths of files that are as they were published."""
        paths = [self._fetch(stored) for stored in files]
        try:
            found = CHECKSUMS.of_all(paths)
        except FileNotFoundError as error:
            raise DamagedError(self.manifest.ref, f"{error.filename} is gone") from error
        for n, stored in enumerate(files):
            if found[n] != stored.sha256:
                paths[n] = self._fetch_again(stored)
        return paths

    def _fetch(self, stored: StoredFile) -> Path:
        ref = self.manifest.ref
        try:
            return self._store.fetch(f"{ref.prefix}/{stored.path}")
        except NotFoundError as error:
            raise DamagedError(ref, f"{self._store.root}/{ref.prefix}/{stored.path} is gone", stored.path) from error

    def _fetch_again(self, stored: StoredFile) -> Path:
        """A copy on this machine may be what is damaged, and not the object itself."""
        ref = self.manifest.ref
        path = f"{ref.prefix}/{stored.path}"
        self._store.forget(path)
        local = self._fetch(stored)
        if CHECKSUMS.of(local) != stored.sha256:
            raise DamagedError(
                ref, f"{self._store.root}/{path} is damaged: its checksum is not the one it was made with", stored.path
            )
        return local


Examine = Callable[[Partition], Sequence[str]]
"""Says in one sentence each which checks a partition fails; called before it is published."""
