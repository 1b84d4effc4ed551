"""What of a frozen release is damaged, gone, or was added: named with what to do, and left as it is."""

import hashlib
from pathlib import Path

import pytest

from minemap_assets.lake.store import LocalStore
from minemap_assets.publication.releases.frozen import FrozenFile, Release, card_bytes
from minemap_assets.publication.releases.release_damage import BACK, Amount, release_damage

FILES = {"tables/polygons/2019/polygons.parquet": b"rows", "lineage.json": b"{}"}


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    """A lake with two releases."""
    store = LocalStore(tmp_path)
    for number in (1, 2):
        kept = [
            FrozenFile(path=path, bytes=len(data), sha256=hashlib.sha256(data).hexdigest())
            for path, data in FILES.items()
        ]
        told = {"by": "Ada", "at": "2026-01-01T00:00:00+00:00", "reason": "a test", "polygons": {}, "km2": {}}
        release = Release(number=number, files=tuple(kept), **told)
        for path, data in {**FILES, "release.json": card_bytes(release)}.items():
            store.write_bytes(f"{release.folder}/{path}", data)
    return store


def found(store: LocalStore) -> list[tuple[str, str]]:
    """Paths, and what is said of each after its path."""
    return [(path, said.removeprefix(f"{store.root}/{path} ")) for path, said in release_damage(store, Amount())]


def test_whole_releases_are_read_and_nothing_is_said(store: LocalStore) -> None:
    amount = Amount()
    assert list(release_damage(store, amount)) == []
    assert (amount.files, amount.bytes) == (4, 12)


def test_what_is_damaged_gone_or_added_is_named_and_left_there(store: LocalStore) -> None:
    polygons, lineage, more = (f"releases/2/{name}" for name in (*FILES, "tables/notes.txt"))
    store.write_bytes(polygons, b"r0ws")
    store.delete(lineage)
    store.write_bytes(more, b"mine")
    assert found(store) == [
        (lineage, f"is gone from its release: {BACK}"),
        (polygons, f"is not as it was frozen: {BACK}"),
        (more, "is not a part of release 2: remove it"),
    ]
    assert store.read_bytes(polygons) == b"r0ws"


def test_a_card_that_was_changed_or_is_gone_is_named(store: LocalStore) -> None:
    card = store.read_bytes("releases/1/release.json")
    store.write_bytes("releases/1/release.json", card.replace(b"Ada", b"Eve"))
    store.delete("releases/2/release.json")
    (first, changed), (second, gone) = found(store)
    assert (first, changed) == ("releases/1/release.json", f"is not as it was frozen: {BACK}")
    assert second == "releases/2/release.json"
    assert gone.startswith("is gone, or `minemap release freeze` was interrupted")


def test_only_paths_of_the_slice_are_looked_at(store: LocalStore) -> None:
    for number in (1, 2):
        store.write_bytes(f"releases/{number}/lineage.json", b"other")
    amount = Amount()
    paths = [path for path, _ in release_damage(store, amount, lambda path: path == "releases/2/lineage.json")]
    assert (paths, amount.files) == (["releases/2/lineage.json"], 1)
