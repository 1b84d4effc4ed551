"""Several machines at one bucket: conditional writes, leases whose holders die or stand still, and bad answers."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from minemap_assets.errors import BadInputError, BusyError, ConflictError, MinemapError, NotFoundError, RetryableError
from minemap_assets.lake.leases import LeaseTimes
from minemap_assets.lake.object_store import ObjectStore
from minemap_assets.lake.store import Patience
from servers.object_storage import Storage, storage

pytestmark = pytest.mark.integration

TIMES = LeaseTimes(renewal=0.2, life=1.5)

HOLD = """
import sys
from pathlib import Path
from minemap_assets.errors import MinemapError
from minemap_assets.lake.leases import LeaseTimes
from minemap_assets.lake.object_store import ObjectStore
from minemap_assets.lake.store import Patience
store = ObjectStore(sys.argv[1], Path(sys.argv[2]), times=LeaseTimes(0.2, 1.5))
try:
    with store.claim("room~asset", Patience()):
        print("held", flush=True)
        sys.stdin.readline()
    print("ended", flush=True)
except MinemapError as error:
    print(type(error).__name__, error, flush=True)
"""


@pytest.fixture(scope="module")
def server() -> Iterator[Storage]:
    with storage() as running:
        yield running


@pytest.fixture
def url(server: Storage, request: pytest.FixtureRequest) -> Iterator[str]:
    """A prefix of the test's own."""
    yield f"{server.url}/{request.node.name}"
    server.set("", 0)


def store_at(url: str, folder: Path, cache_bytes: int | None = None) -> ObjectStore:
    return ObjectStore(url, folder, cache_bytes=cache_bytes, times=TIMES)


class Machine:
    """Another machine, with a process that holds a claim."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        assert self.says() == "held"

    def says(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def end(self) -> str:
        """Let go, and say how that went."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self.says()


@contextmanager
def machine(url: str, folder: Path) -> Iterator[Machine]:
    command = [sys.executable, "-c", HOLD, url, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Machine(process)
        finally:
            process.kill()


def test_of_many_who_write_on_one_condition_one_wins(url: str, tmp_path: Path) -> None:
    writers, rounds = 6, 12
    stores = [store_at(url, tmp_path / str(number)) for number in range(writers)]
    barrier, won = threading.Barrier(writers), list[tuple[int, int]]()

    def work(number: int) -> None:
        for turn in range(rounds):
            found = stores[number].read_tagged("a")
            barrier.wait()
            with contextlib.suppress(ConflictError):
                stores[number].write_if("a", f"{turn} {number}".encode(), found and found.tag)
                won.append((turn, number))
            barrier.wait()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(turn for turn, _ in won) == list(range(rounds))
    assert stores[0].read_bytes("a") == "{} {}".format(*won[-1]).encode()


def test_a_write_whose_answer_is_lost_is_a_success(server: Storage, url: str, tmp_path: Path) -> None:
    store = store_at(url, tmp_path)
    store.write_if("other", b"", None)
    for data, tag in ((b"1", None), (b"2", "")):
        before = store.read_tagged("a")
        server.set("lost", 1, "PUT", "/a")
        new = store.write_if("a", data, None if tag is None or before is None else before.tag)
        after = store.read_tagged("a")
        assert after is not None
        assert (after.data, after.tag) == (data, new)


def test_a_write_that_fails_for_good_is_said_in_words(server: Storage, url: str, tmp_path: Path) -> None:
    store = store_at(url, tmp_path)
    tag = store.write_if("a", b"1", None)
    server.set("503", 1_000, "PUT", "/a")
    with pytest.raises(RetryableError, match=r"/a could not be reached: .*503") as caught:
        store._brisk.write_if("a", b"2", tag)
    assert not isinstance(caught.value, ConflictError)


def test_a_few_bad_answers_are_outlived(server: Storage, url: str, tmp_path: Path) -> None:
    store = store_at(url, tmp_path)
    for fault in ("500", "503", "lost"):
        server.set(fault, 2)
        store.write_bytes("a/1", b"x" * 1000)
        server.set(fault, 2)
        assert store.fetch("a/1").read_bytes() == b"x" * 1000
        server.set(fault, 2)
        with store.claim("room~asset", Patience()):
            pass
    server.set("cut", 1, "GET", "a/1")
    store.forget("a/1")
    assert store.fetch("a/1").read_bytes() == b"x" * 1000


def test_an_answer_that_breaks_off_each_time_is_no_copy(server: Storage, url: str, tmp_path: Path) -> None:
    store = store_at(url, tmp_path)
    store.write_bytes("a", b"x" * 1000)
    server.set("cut", 1_000, "GET")
    with pytest.raises(RetryableError, match=r"/a "):
        store.fetch("a")
    server.set("", 0)
    assert store.fetch("a").read_bytes() == b"x" * 1000
    assert list(store.staging().iterdir()) == []


def test_a_store_that_stalls_for_a_while_costs_no_claim(server: Storage, url: str, tmp_path: Path) -> None:
    with store_at(url, tmp_path / "ours").claim("room~asset", Patience()):
        server.set("stall", 1, "PUT", ".leases/room~asset")
        time.sleep(1.0)
        with pytest.raises(BusyError), store_at(url, tmp_path / "theirs").claim("room~asset", Patience(0.3)):
            pass


@pytest.mark.parametrize("fault", ["501", "conditions are ignored"])
def test_a_store_without_conditional_writes_is_said_in_words(
    server: Storage, url: str, tmp_path: Path, fault: str
) -> None:
    server.set(fault, 1_000, "PUT")
    sentence = (
        r"is kept by a store without conditional writes .*; unset AWS_CONDITIONAL_PUT where it is set, or set MINE"
    )
    with pytest.raises(BadInputError, match=sentence):
        store_at(url, tmp_path).write_if("a", b"x", None)
    with pytest.raises(BadInputError, match=sentence), store_at(url, tmp_path).claim("room~asset", Patience()):
        pass


def test_conditional_writes_that_were_switched_off_are_said_in_words(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CONDITIONAL_PUT", "disabled")
    with pytest.raises(BadInputError, match="unset AWS_CONDITIONAL_PUT"):
        store_at(url, tmp_path).write_if("a", b"x", None)


def test_another_machine_is_waited_for_and_named(url: str, tmp_path: Path) -> None:
    ours, told = store_at(url, tmp_path / "ours"), list[str]()
    assert not ours.excludes
    with machine(url, tmp_path / "theirs") as theirs:
        who = rf"process {theirs.process.pid} on {os.uname().nodename} since \d\d:\d\d"
        sentence = rf"^room/asset in {url} is held by {who}; run the same command again when that has ended$"
        seconds = TIMES.life * 2  # renewed all the time, it is never taken over
        sentence = sentence.replace("[", r"\[").replace("]", r"\]")
        with pytest.raises(BusyError, match=sentence), ours.claim("room~asset", Patience(seconds, told.append)):
            pass
        assert len(told) == 1
        threading.Timer(0.3, theirs.end).start()
        with ours.claim("room~asset", Patience(20.0)) as folder:
            assert list(folder.iterdir()) == []
    assert ours.staging().exists()
    assert list(ours.staging().iterdir()) == []


def test_processes_of_one_machine_wait_without_asking_the_store(server: Storage, url: str, tmp_path: Path) -> None:
    ours = store_at(url, tmp_path)
    with machine(url, tmp_path):
        server.set("500", 1_000, "GET", ".leases")
        with pytest.raises(BusyError, match="held by process"), ours.claim("room~asset", Patience(0.3)):
            pass


def test_the_claim_of_a_killed_machine_is_taken_over(url: str, tmp_path: Path) -> None:
    with machine(url, tmp_path / "theirs") as theirs:
        theirs.process.send_signal(signal.SIGKILL)
        theirs.process.wait()
    with pytest.raises(BusyError), store_at(url, tmp_path / "ours").claim("room~asset", Patience(0.3)):
        pass
    begin = time.monotonic()
    with store_at(url, tmp_path / "ours").claim("room~asset", Patience(20.0)):
        assert time.monotonic() - begin < TIMES.life + 2.5


def test_the_claim_of_a_killed_process_is_free_at_once_on_its_machine(url: str, tmp_path: Path) -> None:
    with machine(url, tmp_path) as theirs:
        theirs.process.send_signal(signal.SIGKILL)
        theirs.process.wait()
    with store_at(url, tmp_path).claim("room~asset", Patience()):
        pass


def test_a_machine_that_stood_still_loses_its_claim_and_says_so(url: str, tmp_path: Path) -> None:
    with machine(url, tmp_path / "theirs") as theirs:
        theirs.process.send_signal(signal.SIGSTOP)
        with store_at(url, tmp_path / "ours").claim("room~asset", Patience(20.0)):
            theirs.process.send_signal(signal.SIGCONT)
            said = theirs.end()
            assert said.startswith("ConflictError another run took over while this one was stopped for more than 1.5 s")
            assert f"process {os.getpid()} on " in said
            with pytest.raises(BusyError), store_at(url, tmp_path / "others").claim("room~asset", Patience(0.3)):
                pass
        # and ours, which nobody touched, was given back
        with store_at(url, tmp_path / "others").claim("room~asset", Patience()):
            pass


def test_a_machine_that_stood_still_for_less_keeps_its_claim(url: str, tmp_path: Path) -> None:
    with machine(url, tmp_path / "theirs") as theirs:
        theirs.process.send_signal(signal.SIGSTOP)
        time.sleep(TIMES.life / 2)
        theirs.process.send_signal(signal.SIGCONT)
        assert theirs.end() == "ended"


def test_copies_stay_within_their_limit(url: str, tmp_path: Path) -> None:
    store = store_at(url, tmp_path / "ours", cache_bytes=100_000)
    theirs = store_at(url, tmp_path / "theirs")
    for number in range(8):
        theirs.write_bytes(f"a/{number}", bytes([number]) * 30_000)

    def kept() -> list[str]:
        return sorted(path.name for path in (tmp_path / "ours" / "files").glob("a/*"))

    with store.using():
        paths = [store.fetch(f"a/{number}") for number in range(6)]
        assert [path.read_bytes()[0] for path in paths] == list(range(6))
    with store.using():
        store.fetch("a/6")
    assert kept() == ["4", "5", "6"]
    assert store.fetch("a/0").read_bytes()[0] == 0, "what went comes again"
    local = store.staging() / "file"
    local.write_bytes(bytes(30_000))
    store.put(local, "a/put")
    assert len(kept()) <= 4


def test_a_damaged_copy_is_fetched_anew_once_it_is_forgotten(url: str, tmp_path: Path) -> None:
    store = store_at(url, tmp_path)
    store.write_bytes("a/b", b"whole")
    store.fetch("a/b").write_bytes(b"wrong")
    assert store.fetch("a/b").read_bytes() == b"wrong", "its size and its tag say nothing of it"
    store.forget("a/b")
    assert store.fetch("a/b").read_bytes() == b"whole"


def test_objects_are_copied_and_moved_within_the_store(url: str, tmp_path: Path) -> None:
    store = store_at(url, tmp_path)
    store.write_bytes("a/b", b"x")
    path = store.fetch("a/b")
    store.copy("a/b", "c/d")
    store.move("a/b", "e/f")
    assert list(store.list("")) == ["c/d", "e/f"]
    assert not path.exists()
    assert store.fetch("c/d").read_bytes() == store.read_bytes("e/f") == b"x"
    entries = store.entries("c") | store.entries("e")
    assert [entry.bytes for entry in entries.values()] == [1, 1]
    assert abs(time.time() - entries["e/f"].changed / 1e9) < 60
    store.confirm("c/d")
    deeds = [store.copy, store.move]
    for deed in deeds:
        with pytest.raises(NotFoundError, match=r"/none does not exist$"):
            deed("none", "g")
    assert store.read_tagged("none") is None


def test_many_processes_claim_in_turn(url: str, tmp_path: Path) -> None:
    """Two machines with two processes each: nobody is in with another."""
    inside, most, failed = 0, 0, list[MinemapError]()

    def work(number: int) -> None:
        nonlocal inside, most
        store = store_at(url, tmp_path / str(number % 2))
        try:
            for _ in range(2):
                with store.claim("room~asset", Patience(60.0)):
                    inside += 1
                    most = max(most, inside)
                    time.sleep(0.02)
                    inside -= 1
        except MinemapError as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (failed, most) == ([], 1)
