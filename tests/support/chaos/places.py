"""Where a chain's lake lies, on disk or in an object store, and how to get at its bytes behind its back."""

import shutil
from pathlib import Path
from typing import Protocol

import obstore
from obstore.store import from_url

from chaos.holdings import MANIFEST, Holding, database, file_of, holding
from commands import DEMO, command
from minemap_assets.lake.object_store import ObjectStore
from minemap_assets.lake.store import LocalStore, Store
from tiny import Chain, at_work

UNDISTURBED = "undisturbed"


class Place(Protocol):
    """A kind of place. `expected` is what an undisturbed chain holds there, `rows` what its database does."""

    name: str
    expected: Holding
    rows: dict[str, str]

    def fresh(self, folder: Path) -> Chain:
        """A chain without anything yet, whose machine keeps its state in a folder."""

    def copied(self, folder: Path) -> Chain:
        """A copy of the undisturbed chain, in which every manifest is the last file of its partition."""

    def store(self, chain: Chain) -> Store:
        """The lake's bytes as they lie there."""

    def rewrite(self, chain: Chain, path: str, data: bytes) -> None:
        """Put other bytes in an object's place, past everything that watches over it."""

    def touch(self, chain: Chain, path: str) -> None:
        """Have an object look as if it had been written just now."""

    def staged(self, chain: Chain) -> list[str]:
        """Partitions that are being made, as `room~asset~keys`."""

    def mark(self, chain: Chain, path: str) -> object:
        """Something that is another one whenever the object was written again; None where there is none."""

    def discard(self, chain: Chain) -> None:
        """Remove a chain whole."""


class Disk:
    """Folders of this machine."""

    name = "disk"

    def __init__(self, undisturbed: Chain) -> None:
        self._undisturbed = undisturbed
        self.expected = holding(self.store(undisturbed))
        self.rows = database(undisturbed)

    @classmethod
    def made(cls, folder: Path) -> "Disk":
        """With a chain that is run to its end in a folder."""
        return cls(undisturbed(Chain(folder / UNDISTURBED)))

    def fresh(self, folder: Path) -> Chain:
        return Chain(folder)

    def copied(self, folder: Path) -> Chain:
        chain = self._undisturbed.copied(folder)
        for path in (folder / "lake").rglob(MANIFEST):
            path.touch()
        return chain

    def store(self, chain: Chain) -> Store:
        return LocalStore(chain.folder / "lake")

    def rewrite(self, chain: Chain, path: str, data: bytes) -> None:
        with file_of(chain, path).open("r+b") as handle:
            handle.write(data)
            handle.truncate()

    def touch(self, chain: Chain, path: str) -> None:
        file_of(chain, path).touch()

    def staged(self, chain: Chain) -> list[str]:
        return list(at_work(chain))

    def mark(self, chain: Chain, path: str) -> object:
        try:
            return file_of(chain, path).stat().st_ino
        except FileNotFoundError:
            return None

    def discard(self, chain: Chain) -> None:
        shutil.rmtree(chain.folder, ignore_errors=True)


class Bucket:
    """An object store, to which the environment leads; the folder of a chain is that of a machine that works there."""

    name = "object store"

    def __init__(self, url: str, undisturbed: Chain) -> None:
        self._url = url
        self._undisturbed = undisturbed
        self.expected = holding(self.store(undisturbed))
        self.rows = database(undisturbed)

    @classmethod
    def made(cls, url: str, folder: Path) -> "Bucket":
        """With a chain that is run to its end there."""
        return cls(url, undisturbed(Chain(folder / UNDISTURBED, home=f"{url}/{UNDISTURBED}")))

    @classmethod
    def filled(cls, url: str, folder: Path, disk: Chain) -> "Bucket":
        """With a chain that was made on disk and then uploaded, as people move their lakes."""
        chain = Chain(folder / UNDISTURBED, home=f"{url}/{UNDISTURBED}")
        shutil.copytree(disk.folder / "state", chain.folder / "state")
        to, root = from_url(chain.home, client_options={"allow_http": True}), disk.folder / "lake"
        paths = [path for path in root.rglob("*") if path.is_file()]
        for path in sorted(paths, key=lambda p: (p.name == MANIFEST, p)):
            obstore.put(to, path.relative_to(root).as_posix(), path)
        return cls(url, chain)

    def fresh(self, folder: Path) -> Chain:
        return Chain(folder, home=f"{self._url}/{folder.name}")

    def copied(self, folder: Path) -> Chain:
        shutil.copytree(self._undisturbed.folder, folder)
        chain = self.fresh(folder)
        objects, paths = self.store(chain), list(self.store(self._undisturbed).list(""))
        bucket = from_url(self._url, client_options={"allow_http": True})
        for path in sorted(paths, key=lambda p: (p.endswith(f"/{MANIFEST}"), p)):
            obstore.copy(bucket, f"{UNDISTURBED}/{path}", f"{folder.name}/{path}")
        assert len(list(objects.list(""))) == len(paths)
        return chain

    def store(self, chain: Chain) -> Store:
        return ObjectStore(chain.home, chain.folder / "looking")

    def rewrite(self, chain: Chain, path: str, data: bytes) -> None:
        self.store(chain).write_bytes(path, data)

    def touch(self, chain: Chain, path: str) -> None:
        store = self.store(chain)
        store.write_bytes(path, store.read_bytes(path))

    def staged(self, chain: Chain) -> list[str]:
        folder = chain.folder / "state" / "lake-cache" / "staging"
        return sorted(p.name for p in folder.glob("*~*") if p.suffix != ".lock")

    def mark(self, chain: Chain, path: str) -> object:
        found = self.store(chain).read_tagged(path)
        return None if found is None else found.tag

    def discard(self, chain: Chain) -> None:
        store = self.store(chain)
        for path in list(store.list("")):
            store.delete(path)
        shutil.rmtree(chain.folder, ignore_errors=True)


def undisturbed(chain: Chain) -> Chain:
    """Run a chain to its end."""
    end = command(chain, *DEMO)
    if end.code:
        raise RuntimeError(f"the undisturbed chain ended with {end.code}: {end.text}")
    return chain
