"""What a person took out of a partition to save space: it is gone on purpose, and the partition still counts as whole.

A note beside the manifest, `pruned.json`, names each file that was taken out with its checksum. Whoever reads such a
file finds it gone, as if it was damaged; from then on the note is gone too, and the partition is made again. So nothing
is fetched or computed because it was pruned, but because somebody needs it. A partition that is made again for another
reason loses the note with everything else that its manifest does not name.
"""

import json
from collections.abc import Iterable, Mapping

from minemap_assets.lake.manifests import Manifest, PartitionRef, StoredFile, parse_manifest
from minemap_assets.lake.partitions import MANIFEST
from minemap_assets.lake.store import Entry, Patience, Store, read_if_there

PRUNED = "pruned.json"


def pruned_files(store: Store, ref: PartitionRef, entries: Mapping[str, Entry] | None = None) -> dict[str, str]:
    """Checksums of the files that were taken out of a partition, by their paths in it; empty where none were.

    `entries` is a listing of the partition's folder, where there is one: then a partition that was never pruned costs
    no request. A note that cannot be read says nothing, so that what it named counts as damaged.
    """
    path = f"{ref.prefix}/{PRUNED}"
    if entries is not None and path not in entries:
        return {}
    data = read_if_there(store, path)
    if data is None:
        return {}
    try:
        files = json.loads(data)["files"]
        return {str(name): str(checksum) for name, checksum in files.items()}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}


def forget_pruned(store: Store, ref: PartitionRef, paths: Iterable[str]) -> None:
    """Where any of these files was taken out on purpose, it is wanted now: the note goes, and they count as gone."""
    if set(paths) & set(pruned_files(store, ref)):
        store.delete(f"{ref.prefix}/{PRUNED}")


def take_out(store: Store, manifest: Manifest, files: Iterable[StoredFile], patience: Patience | None = None) -> bool:
    """Delete files of a partition for good, and note that this was meant. False where the partition changed meanwhile.

    The note is written first: who is killed in between leaves files that lie there as they were published. Raises
    `BusyError` where somebody else writes the partition for longer than `patience` allows, and `DamagedError` where its
    manifest cannot be read any more.
    """
    ref, chosen = manifest.ref, list(files)
    with store.writing(), store.claim(ref.prefix.replace("/", "~"), patience or Patience()):
        data = read_if_there(store, f"{ref.prefix}/{MANIFEST}")
        if data is None or parse_manifest(data, ref, store.root).files != manifest.files:
            return False
        noted = pruned_files(store, ref) | {stored.path: stored.sha256 for stored in chosen}
        store.write_bytes(f"{ref.prefix}/{PRUNED}", json.dumps({"files": noted}, sort_keys=True).encode())
        for stored in chosen:
            store.delete(f"{ref.prefix}/{stored.path}")
    return True
