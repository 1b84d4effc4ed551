"""Workspaces: held by one process, cleared when it is gone."""

import math
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from minemap_assets.lake.locks import LOCK, LockedError, hold
from minemap_assets.lake.workspaces import clear, is_held, workspace

HOLD = """
import sys, time
from pathlib import Path
from minemap_assets.lake.workspaces import workspace
with workspace(Path(sys.argv[1]), "theirs") as folder:
    (folder / "half").write_text("half")
    print("held", flush=True)
    time.sleep(60)
"""


@contextmanager
def other_process(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the workspace `theirs`."""
    with subprocess.Popen([sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "held"
        try:
            yield process
        finally:
            process.kill()


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_a_workspace_is_empty_and_gone_afterwards(tmp_path: Path) -> None:
    with workspace(tmp_path, "a") as folder:
        assert names(tmp_path) == ["a", f"a{LOCK}"]
        (folder / "inner").mkdir()
        (folder / "inner" / "file").write_text("x")
    assert names(tmp_path) == []


def test_nobody_takes_or_clears_what_a_living_process_holds(tmp_path: Path) -> None:
    with other_process(tmp_path):
        with pytest.raises(LockedError), workspace(tmp_path, "theirs"):
            pass
        with workspace(tmp_path, "ours"):
            clear(tmp_path)
            assert is_held(tmp_path / f"theirs{LOCK}")
            assert (tmp_path / "theirs" / "half").exists()
            assert (tmp_path / "ours").exists()


def test_what_a_killed_process_left_goes_with_the_next_workspace(tmp_path: Path) -> None:
    with other_process(tmp_path) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert names(tmp_path) == ["theirs", f"theirs{LOCK}"]
    with workspace(tmp_path) as ours:
        assert names(tmp_path) == sorted([ours.name, f"{ours.name}{LOCK}"])


def test_what_never_had_a_lock_is_cleared_too(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "file").write_text("x")
    (tmp_path / "tmpfile").write_text("x")
    clear(tmp_path)
    assert names(tmp_path) == []


def test_waiting_for_a_lock_ends_when_it_is_free(tmp_path: Path) -> None:
    lock = tmp_path / "a.lock"
    held, release = threading.Event(), threading.Event()

    def other() -> None:
        with hold(lock):
            held.set()
            release.wait()

    thread = threading.Thread(target=other)
    thread.start()
    held.wait()
    with pytest.raises(LockedError), hold(lock, patience=0.1):
        pass
    threading.Timer(0.2, release.set).start()
    with hold(lock, patience=10.0):
        assert is_held(lock)
    thread.join()
    assert not lock.exists()


def test_many_threads_hold_one_lock_in_turn(tmp_path: Path) -> None:
    inside, most, done = 0, 0, []

    def work() -> None:
        nonlocal inside, most
        for _ in range(20):
            with hold(tmp_path / "a.lock", patience=30.0):
                inside += 1
                most = max(most, inside)
                inside -= 1
        done.append(True)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 4
    assert most == 1


def test_many_share_a_lock_that_one_alone_waits_for(tmp_path: Path) -> None:
    lock = tmp_path / "a.lock"
    with hold(lock, shared=True), hold(lock, shared=True), pytest.raises(LockedError), hold(lock, keep=True):
        pass
    with hold(lock, math.inf, keep=True), pytest.raises(LockedError), hold(lock, shared=True):
        pass
    assert lock.exists()


def test_who_waits_without_end_gets_the_lock(tmp_path: Path) -> None:
    lock = tmp_path / "a.lock"
    waiting, done = threading.Event(), threading.Event()

    def other() -> None:
        waiting.set()
        with hold(lock, math.inf, keep=True):
            done.set()

    thread = threading.Thread(target=other)
    with hold(lock):  # its file goes with it, and the one who waits makes another
        thread.start()
        waiting.wait()
        assert not done.wait(0.1)
    thread.join(10)
    assert done.is_set()
    assert lock.exists()
