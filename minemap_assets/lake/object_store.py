"""A lake's bytes in an object store such as S3, with whole objects cached on this machine.

`obstore` takes credentials and addresses from the environment (`AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT_URL` and the like).

An object appears at once or not at all, so a put is a publication. Reading goes through local copies, because rasters,
Zarr and Parquet are opened as files; a copy is kept as long as the object's ETag stays the same, nobody finds it
damaged, and there is room.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from pathlib import Path

import obstore

from minemap_assets.errors import NotFoundError, RetryableError
from minemap_assets.lake.bucket import Bucket
from minemap_assets.lake.copies import CACHE_BYTES, Copies
from minemap_assets.lake.disk_errors import storage_errors
from minemap_assets.lake.leases import LeaseTimes, leased, place_of
from minemap_assets.lake.locks import Wait
from minemap_assets.lake.store import Entry, Patience, Tagged, described
from minemap_assets.lake.workspaces import workspace

LEASES = ".leases"


class ObjectStore:
    """Objects under a URL prefix; `folder` holds copies and files on their way.

    `cache_bytes` is how much its copies may take before those used longest ago go; None keeps all.
    """

    def __init__(
        self, url: str, folder: Path, *, cache_bytes: int | None = CACHE_BYTES, times: LeaseTimes | None = None
    ) -> None:
        self._folder = folder
        self._brisk = Bucket(url, brisk=True)
        self._copies = Copies(folder, cache_bytes)
        self._times = times or LeaseTimes()

    @property
    def root(self) -> str:
        """The URL prefix."""
        return self._brisk.url

    @cached_property
    def _bucket(self) -> Bucket:
        """Patient with a store that was there once; one that never was is told of within seconds."""
        self._brisk.greet()
        return Bucket(self.root)

    @property
    def excludes(self) -> bool:
        """A lease is lost by a machine that stands still for too long."""
        return False

    def staging(self) -> Path:
        """A local folder for files on their way."""
        folder = self._folder / "staging"
        with self.writing():
            folder.mkdir(parents=True, exist_ok=True)
        return folder

    def writing(self) -> AbstractContextManager[None]:
        """Errors of this machine's disk as one sentence."""
        return storage_errors(self._folder, "MINEMAP_STATE")

    @contextmanager
    def claim(self, name: str, patience: Patience) -> Iterator[Path]:
        """A lock file among this machine's processes, and a lease among machines.

        Raises `ConflictError` at the end where another machine took the lease over meanwhile.
        """
        wait = Wait(described(name, self.root), patience.seconds, patience.waiting)
        folder = self.staging()
        with (
            self.writing(),
            workspace(folder, name, wait) as place,
            leased(self._bucket, f"{LEASES}/{name}.json", place_of(folder), wait, self._times, self._brisk),
        ):
            yield place

    def using(self) -> AbstractContextManager[None]:
        """Copies that are fetched in this context stay until its end."""
        return self._copies.using()

    def put(self, local: Path, path: str) -> str:
        """Upload a file, and keep it here as the object's copy."""
        size = local.stat().st_size
        tag = self._bucket.write(path, lambda: obstore.put(self._bucket.objects, path, local))["e_tag"] or ""
        with self.writing():
            begin = self._copies.begin()
            with self._copies.at(path) as copy:
                copy.exchange(local, tag)
                copy.use(begin)
            self._copies.grown(size)
        return tag

    def fetch(self, path: str) -> Path:
        """The local copy, fetched anew where the object changed."""
        tag = self._bucket.ask(path, lambda: obstore.head(self._bucket.objects, path))["e_tag"] or ""
        added = 0
        with self.writing():
            begin = self._copies.begin()
            with self._copies.at(path) as copy:
                if not copy.shows(tag):
                    with workspace(self.staging()) as scratch:
                        part = scratch / "object"
                        tag = self._bucket.ask(path, lambda: self._download(path, part))
                        added = part.stat().st_size
                        copy.exchange(part, tag)
                copy.use(begin)
            if added:
                self._copies.grown(added)
        return copy.path

    def forget(self, path: str) -> None:
        """The next `fetch` gets the object anew; whoever reads the copy now keeps it until then."""
        with self.writing():
            self._copies.forget(path)

    def _download(self, path: str, target: Path) -> str:
        found = obstore.get(self._bucket.objects, path)
        with target.open("wb") as handle:
            for chunk in found.stream():
                handle.write(chunk)
            if handle.tell() != found.meta["size"]:
                raise RetryableError(
                    f"{self.root}/{path} broke off after {handle.tell()} of {found.meta['size']} bytes"
                )
        return found.meta["e_tag"] or ""

    def copy(self, path: str, to: str) -> None:
        """Copy an object within the store."""
        self._bucket.ask(path, lambda: obstore.copy(self._bucket.objects, path, to))

    def move(self, path: str, to: str) -> None:
        """Copy an object within the store, then delete it: for a moment it is in both places."""
        self.copy(path, to)
        self.delete(path)

    def size(self, path: str) -> int | None:
        """Bytes of an object; None where there is none."""
        try:
            return int(self._bucket.ask(path, lambda: obstore.head(self._bucket.objects, path))["size"])
        except NotFoundError:
            return None

    def entries(self, prefix: str) -> dict[str, Entry]:
        """All objects below a folder, by path, sorted, with the store's own time of their last change."""

        def pages() -> dict[str, Entry]:
            return {
                str(item["path"]): Entry(
                    int(item["size"]), round(item["last_modified"].timestamp() * 1e6) * 1000, item["e_tag"] or ""
                )
                for page in obstore.list(self._bucket.objects, prefix=prefix)
                for item in page
            }

        return dict(sorted(self._bucket.ask(prefix, pages).items()))

    def confirm(self, path: str) -> None:
        """An object's time changes with its bytes only."""

    def read_bytes(self, path: str) -> bytes:
        """The object's bytes."""
        return self._bucket.ask(path, lambda: bytes(obstore.get(self._bucket.objects, path).bytes()))

    def read_tagged(self, path: str) -> Tagged | None:
        """The object's bytes and its ETag."""
        return self._bucket.read_tagged(path)

    def write_bytes(self, path: str, data: bytes) -> None:
        """Write a small object."""
        self._bucket.write(path, lambda: obstore.put(self._bucket.objects, path, data))

    def write_if(self, path: str, data: bytes, tag: str | None) -> str:
        """Have the store compare the ETag and write, at once.

        Where the object has these bytes already, whoever wrote them, that is a success. Raises `BadInputError` where
        the store knows no such condition.
        """
        return self._bucket.write_if(path, data, tag)

    def list(self, prefix: str) -> Iterator[str]:
        """Paths of all objects below a folder, sorted."""
        yield from self.entries(prefix)

    def delete(self, path: str) -> None:
        """Remove an object and its local copy."""
        try:
            self._bucket.ask(path, lambda: obstore.delete(self._bucket.objects, path))
        except NotFoundError:
            return
        with self.writing():
            self._copies.drop(path)
