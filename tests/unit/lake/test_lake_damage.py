"""Damage: what is read for work is what was published, or it is noticed; what is noticed is made again."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minemap_assets.errors import StorageError
from minemap_assets.lake.lake import Lake, build_partition
from minemap_assets.lake.manifests import DamagedError, Outcome, PartitionRef, StoredFile
from minemap_assets.lake.store import Entry, LocalStore
from minemap_assets.lake.writer import PartitionWriter, WriteRules

REF = PartitionRef("chips", "chips", ("alder", "2019"))
KEY = "a" * 64


def build(writer: PartitionWriter) -> Outcome:
    """A plain file, a folder of two, and an item."""
    for inner in ("one", "two"):
        path = writer.path(f"tree/{inner}")
        path.write_bytes(inner.encode() * 100)
    writer.add("tree")
    writer.write("plain.parquet", lambda path: path.write_bytes(b"plain" * 100))
    writer.path("m1.tif").write_bytes(b"raster" * 100)
    writer.add("m1.tif", content_key=KEY)
    return Outcome()


def make(lake: Lake, **more: object) -> bool:
    return build_partition(lake, REF, code_version="1", config={}, inputs={}, build=build, **more)[1]  # type: ignore[arg-type]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake.local(tmp_path / "home", tmp_path / "state")
    make(lake)
    return lake


def files(lake: Lake) -> dict[str, Path]:
    manifest = lake.manifest(REF)
    assert manifest is not None
    return {f.name: Path(lake.store.root) / REF.prefix / f.path for f in manifest.files}


def flip(path: Path, place: int = 0) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


NAMES = ["plain.parquet", "tree/one", "tree/two", "m1.tif"]


@pytest.mark.parametrize("name", NAMES)
def test_one_flipped_bit_is_noticed_when_the_file_is_read(lake: Lake, name: str) -> None:
    partition = lake.open(REF)
    assert partition.file(name).is_file()
    flip(files(lake)[name], 37)
    with pytest.raises(DamagedError, match="is damaged: its checksum is not the one it was made with") as caught:
        partition.tree("tree") if name.startswith("tree") else partition.file(name)
    assert caught.value.ref == REF
    assert str(files(lake)[name]) in str(caught.value)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("fault", ["flip", "cut", "delete", "exchange"])
def test_damage_of_any_kind_is_healed_by_making_the_partition_again(lake: Lake, name: str, fault: str) -> None:
    path, before = files(lake)[name], lake.open(REF).manifest.content
    whole = path.read_bytes()
    if fault == "flip":
        flip(path)
    elif fault == "cut":
        path.write_bytes(whole[:-1])
    elif fault == "exchange":
        path.write_bytes(bytes(len(whole)))
    else:
        path.unlink()
    manifest = lake.manifest(REF)
    assert manifest is not None
    assert [f.name for f in lake.damaged(manifest)] == [name]
    told: list[str] = []
    assert make(lake, rules=WriteRules(told=told.append))
    assert told == [f"{REF}: {name} was damaged or gone; it is made again"]
    assert lake.open(REF).manifest.content == before
    assert path.read_bytes() == whole
    assert not make(lake)
    aside = Path(lake.store.root) / ".quarantine" / REF.prefix
    assert [p.read_bytes() != whole for p in aside.rglob("*") if p.is_file()] == ([] if fault == "delete" else [True])


class BlindStore(LocalStore):
    """Says of no file that it changed: bytes that rot on a disk do not change its times."""

    def entries(self, prefix: str) -> dict[str, Entry]:
        return {path: Entry(entry.bytes, 0) for path, entry in super().entries(prefix).items()}


def test_what_the_file_system_does_not_tell_of_is_found_when_every_byte_is_read(lake: Lake) -> None:
    flip(files(lake)["m1.tif"])
    blind = Lake(BlindStore(Path(lake.store.root)), lake.state)
    manifest = blind.manifest(REF)
    assert manifest is not None
    assert blind.damaged(manifest) == []
    assert [f.name for f in blind.damaged(manifest, thoroughly=True)] == ["m1.tif"]
    with pytest.raises(DamagedError):
        blind.open(REF).file("m1.tif")


def test_a_touched_lake_is_read_once_and_then_trusted_again(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = lake.manifest(REF)
    assert manifest is not None
    for path in files(lake).values():
        os.utime(path)
    read: list[str] = []

    def look(_prefix: str, stored: StoredFile, _anew: bool) -> bool:
        read.append(stored.name)
        return True

    monkeypatch.setattr(lake, "_is_as_published", look)
    assert lake.damaged(manifest) == []
    assert sorted(read) == sorted(NAMES)
    read.clear()
    assert lake.damaged(manifest) == []
    assert read == []


def test_an_interrupted_item_that_was_damaged_before_it_was_named_is_not_adopted(tmp_path: Path) -> None:
    lake = Lake.local(tmp_path / "home", tmp_path / "state")

    def interrupted(writer: PartitionWriter) -> Outcome:
        build(writer)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_partition(lake, REF, code_version="1", config={}, inputs={}, build=interrupted)
    adopted: list[Path | None] = []

    def again(writer: PartitionWriter) -> Outcome:
        adopted.append(writer.reuse("m1.tif", KEY))
        return build(writer)

    (left,) = (Path(lake.store.root) / REF.prefix).glob("m1*.tif")
    flip(left)
    build_partition(lake, REF, code_version="1", config={}, inputs={}, build=again)
    assert adopted == [None]
    assert lake.open(REF).file("m1.tif").read_bytes() == b"raster" * 100


MANIFEST = {"layout": 1, "room": "chips", "asset": "chips", "keys": ["alder", "2019"], "files": []}
ENTRY = {"name": "a", "path": "a", "bytes": 1, "sha256": "0"}


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\xff\xfe\x00",
        b"[" * 100_000,
        b"[1, 2]",
        b'{"layout": "one"}',
        b'{"layout": 1e999}',
        json.dumps(MANIFEST).encode(),
        json.dumps(MANIFEST | {"keys": ["birch", "2019"]}).encode(),
        json.dumps(MANIFEST | {"files": [ENTRY | {"path": "../../../inputs/minemap.toml"}]}).encode(),
        json.dumps(MANIFEST | {"files": [ENTRY | {"path": "/etc/passwd"}]}).encode(),
        json.dumps(MANIFEST | {"files": [ENTRY | {"bytes": -1}]}).encode(),
    ],
)
def test_a_damaged_manifest_is_told_by_name_and_its_partition_made_again(lake: Lake, text: bytes) -> None:
    path = Path(lake.store.root) / REF.prefix / "manifest.json"
    path.write_bytes(text)
    with pytest.raises(DamagedError, match=r"manifest\.json cannot be read, so chips\[alder\|2019\] has to be made"):
        lake.read_manifest(REF)
    assert lake.manifest(REF) is None
    assert list(lake.manifests("chips", "chips")) == []
    assert make(lake)
    assert lake.open(REF).file("m1.tif").is_file()


def test_the_manifest_of_another_partition_is_not_taken_for_this_one(lake: Lake) -> None:
    other = PartitionRef("chips", "chips", ("birch", "2019"))
    build_partition(lake, other, code_version="1", config={}, inputs={}, build=build)
    root = Path(lake.store.root)
    (root / REF.prefix / "manifest.json").write_bytes((root / other.prefix / "manifest.json").read_bytes())
    with pytest.raises(DamagedError, match=r"is that of chips\[birch\|2019\]"):
        lake.read_manifest(REF)


@pytest.mark.parametrize("text", [b"", b"\xff", b"{}}", b"[" * 100_000, b'{"layout": "x"}', b"7"])
def test_a_damaged_marker_is_told_in_one_sentence(lake: Lake, text: bytes) -> None:
    (Path(lake.store.root) / "lake.json").write_bytes(text)
    with pytest.raises(StorageError, match=r"lake\.json, which says which layout the lake has, cannot be read"):
        lake.check()


@given(st.binary(max_size=300))
def test_no_bytes_of_a_manifest_bring_anything_down(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    lake = Lake.local(tmp_path_factory.mktemp("fuzz"), Path())
    lake.store.write_bytes(f"{REF.prefix}/manifest.json", data)
    assert lake.manifest(REF) is None
