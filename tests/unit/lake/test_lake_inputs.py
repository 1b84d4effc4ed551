"""Inputs: changed by one hand at a time, every version kept, nothing lost by a mistake."""

import contextlib
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minemap_assets.errors import BadInputError, ConflictError, StorageError
from minemap_assets.lake.input_history import HISTORY, input_path, version_name
from minemap_assets.lake.inputs import KEPT_TIME, KEPT_VERSIONS, Inputs
from minemap_assets.lake.store import Entry, LocalStore

PATH = "inputs/minemap.toml"
FOLDER = f"{HISTORY}/minemap.toml"

ADD_A_LINE = """
import sys
from pathlib import Path
from minemap_assets.lake.inputs import Inputs
from minemap_assets.lake.store import LocalStore
inputs, line = Inputs(LocalStore(Path(sys.argv[1]))), sys.argv[2].encode()
for number in range(5):
    inputs.change("inputs/list.txt", lambda data: (data or b"") + line + b"\\n")
"""


class WatchedStore(LocalStore):
    """Counts its calls, does something just before a conditional write or a listing, or ends after so many writes."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.calls: Counter[str] = Counter()
        self.before_write: Callable[[], None] | None = None
        self.before_list: Callable[[], None] | None = None
        self.writes_left: int | None = None

    def _write(self) -> None:
        if self.writes_left is not None:
            self.writes_left -= 1
            if self.writes_left < 0:
                raise KilledError

    def write_bytes(self, path: str, data: bytes) -> None:
        self.calls["write"] += 1
        self._write()
        super().write_bytes(path, data)

    def write_if(self, path: str, data: bytes, tag: str | None) -> str:
        then, self.before_write = self.before_write, None
        if then is not None:
            then()
        return super().write_if(path, data, tag)

    def entries(self, prefix: str) -> dict[str, Entry]:
        self.calls["list"] += 1
        then, self.before_list = self.before_list, None
        if then is not None:
            then()
        return super().entries(prefix)

    def delete(self, path: str) -> None:
        self._write()
        super().delete(path)


class KilledError(BaseException):
    """The process ends here."""


class Clock:
    """Time as it is told to be."""

    def __init__(self) -> None:
        self.now = datetime(2020, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def store(tmp_path: Path) -> WatchedStore:
    return WatchedStore(tmp_path / "lake")


def contents(store: LocalStore, path: str = PATH) -> list[bytes | None]:
    """Every version, oldest first; None for a removal."""
    inputs = Inputs(store)
    return [None if v.removed else inputs.bytes_of(path, v) for v in inputs.versions(path)]


def put(store: LocalStore, text: bytes) -> None:
    Inputs(store).put(PATH, text)


def test_eight_processes_at_once_lose_nothing(tmp_path: Path) -> None:
    started = [
        subprocess.Popen([sys.executable, "-c", ADD_A_LINE, str(tmp_path), f"process {number}"]) for number in range(8)
    ]
    assert [process.wait(120) for process in started] == [0] * 8
    store = LocalStore(tmp_path)
    lines = Counter(store.read_bytes("inputs/list.txt").decode().splitlines())
    assert lines == {f"process {number}": 5 for number in range(8)}
    kept = contents(store, "inputs/list.txt")
    assert [len((data or b"").splitlines()) for data in kept] == list(range(1, 41)), "every state, once, in order"


def test_what_somebody_else_wrote_meanwhile_is_changed_and_not_lost(store: WatchedStore) -> None:
    put(store, b"one ")
    seen: list[bytes | None] = []

    def edit(data: bytes | None) -> bytes:
        seen.append(data)
        return (data or b"") + b"mine "

    store.before_write = lambda: LocalStore(Path(store.root)).write_bytes(PATH, b"one theirs ")
    change = Inputs(store).change(PATH, edit)
    assert (change.before, change.after) == (b"one theirs ", b"one theirs mine ")
    assert seen == [b"one ", b"one theirs "]
    assert contents(store) == [b"one ", b"one theirs ", b"one theirs mine "]


def test_what_others_wrote_after_a_look_is_neither_missed_nor_recorded_out_of_order(store: WatchedStore) -> None:
    other = LocalStore(Path(store.root))
    store.before_list = lambda: put(other, b"first ")
    assert Inputs(store).read(PATH) == b"first ", "it was not there, and has a version: it has just been written"
    Inputs(store).remove(PATH)
    store.before_list = lambda: put(other, b"second ")
    Inputs(store).change(PATH, lambda data: (data or b"") + b"mine ")
    store.before_list = lambda: put(other, b"third ")
    Inputs(store).change(PATH, lambda data: (data or b"") + b"mine ")
    expected = [b"first ", None, b"second ", b"second mine ", b"third ", b"third mine "]
    assert contents(store) == expected


def test_somebody_who_never_stops_is_named_in_the_end(store: WatchedStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("minemap_assets.lake.inputs._PATIENCE", 0.2)

    def refuse(path: str, *_: object) -> str:
        raise ConflictError(f"{path} was changed by somebody else meanwhile; run this again")

    monkeypatch.setattr(store, "write_if", refuse)
    with pytest.raises(ConflictError, match="changed by somebody else"):
        put(store, b"mine")


def test_unchanged_bytes_write_nothing(store: WatchedStore) -> None:
    put(store, b"same")
    before = store.calls["write"]
    Inputs(store).change(PATH, lambda data: data)
    put(store, b"same")
    assert store.calls["write"] == before
    assert contents(store) == [b"same"]


@pytest.mark.parametrize("writes", range(4))
def test_a_writer_that_is_killed_loses_nothing(store: WatchedStore, writes: int) -> None:
    """Killed before any of its writes: what was there is there or kept, and the next one goes on."""
    put(store, b"first")
    store.write_bytes(PATH, b"by hand")
    store.writes_left = writes
    with contextlib.suppress(KilledError):
        put(store, b"last")
    store.writes_left = None
    here = LocalStore(Path(store.root))
    present = here.read_bytes(PATH)
    assert present in (b"by hand", b"last")
    assert {b"first", present} | ({b"by hand"} if present == b"last" else set()) <= {*contents(here), present}
    Inputs(here).change(PATH, lambda data: (data or b"") + b" and on")
    assert contents(here)[-2:] == [present, present + b" and on"]
    assert {b"first", b"by hand"} <= set(contents(here))


def test_what_is_gone_by_mistake_is_not_taken_for_empty(store: WatchedStore) -> None:
    inputs = Inputs(store)
    assert inputs.read(PATH) is None
    put(store, b"settings")
    store.delete(PATH)
    sentence = (
        r"minemap\.toml is gone; its last good version is of 20\d\d-\d\d-\d\d \d\d:\d\d UTC: bring it back with "
        r"`minemap inputs restore minemap\.toml`, or work without it from now on with "
        r"`minemap inputs forget minemap\.toml`"
    )
    with pytest.raises(BadInputError, match=sentence):
        inputs.read(PATH)
    with pytest.raises(BadInputError, match="is gone"):
        inputs.change(PATH, lambda _: b"anew")
    assert store.size(PATH) is None
    assert inputs.restore(PATH).number == 1
    assert inputs.read(PATH) == b"settings"
    assert contents(store) == [b"settings"], "the same bytes are not kept twice in a row"


def test_what_is_removed_on_purpose_is_not_missed(store: WatchedStore) -> None:
    inputs = Inputs(store)
    put(store, b"one")
    inputs.remove(PATH)
    assert inputs.read(PATH) is None
    inputs.change(PATH, lambda data: b"two" if data is None else b"")
    assert contents(store) == [b"one", None, b"two"]
    store.delete(PATH)
    inputs.forget(PATH)
    assert inputs.read(PATH) is None
    assert inputs.restore(PATH).number == 3
    assert inputs.restore(PATH, 1).number == 1
    assert inputs.read(PATH) == b"one"
    with pytest.raises(BadInputError, match=r"minemap\.toml is there; remove the file first"):
        inputs.forget(PATH)
    with pytest.raises(BadInputError, match=r"has no version 2; its versions are 1, 3, 5, 6"):
        inputs.restore(PATH, 2)
    with pytest.raises(BadInputError, match=r"no version of inputs/other\.json is recorded"):
        inputs.forget("inputs/other.json")


def test_what_stands_there_is_recorded_before_another_version_takes_its_place(store: WatchedStore) -> None:
    put(store, b"good")
    store.write_bytes(PATH, b"damaged by hand")
    assert Inputs(store).restore(PATH).number == 1
    assert contents(store) == [b"good", b"damaged by hand", b"good"]
    Inputs(store).restore(PATH)
    assert store.read_bytes(PATH) == b"damaged by hand", "a restoration can be taken back"


def test_a_damaged_input_names_its_last_good_version(store: WatchedStore) -> None:
    def parse(data: bytes) -> None:
        with Inputs(store).reading(PATH, data):
            raise BadInputError(f"{PATH} cannot be read")

    with pytest.raises(BadInputError, match=r"cannot be read$"):
        parse(b"junk")
    put(store, b"good")
    with pytest.raises(BadInputError, match=r"cannot be read; the last good version is of .* restore minemap\.toml`$"):
        parse(b"junk")
    with pytest.raises(BadInputError, match=r"cannot be read$"):
        parse(b"good")


def test_recording_costs_one_listing_and_then_none(store: WatchedStore) -> None:
    found = {f"inputs/{name}": name.encode() for name in ("a.toml", "b.toml")}
    Inputs(store).record(found)
    assert store.calls["list"] == 1
    store.calls.clear()
    Inputs(store).record(found)
    assert not store.calls
    other = WatchedStore(Path(store.root))
    Inputs(other).record(found)
    assert other.calls == {"list": 1}
    assert contents(store, "inputs/a.toml") == [b"a.toml"]


def test_what_nobody_could_have_understood_is_not_recorded(store: WatchedStore) -> None:
    Inputs(store).record({"inputs/a.json": b'{"a": ', "inputs/b.json": b"{}"})
    assert set(Inputs(store).history().versions) == {"inputs/b.json"}


def test_an_old_snapshot_does_not_pass_for_the_newest_version(store: WatchedStore) -> None:
    put(store, b"old")
    put(store, b"new")
    Inputs(LocalStore(Path(store.root))).record({PATH: b"old"})
    assert contents(store) == [b"old", b"new"]
    store.write_bytes(PATH, b"old")
    Inputs(LocalStore(Path(store.root))).record({PATH: b"old"})
    assert contents(store) == [b"old", b"new", b"old"]


def test_a_lake_that_cannot_be_written_to_stays_as_it_is(store: WatchedStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise StorageError(f"{store.root} is on a read-only file system")

    monkeypatch.setattr(store, "write_bytes", refuse)
    Inputs(store).record({PATH: b"settings"})
    assert Inputs(store).versions(PATH) == ()
    store.calls.clear()
    Inputs(store).record({PATH: b"settings"})
    assert not store.calls


def test_old_versions_go_when_they_are_many_and_long_out_of_use(store: WatchedStore) -> None:
    clock = Clock()
    inputs = Inputs(store, clock)
    for number in range(KEPT_VERSIONS + 10):
        inputs.put(PATH, f"{number}".encode())
        clock.now += timedelta(hours=1)
    assert len(inputs.versions(PATH)) == KEPT_VERSIONS + 10, "all of the last year stay"
    clock.now += KEPT_TIME - timedelta(hours=KEPT_VERSIONS + 6.5)
    change = inputs.put(PATH, b"later")
    assert change.dropped == tuple(f"{number}".encode() for number in range(3)), "those replaced more than a year ago"
    clock.now += 10 * KEPT_TIME
    dropped = inputs.put(PATH, b"last").dropped
    assert [v.number for v in inputs.versions(PATH)] == list(range(13, 63)), "the newest stay, however old"
    assert len(dropped) == 9
    assert contents(store)[-1] == b"last"


def test_two_who_record_at_the_same_moment(store: WatchedStore) -> None:
    moment = datetime(2020, 1, 1, tzinfo=UTC)
    later = moment + timedelta(seconds=1)
    for when, data in ((moment, b"one"), (later, b"one"), (later, b"two")):
        store.write_bytes(f"{FOLDER}/{version_name(1, when, data)}", data)
    assert [(v.number, v.when) for v in Inputs(store).versions(PATH)] == [(1, moment), (2, later)]
    assert contents(store) == [b"one", b"two"]
    put(store, b"three")
    assert Inputs(store).versions(PATH)[-1].number == 3


def test_a_lake_in_another_place_keeps_its_history(store: WatchedStore, tmp_path: Path) -> None:
    put(store, b"one")
    put(store, b"two")
    shutil.copytree(store.root, tmp_path / "copy")
    copy = LocalStore(tmp_path / "copy")
    assert Inputs(copy).versions(PATH) == Inputs(store).versions(PATH)
    Inputs(copy).restore(PATH)
    assert copy.read_bytes(PATH) == b"one"


@pytest.mark.parametrize("name", ["minemap.toml", "inputs/minemap.toml"])
def test_names_as_people_write_them(name: str) -> None:
    assert input_path(name) == PATH


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd",
        "inputs/../lake.json",
        "/etc/passwd",
        "",
        ".",
        "..",
        "a//b",
        "inputs/",
        ".history/a/1",
        "a\\b",
    ],
)
def test_no_name_leads_out_of_the_inputs(store: WatchedStore, name: str) -> None:
    with pytest.raises(BadInputError, match="names no input"):
        input_path(name)
    with pytest.raises(BadInputError, match="names no input"):
        Inputs(store).put(f"inputs/{name}" if name else name, b"")
    assert not list(Path(store.root).rglob("*"))


OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("change"), st.sampled_from([b"a", b"b", b"c"])),
        st.tuples(st.just("by hand"), st.sampled_from([b"a", b"b", b"d"])),
        st.tuples(st.just("restore"), st.integers(0, 9)),
        st.tuples(st.just("forget"), st.none()),
        st.tuples(st.just("remove"), st.none()),
    ),
    max_size=12,
)


@given(OPERATIONS)
def test_every_version_stays_readable_and_the_newest_is_what_is_there(operations: list[tuple[str, object]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = LocalStore(Path(folder))
        inputs, seen = Inputs(store), set[bytes]()
        for word, value in operations:
            _apply(inputs, store, word, value)
            present = inputs.read(PATH)
            seen |= {present} if present is not None else set()
            kept = contents(store)
            assert seen <= set(kept)
            assert (kept[-1] if kept else None) == present
            assert all(one != other for one, other in pairwise(kept))


def _apply(inputs: Inputs, store: LocalStore, word: str, value: object) -> None:
    if isinstance(value, bytes) and word == "change":
        inputs.change(PATH, lambda _: value)
    elif isinstance(value, bytes):
        store.write_bytes(PATH, value)
        inputs.record({PATH: value})
    elif isinstance(value, int):
        numbers = [v.number for v in inputs.versions(PATH) if not v.removed]
        if numbers:
            inputs.restore(PATH, numbers[value % len(numbers)])
    elif word == "forget" and inputs.versions(PATH):
        store.delete(PATH)
        inputs.forget(PATH)
    else:
        inputs.remove(PATH)
