"""The moment of a commit: wherever it breaks off, a partition is the old one, the new one, or not made."""

import errno
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from minemap_assets.errors import PermanentError, StorageError
from minemap_assets.lake.disk_errors import explain
from minemap_assets.lake.lake import Lake, build_partition
from minemap_assets.lake.manifests import Outcome, PartitionRef, digest
from minemap_assets.lake.partitions import Partition
from minemap_assets.lake.store import LocalStore
from minemap_assets.lake.writer import PartitionWriter

REF = PartitionRef("tables", "polygons", ("2019",))

Build = Callable[[PartitionWriter], Outcome]


class CrashError(BaseException):
    """The process is gone."""


class BreakableStore(LocalStore):
    """A folder whose changes break off after so many of them."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.left = 10_000

    def _count(self) -> None:
        if self.left == 0:
            raise CrashError
        self.left -= 1

    def put(self, local: Path, path: str) -> str:
        self._count()
        return super().put(local, path)

    def delete(self, path: str) -> None:
        self._count()
        super().delete(path)


def write(text: str) -> Build:
    """Two plain files, a folder and an item, of the same sizes whatever the text."""

    def build(writer: PartitionWriter) -> Outcome:
        for name in ("a.parquet", "b.parquet"):
            writer.path(name).write_text(text)
            writer.add(name)
        (writer.path("tree") / "inner").mkdir(parents=True)
        (writer.path("tree") / "inner" / "file").write_text(text)
        writer.add("tree")
        writer.path("m1.tif").write_text(text)
        writer.add("m1.tif", content_key=digest(text))
        return Outcome()

    return build


def make(lake: Lake, text: str, **more: Any) -> None:
    build_partition(lake, REF, code_version="1", config=text, inputs={}, build=write(text), **more)


def read(lake: Lake) -> set[str]:
    """What a reader sees."""
    partition = lake.open(REF)
    files = [partition.file(name) for name in ("a.parquet", "b.parquet", "m1.tif")]
    return {p.read_text() for p in (*files, partition.tree("tree") / "inner" / "file")}


def test_a_crash_at_any_point_leaves_no_mixture(tmp_path: Path) -> None:
    seen = []
    for point in range(100):
        store = BreakableStore(tmp_path / str(point))
        lake = Lake(store, tmp_path / "state")
        make(lake, "old")
        store.left = point
        try:
            make(lake, "new")
        except CrashError:
            after = Lake(LocalStore(tmp_path / str(point)), tmp_path / "state")
            manifest = after.manifest(REF)
            seen.append(None if manifest is None else read(after))
            assert manifest is None or after.is_whole(manifest)
            make(after, "old")
            assert read(after) == {"old"}
            make(after, "mid")
            assert len(list(after.store.list(REF.prefix))) == 5
            continue
        break
    assert point > 5
    assert all(found in (None, {"old"}, {"new"}) for found in seen)
    assert seen.count(None) <= 4, "the old partition goes only when the new one is written"
    assert {"old"} in seen
    assert {"new"} in seen


def test_until_the_commit_the_old_partition_is_as_its_manifest_says(tmp_path: Path) -> None:
    lake = Lake.local(tmp_path / "home", tmp_path / "state")
    make(lake, "old")

    def looked_at(writer: PartitionWriter) -> Outcome:
        outcome = write("new")(writer)
        manifest = lake.manifest(REF)
        assert manifest is not None
        assert lake.is_whole(manifest)
        assert read(lake) == {"old"}
        return outcome

    build_partition(lake, REF, code_version="1", config="new", inputs={}, build=looked_at)
    assert read(lake) == {"new"}


def test_a_partition_is_examined_before_it_is_published_and_made_again_where_it_is_rejected(tmp_path: Path) -> None:
    lake = Lake.local(tmp_path / "home", tmp_path / "state")

    def examine(partition: Partition) -> list[str]:
        assert lake.manifest(REF) is None or lake.open(REF).manifest.rejected
        return [f"{partition.file('a.parquet').read_text()} is not good"]

    make(lake, "bad", examine=examine)
    manifest = lake.open(REF).manifest
    assert manifest.rejected == ("bad is not good",)
    assert not manifest.complete
    make(lake, "bad", examine=examine)
    make(lake, "bad", examine=lambda _: [])
    assert lake.open(REF).manifest.complete


def test_the_lake_says_which_layout_it_has_and_a_newer_one_is_refused(tmp_path: Path) -> None:
    lake = Lake.local(tmp_path / "home", tmp_path / "state")
    assert lake.check() == 0
    make(lake, "old")
    assert lake.check() == 1
    (tmp_path / "home" / "lake.json").write_text('{"layout": 2}')
    newer = Lake.local(tmp_path / "home", tmp_path / "state")
    with pytest.raises(StorageError, match=r"layout 2, this one reads up to 1\); update minemap"):
        newer.check()
    with pytest.raises(StorageError):
        make(newer, "new")
    assert read(lake) == {"old"}


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "is full"),
        (RuntimeError("I/O error: No space left on device (os error 28)"), "is full"),
        (OSError(errno.EROFS, "Read-only file system"), "is on a read-only file system"),
        (RuntimeError("attempt to write a readonly database"), "change its permissions"),
        (OSError(errno.EACCES, "Permission denied"), "change its permissions"),
        (ValueError("something else"), None),
        (PermissionError(errno.EACCES, "Permission denied", "/somebody/elses/file"), None),
    ],
)
def test_what_a_disk_refuses_is_told_from_other_errors(tmp_path: Path, error: Exception, words: str | None) -> None:
    outer = PermanentError("it could not be built")
    outer.__cause__ = error
    for raised in (error, outer):
        sentence = explain(raised, tmp_path)
        assert (sentence is None) == (words is None)
        assert words is None or (sentence is not None and words in sentence)


@pytest.mark.parametrize(("free", "full"), [(500_000, True), (50_000_000, False)])
def test_files_that_sqlite_finds_no_room_for_are_a_full_disk_though_there_is_some_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, full: bool
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(total=10**9, free=free))
    sentence = explain(sqlite3.OperationalError("disk I/O error"), tmp_path)
    assert (sentence is not None and "is full" in sentence) == full
