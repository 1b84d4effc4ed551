"""Leases over a store that compares and writes: taken, kept, lost and given back."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from minemap_assets.errors import BusyError, ConflictError, RetryableError
from minemap_assets.lake.leases import LeaseTimes, Note, leased, place_of
from minemap_assets.lake.locks import Holder, Wait
from minemap_assets.lake.store import Tagged

TIMES = LeaseTimes(renewal=0.05, life=0.4)
PATH = "lease"


class Memory:
    """One object, which is compared and written at once."""

    def __init__(self) -> None:
        self.data: bytes | None = None
        self.tag = 0
        self.down = self.deaf = False
        self._lock = threading.Lock()

    def read_tagged(self, path: str) -> Tagged | None:
        """The object."""
        assert path == PATH
        if self.down:
            raise RetryableError("no answer")
        with self._lock:
            return None if self.data is None else Tagged(self.data, str(self.tag))

    def write_if(self, path: str, data: bytes, tag: str | None) -> str:
        """Write it; `deaf` writes and loses the answer."""
        assert path == PATH
        if self.down:
            raise RetryableError("no answer")
        with self._lock:
            if (None if self.data is None else str(self.tag)) != tag:
                raise ConflictError("changed")
            self.data, self.tag = data, self.tag + 1
            if self.deaf:
                raise RetryableError("lost")
            return str(self.tag)

    def note(self) -> Note:
        assert self.data is not None
        note = Note.parse(self.data)
        assert note is not None
        return note


def patience(seconds: float, told: Callable[[str], None] = lambda _: None) -> Wait:
    return Wait("it", seconds, told)


def left_behind(memory: Memory, place: str = "elsewhere") -> None:
    """The lease of a machine that is gone."""
    holder = Holder.parse(b'{"pid": 4711, "host": "nova", "since": "2026-01-02T03:04:05+00:00"}')
    memory.data, memory.tag = Note("theirs", 3, place, True, holder).dump(), memory.tag + 100


def test_a_lease_is_taken_renewed_and_given_back() -> None:
    memory = Memory()
    with leased(memory, PATH, "here", patience(0), TIMES):
        first = memory.note()
        assert first.held
        assert first.place == "here"
        time.sleep(0.3)
        assert memory.note().beat >= 2
    last = memory.note()
    assert (last.held, last.token) == (False, first.token)
    time.sleep(0.15)
    assert memory.note() == last, "nobody renews it any more"
    with leased(memory, PATH, "there", patience(0), TIMES):
        assert memory.note().token != first.token


def test_a_lease_that_is_renewed_is_never_taken_over() -> None:
    memory, told = Memory(), list[str]()
    with leased(memory, PATH, "here", patience(0), TIMES):
        with (
            pytest.raises(
                BusyError, match=r"^it is held by process \d+ on .* since .*; run the same command again when"
            ),
            leased(memory, PATH, "there", patience(TIMES.life * 3, told.append), TIMES),
        ):
            pass
        assert memory.note().place == "here"
    assert len(told) == 1


def test_a_lease_without_a_holder_is_taken_over_after_its_life_and_not_before() -> None:
    memory = Memory()
    left_behind(memory)
    with (
        pytest.raises(BusyError, match=r"process 4711 on nova since 2026-01-02 "),
        leased(memory, PATH, "here", patience(TIMES.life / 2), TIMES),
    ):
        pass
    begin = time.monotonic()
    with leased(memory, PATH, "here", patience(10), TIMES):
        assert TIMES.life <= time.monotonic() - begin < TIMES.life + 1.5
        assert memory.note().place == "here"


def test_clocks_of_machines_are_not_compared() -> None:
    memory = Memory()
    holder = Holder.parse(b'{"pid": 1, "host": "past", "since": "1999-01-01T00:00:00+00:00"}')
    with leased(memory, PATH, "here", patience(0), TIMES):
        memory.data = Note(memory.note().token, 99, "here", True, holder).dump()  # it says that it is old
        with pytest.raises(BusyError), leased(memory, PATH, "there", patience(TIMES.life / 2), TIMES):
            pass


def test_whoever_holds_the_place_knows_that_its_holder_is_gone() -> None:
    memory = Memory()
    left_behind(memory, place="here")
    with leased(memory, PATH, "here", patience(0), TIMES):
        assert memory.note().token != "theirs"


@pytest.mark.parametrize("data", [b"", b"\xff", b"{}", b"[]", b'{"token": 1, "beat": "x"}'])
def test_garbage_is_taken_over_as_a_lease_that_nobody_renews(data: bytes) -> None:
    memory = Memory()
    memory.data = data
    assert Note.parse(data) is None
    with pytest.raises(BusyError, match="another process"), leased(memory, PATH, "here", patience(0), TIMES):
        pass
    with leased(memory, PATH, "here", patience(10), TIMES):
        assert memory.note().held


def test_a_lost_lease_is_said_at_the_end_and_left_to_its_new_holder() -> None:
    memory = Memory()
    with (
        pytest.raises(
            ConflictError, match=r"^another run took over while this one was stopped for more than 0.4 s .*nova"
        ),
        leased(memory, PATH, "here", patience(0), TIMES),
    ):
        left_behind(memory)
    assert memory.note().token == "theirs"
    assert memory.note().held


def test_an_error_of_the_work_itself_is_not_hidden_by_a_lost_lease() -> None:
    memory = Memory()

    def lose() -> None:
        with leased(memory, PATH, "here", patience(0), TIMES):
            left_behind(memory)
            raise KeyError

    with pytest.raises(KeyError):
        lose()
    assert memory.note().token == "theirs"


def test_a_lease_is_given_back_after_an_error() -> None:
    memory = Memory()
    with pytest.raises(KeyError), leased(memory, PATH, "here", patience(0), TIMES):
        raise KeyError
    assert not memory.note().held


def test_a_store_that_is_down_for_a_while_costs_no_lease() -> None:
    memory = Memory()
    with leased(memory, PATH, "here", patience(0), TIMES):
        memory.down = True
        time.sleep(0.2)
        memory.down = False
        before = memory.note().beat
        time.sleep(0.2)
        assert memory.note().beat > before
        memory.down = True
    memory.down = False
    assert memory.note().held, "it could not be given back, and ends by itself"


def test_renewals_whose_answers_are_lost_are_not_taken_for_another_holder() -> None:
    memory = Memory()
    with leased(memory, PATH, "here", patience(0), TIMES):
        memory.deaf = True
        time.sleep(0.2)
        memory.deaf = False
        time.sleep(0.2)
    assert not memory.note().held


def test_a_lease_that_somebody_deleted_is_written_again() -> None:
    memory = Memory()
    with leased(memory, PATH, "here", patience(0), TIMES):
        memory.data = None
        time.sleep(0.2)
        assert memory.note().held
    assert not memory.note().held


def test_many_hold_one_lease_in_turn() -> None:
    memory, inside, most, done = Memory(), 0, 0, list[int]()

    def work(number: int) -> None:
        nonlocal inside, most
        for _ in range(3):
            with leased(memory, PATH, f"place {number}", patience(60), TIMES):
                inside += 1
                most = max(most, inside)
                time.sleep(0.01)
                inside -= 1
        done.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == [0, 1, 2, 3]
    assert most == 1


def test_a_place_is_another_one_for_each_folder(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    assert place_of(tmp_path / "a") == place_of(tmp_path / "a")
    assert place_of(tmp_path / "a") != place_of(tmp_path / "b")
