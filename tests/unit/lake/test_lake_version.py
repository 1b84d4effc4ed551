"""The lake's layout: newer and older ones are refused before anything is written, and older ones are migrated."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from minemap_assets.errors import BusyError, StorageError
from minemap_assets.lake.lake import Lake
from minemap_assets.lake.lake_version import MARKER, Migration, check_layout, mark, migrate, stated_layout
from minemap_assets.lake.manifests import LAYOUT_VERSION, PartitionRef
from minemap_assets.lake.object_store import ObjectStore
from minemap_assets.lake.store import LocalStore, Patience, Store
from projects import home_at
from servers.object_storage import storage

REF = PartitionRef("imagery", "imagery", ("alder", "2019"))


@pytest.fixture(params=["folder", pytest.param("bucket", marks=pytest.mark.integration)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "folder":
        yield LocalStore(tmp_path / "home")
        return
    with storage() as bucket:
        yield ObjectStore(f"{bucket.url}/lake", tmp_path / "state")


def everything(store: Store) -> dict[str, bytes]:
    return {path: store.read_bytes(path) for path in store.list("") if not path.startswith((".staging", ".leases"))}


def steps(log: list[int], last: int = 3) -> list[Migration]:
    def step(to: int) -> Migration:
        return Migration(to, f"to {to}", lambda store: (log.append(to), store.write_bytes(f"{to}.txt", b"x"))[1])

    return [step(to) for to in range(2, last + 1)]


def test_a_new_lake_is_of_this_layout_and_says_so_once_it_is_written_to(store: Store, tmp_path: Path) -> None:
    assert check_layout(store) == 0
    assert check_layout(store, 7) == 0
    lake = Lake(store, tmp_path / "state")
    with lake.writer(REF, "print"):
        pass
    assert json.loads(store.read_bytes(MARKER)) == {"layout": LAYOUT_VERSION}
    assert lake.check() == LAYOUT_VERSION


def test_a_newer_lake_is_refused_before_anything_is_written(store: Store, tmp_path: Path) -> None:
    store.write_bytes(MARKER, json.dumps({"layout": LAYOUT_VERSION + 1}).encode())
    store.write_bytes("inputs/minemap.toml", b"")
    before = everything(store)
    lake = Lake(store, tmp_path / "state")
    newer = r"was written by a newer minemap .*; update minemap"
    with pytest.raises(StorageError, match=newer):
        lake.check()
    with pytest.raises(StorageError, match=newer), lake.writer(REF, "print"):
        pass
    with pytest.raises(StorageError, match=newer):
        migrate(store)
    assert everything(store) == before


def test_a_project_on_a_newer_lake_is_not_opened(tmp_path: Path) -> None:
    home = home_at(tmp_path / "home", tmp_path / "state")
    home.lake.store.write_bytes(MARKER, json.dumps({"layout": LAYOUT_VERSION + 1}).encode())
    with pytest.raises(StorageError, match="was written by a newer minemap"):
        home.open()


@pytest.mark.parametrize("marked", [True, False])
def test_an_older_lake_is_refused_until_it_is_migrated(store: Store, marked: bool) -> None:
    store.write_bytes("inputs/minemap.toml", b"")
    if marked:
        mark(store, 1)
    before = everything(store)
    for refused in (check_layout, mark):
        with pytest.raises(StorageError, match=r"was written by an older minemap .*`minemap migrate`"):
            refused(store, 3)
    assert everything(store) == before
    log: list[int] = []
    assert [step.to for step in migrate(store, 3, steps(log))] == log == [2, 3]
    assert check_layout(store, 3) == 3
    assert migrate(store, 3, steps(log)) == []
    assert log == [2, 3]


def test_a_migration_that_broke_off_goes_on(store: Store) -> None:
    mark(store, 1)
    log: list[int] = []

    def breaks(step: Migration) -> None:
        if step.to == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        migrate(store, 3, steps(log), breaks)
    assert (log, stated_layout(store)) == ([2], 2)
    migrate(store, 3, steps(log))
    assert (log, stated_layout(store)) == ([2, 3], 3)


def test_only_one_migrates_and_only_along_a_way_that_is_known(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "home")
    mark(store, 1)
    with store.claim("migration", Patience()), pytest.raises(BusyError):
        migrate(store, 3, steps([]))
    with pytest.raises(StorageError, match="knows no way to layout 4; update it with a minemap in between"):
        migrate(store, 4, steps([]))
    assert stated_layout(store) == 1


def test_migrating_a_lake_without_the_file_says_which_layout_it_has(store: Store) -> None:
    store.write_bytes("inputs/minemap.toml", b"")
    assert migrate(store) == []
    assert stated_layout(store) == LAYOUT_VERSION


@pytest.mark.parametrize("text", ["", "{", "[]", '{"layout": "2"}', '{"layout": -1}', '{"layout": true}', "{}"])
def test_a_file_that_cannot_be_read_stops_everything(tmp_path: Path, text: str) -> None:
    store = LocalStore(tmp_path / "home")
    store.write_bytes(MARKER, text.encode())
    for refused in (check_layout, mark, migrate):
        with pytest.raises(StorageError, match="cannot be read; restore it"):
            refused(store)
    assert store.read_bytes(MARKER) == text.encode()
