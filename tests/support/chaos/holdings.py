"""What really lies in a lake, byte by byte, and how that differs from what should lie there."""

import hashlib
import json
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import duckdb

from minemap_assets.errors import MinemapError, NotFoundError
from minemap_assets.lake.input_history import HISTORY
from minemap_assets.lake.manifests import Manifest, PartitionRef, parse_manifest
from minemap_assets.lake.store import Store
from tiny import Chain

MANIFEST = "manifest.json"
PROMOTION = "inputs/promotion.json"


@dataclass(frozen=True)
class Holding:
    """Checksums of the bytes that lie there: of every file that a manifest names, by partition and name, and of inputs.

    `origins` says what each partition was made from. `faults` tells in a sentence each what contradicts a manifest.
    """

    partitions: Mapping[str, Mapping[str, str]]
    origins: Mapping[str, tuple[str, ...]]
    inputs: Mapping[str, str]
    faults: tuple[str, ...]

    def against(self, expected: "Holding") -> list[str]:
        """A sentence for everything that is otherwise than expected."""
        told = list(self.faults)
        for prefix in sorted({*self.partitions, *expected.partitions}):
            here, there = self.partitions.get(prefix), expected.partitions.get(prefix)
            if here is None or there is None:
                told.append(f"{prefix}/ is {'gone' if here is None else 'more than there should be'}")
                continue
            names = sorted(name for name in {*here, *there} if here.get(name) != there.get(name))
            told += [f"{prefix}/ has other bytes as {name}" for name in names]
            if self.origins[prefix] != expected.origins[prefix]:
                told.append(f"{prefix}/ was made from something else")
        paths = {*self.inputs, *expected.inputs}
        told += [f"{path} differs" for path in sorted(paths) if self.inputs.get(path) != expected.inputs.get(path)]
        return told


def holding(store: Store) -> Holding:
    """Read the whole lake."""
    partitions: dict[str, dict[str, str]] = {}
    origins: dict[str, tuple[str, ...]] = {}
    faults: list[str] = []
    for manifest in manifests(store, faults):
        prefix = manifest.ref.prefix
        partitions[prefix] = {}
        origins[prefix] = (manifest.fingerprint, *(f"{name} {content}" for name, content in manifest.inputs.items()))
        for stored in manifest.files:
            try:
                found = sha256(store.read_bytes(f"{prefix}/{stored.path}"))
            except NotFoundError:
                faults.append(f"{prefix}/{stored.path} is named and not there")
                continue
            partitions[prefix][stored.name] = found
            if found != stored.sha256:
                faults.append(f"{prefix}/{stored.path} is not what its manifest says")
    inputs: dict[str, str] = {}
    for path in store.list("inputs"):
        data = store.read_bytes(path)
        if not path.startswith(HISTORY):
            inputs[path] = sha256(_without_times(data) if path == PROMOTION else data)
        elif not path.endswith("-removed") and not path.endswith(sha256(data)[:16]):
            faults.append(f"{path} is not the version that its name says")
    return Holding(partitions, origins, inputs, tuple(faults))


def manifests(store: Store, faults: list[str]) -> list[Manifest]:
    """Every manifest that can be read; a sentence in `faults` for the others."""
    found = []
    for path in store.list(""):
        parts = path.split("/")
        if parts[-1] != MANIFEST or parts[0].startswith(".") or parts[0] == "inputs":
            continue
        ref = PartitionRef(parts[0], parts[1], tuple(parts[2:-1]))
        try:
            found.append(parse_manifest(store.read_bytes(path), ref, store.root))
        except MinemapError as error:
            faults.append(str(error))
    return found


def left_behind(chain: Chain) -> list[str]:
    """Files on their way that nobody carries any more."""
    folders = (chain.folder / "lake", chain.folder / "state", chain.folder / "state" / "lake-cache")
    named = [folder / name for folder in folders for name in (".staging", "staging")]
    return [f"{path} was left behind" for folder in named if folder.is_dir() for path in sorted(folder.iterdir())]


def database(chain: Chain) -> dict[str, str]:
    """A checksum for each table of this machine's database."""
    with closing(duckdb.connect(str(chain.folder / "state" / "minemap.duckdb"), read_only=True)) as opened:
        names = sorted(str(row[0]) for row in opened.execute("SELECT table_name FROM duckdb_tables()").fetchall())
        rows = {name: opened.execute(f'SELECT * FROM "{name}" ORDER BY ALL').fetchall() for name in names}
    return {name: sha256(repr(found).encode()) for name, found in rows.items()}


def sha256(data: bytes) -> str:
    """Of bytes, as hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def file_of(chain: Chain, path: str) -> Path:
    """Where an object of a lake on disk lies."""
    return chain.folder / "lake" / path


def _without_times(data: bytes) -> bytes:
    """Decisions without who made them and when."""
    try:
        made = json.loads(data)["promotions"]
        return json.dumps([[one["version"], one["note"]] for one in made]).encode()
    except (ValueError, TypeError, KeyError):
        return data
