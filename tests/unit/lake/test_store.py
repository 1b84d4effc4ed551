"""A folder as a store: claims, conditional writes, and files that change their place."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from minemap_assets.errors import BusyError, ConflictError, NotFoundError
from minemap_assets.lake.store import LocalStore, Patience

HOLD = """
import sys, time
from pathlib import Path
from minemap_assets.lake.store import LocalStore, Patience
with LocalStore(Path(sys.argv[1])).claim("room~asset~key", Patience()) as folder:
    (folder / "half").write_text("half")
    print("held", flush=True)
    time.sleep(60)
"""

WRITE = """
import sys
from pathlib import Path
from minemap_assets.errors import ConflictError
from minemap_assets.lake.store import LocalStore
store, won = LocalStore(Path(sys.argv[1])), 0
while won < 25:
    found = store.read_tagged("counter")
    number = int(found.data) if found else 0
    try:
        store.write_if("counter", str(number + 1).encode(), found.tag if found else None)
        won += 1
    except ConflictError:
        pass
"""


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "lake")


def holder(store: LocalStore) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", HOLD, store.root], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "held"
    return process


def test_a_claim_says_who_has_it_and_since_when(store: LocalStore) -> None:
    assert store.excludes
    process, told = holder(store), list[str]()
    try:
        who = rf"process {process.pid} on {os.uname().nodename} since \d\d:\d\d"
        sentence = rf"^room/asset/key in {store.root} is held by {who}; run the same command again when that has ended$"
        with pytest.raises(BusyError, match=sentence), store.claim("room~asset~key", Patience(0.0, told.append)):
            pass
        assert told == []
        with pytest.raises(BusyError, match=sentence), store.claim("room~asset~key", Patience(0.3, told.append)):
            pass
        assert len(told) == 1
    finally:
        process.kill()
        process.wait()


def test_a_claim_whose_holder_was_killed_is_free_at_once_and_empty(store: LocalStore) -> None:
    process = holder(store)
    process.send_signal(signal.SIGKILL)
    process.wait()
    with store.claim("room~asset~key", Patience()) as folder:
        assert list(folder.iterdir()) == []
    assert list(store.staging().iterdir()) == []


def test_a_claim_is_waited_for(store: LocalStore) -> None:
    process, told = holder(store), list[str]()
    threading.Timer(0.5, process.kill).start()
    begin = time.monotonic()
    with store.claim("room~asset~key", Patience(30.0, told.append)):
        assert time.monotonic() - begin < 5
    process.wait()
    assert len(told) == 1


def test_a_conditional_write_needs_what_was_read(store: LocalStore) -> None:
    first = store.write_if("a/b", b"1", None)
    with pytest.raises(ConflictError, match=r"was changed by somebody else meanwhile; run this again$"):
        store.write_if("a/b", b"2", None)
    second = store.write_if("a/b", b"2", first)
    assert second != first
    with pytest.raises(ConflictError):
        store.write_if("a/b", b"3", first)
    found = store.read_tagged("a/b")
    assert found is not None
    assert (found.data, found.tag) == (b"2", second)
    assert store.read_tagged("a/c") is None
    with pytest.raises(ConflictError):
        store.write_if("a/c", b"3", second)


def test_processes_that_write_on_condition_lose_nothing(store: LocalStore) -> None:
    writers = [subprocess.Popen([sys.executable, "-c", WRITE, store.root]) for _ in range(4)]
    assert [writer.wait(60) for writer in writers] == [0] * 4
    assert store.read_bytes("counter") == b"100"
    assert list(store.staging().iterdir()) == []


def test_files_are_copied_and_moved_whole(store: LocalStore) -> None:
    store.write_bytes("a/b/file", b"x")
    store.copy("a/b/file", "c/file")
    assert store.read_bytes("c/file") == store.read_bytes("a/b/file") == b"x"
    store.move("a/b/file", "d/file")
    assert list(store.list("")) == ["c/file", "d/file"]
    assert not (Path(store.root) / "a").exists()
    for deed in (store.copy, store.move):
        with pytest.raises(NotFoundError):
            deed("nothing", "e")


def test_what_was_written_later_has_no_smaller_time(store: LocalStore) -> None:
    store.write_bytes("a/1", b"x")
    store.write_bytes("a/2", b"xyz")
    entries = store.entries("a")
    assert {path: entry.bytes for path, entry in entries.items()} == {"a/1": 1, "a/2": 3}
    assert entries["a/1"].changed <= entries["a/2"].changed
    time.sleep(0.02)
    store.confirm("a/1")
    assert store.entries("a")["a/1"].changed > entries["a/2"].changed
    store.confirm("a/none")
    assert store.entries("none") == {}
    assert list(store.entries("")) == list(store.list(""))


def test_a_file_that_is_put_survives_whoever_empties_its_folder(store: LocalStore) -> None:
    """One thread's deletions remove the folder that another is about to rename into."""
    failed = list[BaseException]()

    def work(number: int) -> None:
        try:
            for _ in range(150):
                store.write_bytes(f"a/b/{number}", b"x")
                assert store.read_bytes(f"a/b/{number}") == b"x"
                store.delete(f"a/b/{number}")
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


def test_what_is_fetched_is_the_file_itself(store: LocalStore) -> None:
    store.write_bytes("a", b"x")
    with store.using():
        path = store.fetch("a")
    store.forget("a")
    assert path.read_bytes() == b"x"
