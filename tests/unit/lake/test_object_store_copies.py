"""Local copies of objects: kept within a limit, and never taken from whoever reads them."""

import contextvars
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from minemap_assets.lake.copies import Copies

HUNDRED = 100

READER = """
import sys
from pathlib import Path
from minemap_assets.lake.copies import Copies
copies = Copies(Path(sys.argv[1]), 100)
with copies.using():
    begin = copies.begin()
    with copies.at(sys.argv[2]) as copy:
        copy.use(begin)
    print("reads", flush=True)
    sys.stdin.readline()
"""


class Reader:
    """Copies as a store uses them."""

    def __init__(self, folder: Path, limit: int | None = HUNDRED) -> None:
        self.folder = folder
        self.copies = Copies(folder, limit)

    def fetch(self, path: str, size: int = 30) -> Path:
        begin = self.copies.begin()
        added = 0
        with self.copies.at(path) as copy:
            if not copy.shows("tag"):
                part = self.folder / f"part-{threading.get_ident()}"
                part.write_bytes(bytes(size))
                copy.exchange(part, "tag")
                added = size
            copy.use(begin)
        if added:
            self.copies.grown(added)
        time.sleep(0.01)  # longer than the file system's clock stands still
        return copy.path

    def kept(self) -> list[str]:
        return sorted(
            p.relative_to(self.folder / "files").as_posix() for p in self.folder.glob("files/**/*") if p.is_file()
        )


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    return Reader(tmp_path)


def test_the_copies_used_longest_ago_go(reader: Reader) -> None:
    for name in ("a/1", "a/2", "a/3"):
        with reader.copies.using():
            reader.fetch(name)
    with reader.copies.using():
        reader.fetch("a/1")  # used again
    with reader.copies.using():
        reader.fetch("b/4")
    assert reader.kept() == ["a/1", "a/3", "b/4"]
    with reader.copies.using():
        reader.fetch("b/5")
    assert reader.kept() == ["a/1", "b/4", "b/5"]
    assert sum(p.stat().st_size for p in reader.folder.glob("files/**/*") if p.is_file()) <= HUNDRED


def test_folders_without_copies_go_too(reader: Reader) -> None:
    for number in range(10):
        with reader.copies.using():
            reader.fetch(f"room/asset/{number}/deep/file")
    assert len(list((reader.folder / "files" / "room" / "asset").iterdir())) == 3
    assert len(list((reader.folder / "tags" / "room" / "asset").iterdir())) == 3


def test_what_is_used_in_a_scope_stays_until_its_end(reader: Reader) -> None:
    with reader.copies.using():
        paths = [reader.fetch(str(number)) for number in range(6)]
        assert all(path.exists() for path in paths), "more than the limit, and all in use"
    with reader.copies.using():
        reader.fetch("last")
    assert reader.kept() == ["4", "5", "last"]


def test_what_is_used_without_a_scope_stays_until_the_process_ends(reader: Reader) -> None:
    first = reader.fetch("first")
    for number in range(6):
        with reader.copies.using():
            reader.fetch(str(number))
    assert first.exists()


def test_a_thread_without_the_context_is_not_in_its_scope(reader: Reader) -> None:
    found = list[Path]()
    with reader.copies.using():
        thread = threading.Thread(target=lambda: found.append(reader.fetch("outside")))
        thread.start()
        thread.join()
        context = contextvars.copy_context()
        thread = threading.Thread(target=context.run, args=(reader.fetch, "inside"))
        thread.start()
        thread.join()
    with reader.copies.using():
        for number in range(6):
            reader.fetch(str(number))
    assert found[0].exists()


def test_scopes_within_each_other_end_with_the_outermost(reader: Reader) -> None:
    with reader.copies.using():
        with reader.copies.using():
            first = reader.fetch("first")
        for number in range(6):
            reader.fetch(str(number))
        assert first.exists()


def test_another_process_keeps_what_it_reads_and_no_longer_than_it_lives(reader: Reader) -> None:
    with reader.copies.using():
        reader.fetch("theirs")
    command = [sys.executable, "-c", READER, str(reader.folder), "theirs"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline().strip() == "reads"
        for number in range(5):
            with reader.copies.using():
                reader.fetch(str(number))
        assert "theirs" in reader.kept()
        other.kill()
    with reader.copies.using():
        reader.fetch("last")
    assert "theirs" not in reader.kept()
    assert len(reader.kept()) == 3
    assert len(list((reader.folder / "scopes").iterdir())) <= 1


def test_a_clock_that_is_set_back_takes_nothing_from_anybody(reader: Reader) -> None:
    with reader.copies.using():
        begin = reader.copies.begin()
        path = reader.fetch("a")
        note = reader.folder / "tags" / "a.tag"
        os.utime(note, (1, 1))  # as if the clock had gone back since the scope began
        with reader.copies.at("a") as copy:
            copy.use(begin + 10**12)
        assert note.stat().st_mtime_ns == begin + 10**12
        assert path.exists()


def test_a_copy_is_for_its_tag_only(reader: Reader) -> None:
    reader.fetch("a")
    with reader.copies.at("a") as copy:
        assert copy.shows("tag")
        assert not copy.shows("other")
        copy.note.write_text("")
        assert not copy.shows(""), "an object without a tag is fetched each time"


def test_a_forgotten_copy_is_fetched_anew_and_stays_until_then(reader: Reader) -> None:
    path = reader.fetch("a", 30)
    reader.copies.forget("a")
    reader.copies.forget("nothing")
    assert path.exists()
    assert reader.fetch("a", 10).stat().st_size == 10
    reader.copies.drop("a")
    reader.copies.drop("nothing")
    assert reader.kept() == []
    assert list((reader.folder / "tags").iterdir()) == []


def test_no_limit_keeps_all(tmp_path: Path) -> None:
    reader = Reader(tmp_path, None)
    for number in range(10):
        with reader.copies.using():
            reader.fetch(str(number))
    assert len(reader.kept()) == 10


@pytest.mark.parametrize("text", ["", "x y", "1"])
def test_a_tally_that_is_lost_is_taken_anew(reader: Reader, text: str) -> None:
    for number in range(3):
        with reader.copies.using():
            reader.fetch(str(number))
    (reader.folder / "tally").write_text(text)
    with reader.copies.using():
        reader.fetch("last")
    assert (reader.folder / "tally").read_text() == "90 100"
    assert reader.kept() == ["1", "2", "last"]


def test_sweeps_are_rare(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    sweeps = list[int]()
    monkeypatch.setattr(Copies, "sweep", lambda _, limit: sweeps.append(limit))
    (reader.folder / "tally").write_text("0 100")
    for number in range(10):
        reader.fetch(str(number), 10)
    assert sweeps == []
    reader.fetch("more", 1)
    assert sweeps == [HUNDRED]


def test_many_threads_read_more_than_fits(tmp_path: Path) -> None:
    reader, failed = Reader(tmp_path), list[BaseException]()

    def work(seed: int) -> None:
        try:
            for number in range(40):
                with reader.copies.using():
                    paths = [reader.fetch(f"{(seed * 7 + number * step) % 9}/file") for step in (1, 2, 3)]
                    assert [path.stat().st_size for path in paths] == [30, 30, 30]
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    with reader.copies.using():
        reader.fetch("last")
    reader.copies.sweep(HUNDRED)
    assert len(reader.kept()) <= 3
