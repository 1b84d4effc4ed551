"""Lock files: who holds one is said, waiting costs nothing, and nobody is turned away without a reason."""

import errno
import fcntl
import math
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lock_stress import stress
from minemap_assets.errors import BusyError, StorageError
from minemap_assets.lake.locks import LOCK, SOMEBODY, Holder, LockedError, Wait, hold, read_holder
from minemap_assets.lake.workspaces import clear, is_held, settle, taken, workspace

SEED = int(os.environ.get("MINEMAP_STRESS_SEED", "0"))
PROCESSES = int(os.environ.get("MINEMAP_STRESS_PROCESSES", "8"))
ROUNDS = int(os.environ.get("MINEMAP_STRESS_ROUNDS", "100"))

WAITER = """
import math, resource, sys, time
from pathlib import Path
from minemap_assets.lake.locks import Wait
from minemap_assets.lake.workspaces import workspace
before = resource.getrusage(resource.RUSAGE_SELF)
def told(who): print(who, flush=True)
try:
    with workspace(Path(sys.argv[1]), "a", Wait("it", float(sys.argv[2]), told)):
        pass
except BaseException as error:
    print(type(error).__name__, flush=True)
after = resource.getrusage(resource.RUSAGE_SELF)
print(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
"""


def waiter(folder: Path, seconds: float) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WAITER, str(folder), str(seconds)], stdout=subprocess.PIPE, text=True
    )


def words(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.mark.parametrize("seed", [SEED + 1, SEED + 2])
def test_nobody_is_refused_or_fails_amid_what_dead_processes_left(seed: int) -> None:
    tally = stress(seed, PROCESSES, ROUNDS)
    said = f"seed {seed}, {PROCESSES} processes, {ROUNDS} rounds: {tally.entered} workspaces entered"
    assert (tally.refused, tally.errors, tally.left) == (0, (), ()), said
    assert tally.entered > PROCESSES * ROUNDS / 4, said


def test_one_who_looks_does_not_stand_in_the_way(tmp_path: Path) -> None:
    """While others look whether a name is held, all the time, it is free for whoever wants it."""
    look = "import sys, pathlib\nfrom minemap_assets.lake.workspaces import is_held\nprint('ready', flush=True)\n"
    look += "while True: is_held(pathlib.Path(sys.argv[1]))"
    lookers = [
        subprocess.Popen([sys.executable, "-c", look, str(tmp_path / "a.lock")], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    try:
        assert [words(looker) for looker in lookers] == ["ready", "ready"]
        for _ in range(200):
            (tmp_path / "a.lock").touch()  # a dead process had it
            with workspace(tmp_path, "a"):
                pass
    finally:
        for looker in lookers:
            looker.kill()
            looker.wait()


def test_what_cannot_be_removed_hinders_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "file").write_text("x")
    with monkeypatch.context() as patch:
        patch.setattr("shutil.rmtree", lambda *_, **__: None)
        with workspace(tmp_path, "a") as folder:
            assert list(folder.iterdir()) == []
    clear(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_file_settles_while_its_folder_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("x")
    rename, tries = Path.replace, []

    def gone(self: Path, target: Path) -> Path:
        tries.append(target)
        if len(tries) < 3:
            target.parent.rmdir()
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", gone)
    settle(tmp_path / "file", tmp_path / "folder" / "file")
    assert (tmp_path / "folder" / "file").read_text() == "x"
    with pytest.raises(FileNotFoundError):
        settle(tmp_path / "no file", tmp_path / "folder" / "file")


def test_a_lock_says_who_holds_it(tmp_path: Path) -> None:
    with taken(tmp_path, "a") as lock:
        holder = Holder.parse(lock.read_bytes())
        assert holder is not None
        assert (holder.pid, holder.host) == (os.getpid(), os.uname().nodename)
        assert (
            read_holder(lock)
            == f"process {os.getpid()} on {os.uname().nodename} since {holder.since.astimezone():%H:%M}"
        )
    assert read_holder(lock) == SOMEBODY


def test_a_holder_of_another_day_is_said_with_the_day() -> None:
    since = datetime.now(UTC) - timedelta(days=3)
    assert str(Holder(7, "nova", since)) == f"process 7 on nova since {since.astimezone():%Y-%m-%d %H:%M}"


@pytest.mark.parametrize(
    "data", [b"", b"\xff\0", b"[]", b"3", b'{"pid": "x"}', b'{"pid": 1, "host": "a", "since": "soon"}', b"[" * 100_000]
)
def test_garbage_names_no_holder(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.lock").write_bytes(data)
    assert Holder.parse(data) is None
    assert read_holder(tmp_path / "a.lock") == SOMEBODY


def test_who_waits_says_so_once_and_burns_no_processor(tmp_path: Path) -> None:
    with workspace(tmp_path, "a"):
        waiting = waiter(tmp_path, 60)
        assert words(waiting).startswith(f"process {os.getpid()} on ")
        time.sleep(3)
        assert waiting.poll() is None
    seconds = float(words(waiting))
    assert waiting.wait() == 0
    assert seconds < 0.15, "nothing else was said, and at most a twentieth of the time was spent working"


def test_waiting_ends_at_once_with_an_interrupt(tmp_path: Path) -> None:
    with workspace(tmp_path, "a"):
        waiting = waiter(tmp_path, 60)
        assert words(waiting)
        time.sleep(1.5)  # its pauses have grown
        begin = time.monotonic()
        waiting.send_signal(signal.SIGINT)
        assert words(waiting) == "KeyboardInterrupt"
        assert time.monotonic() - begin < 0.5
        waiting.wait()


def test_waiting_in_the_system_ends_at_once_with_an_interrupt(tmp_path: Path) -> None:
    endless = (
        "import math, sys, pathlib\nfrom minemap_assets.lake.locks import hold\nprint('begins', flush=True)\n"
        "try:\n  with hold(pathlib.Path(sys.argv[1]), math.inf): pass\n"
        "except KeyboardInterrupt: print('ended', flush=True)"
    )
    with hold(tmp_path / "a.lock"):
        command = [sys.executable, "-c", endless, str(tmp_path / "a.lock")]
        waiting = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert words(waiting) == "begins"
        time.sleep(0.3)
        waiting.send_signal(signal.SIGINT)
        assert words(waiting) == "ended"
        assert waiting.wait(5) == 0


def test_time_that_is_up_is_said_with_the_holder(tmp_path: Path) -> None:
    told: list[str] = []
    with workspace(tmp_path, "a"):
        begin = time.monotonic()
        with (
            pytest.raises(
                BusyError, match=r"^it is held by process \d+ on .* since \d\d:\d\d; run the same command again"
            ),
            workspace(tmp_path, "a", Wait("it", 0.5, told.append)),
        ):
            pass
        assert 0.5 <= time.monotonic() - begin < 2
        assert len(told) == 1
        with pytest.raises(BusyError), workspace(tmp_path, "a", Wait("it", 0.0, told.append)):
            pass
        assert len(told) == 1, "who does not wait says nothing"
        with pytest.raises(LockedError), workspace(tmp_path, "a"):
            pass


def test_a_forked_child_neither_keeps_nor_ends_its_parents_lock(tmp_path: Path) -> None:
    lock = tmp_path / f"a{LOCK}"
    holding = hold(lock, keep=True)
    with holding:
        child = os.fork()
        if child == 0:
            holding.__exit__(None, None, None)
            os.execv(sys.executable, [sys.executable, "-c", "pass"])
        assert os.waitpid(child, 0)[1] == 0
        with pytest.raises(LockedError), hold(lock):
            pass
        sleeper = os.fork()
        if sleeper == 0:
            signal.pause()
    try:
        with hold(lock, 1.0):
            pass
    finally:
        os.kill(sleeper, signal.SIGKILL)
        os.waitpid(sleeper, 0)


def test_a_file_system_without_locks_is_said_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(
        StorageError, match=r"is on a file system without file locks \(No locks available\), which keep"
    ):
        hold(tmp_path / "a.lock", math.inf).__enter__()


def test_nobody_holds_a_lock_whose_folder_is_gone(tmp_path: Path) -> None:
    assert not is_held(tmp_path / "gone" / "a.lock")
    (tmp_path / "file").touch()
    assert not is_held(tmp_path / "file" / "a.lock")
    (tmp_path / "a.lock").touch()
    assert not is_held(tmp_path / "a.lock")
