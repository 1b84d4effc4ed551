"""A signal ends a command in time and leaves nothing but the last words behind, whatever else would be said."""

import signal
import subprocess
import sys
import time

import pytest

from dagster_project.exit_codes import INTERRUPTED
from dagster_project.interrupts import GRACE_SECONDS

SCRIPT = """
import hashlib, os, sys, time
from dagster_project.interrupts import interruptible

try:
    with interruptible(lambda: "last words") as interruption:
        print("begun", flush=True)
        {work}
except KeyboardInterrupt:
    print("interrupted", interruption.requested, flush=True)
    raise SystemExit(130)
"""

IN_PYTHON = "time.sleep(60)"
IN_C = "hashlib.pbkdf2_hmac('sha256', b'a', b'b', 200_000_000)"
SWALLOWED = """
        try:
            time.sleep(60)
        except KeyboardInterrupt:
            pass
        interruption.check()
"""
NOISY = """
        try:
            time.sleep(60)
        finally:
            print("leftovers", file=sys.stderr, flush=True)
            os.write(2, b"leaked semaphores")
"""
RETOLD = """
        try:
            time.sleep(60)
        except KeyboardInterrupt as stop:
            raise RuntimeError("the run failed") from stop
"""

AT_ONCE = """
from dagster_project.ending_at_once import ends_at_once
import time
with ends_at_once():
    print("begun", flush=True)
    try:
        time.sleep(60)
    except BaseException:
        print("not at once")
"""


def run(script: str, *numbers: signal.Signals) -> tuple[str, int, float]:
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "begun"
        # let it come to its work, which says nothing
        time.sleep(0.5)
        start = time.monotonic()
        for number in numbers:
            process.send_signal(number)
            time.sleep(0.8 if len(numbers) > 1 else 0.0)
        text = process.stdout.read()
        return text, process.wait(), time.monotonic() - start


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("work", [IN_PYTHON, SWALLOWED, NOISY, RETOLD])
def test_the_main_thread_ends_in_order_and_only_the_last_words_are_heard(work: str, number: signal.Signals) -> None:
    text, code, seconds = run(SCRIPT.format(work=work), number)
    assert text == "last words\ninterrupted True\n"
    assert code == INTERRUPTED
    assert seconds < 2.0


def test_a_long_call_into_c_is_not_waited_for() -> None:
    text, code, seconds = run(SCRIPT.format(work=IN_C), signal.SIGTERM)
    assert text == "last words\n"
    assert code == INTERRUPTED
    assert GRACE_SECONDS <= seconds < 5.0


def test_whoever_asks_twice_does_not_wait() -> None:
    text, code, seconds = run(SCRIPT.format(work=IN_C), signal.SIGINT, signal.SIGINT)
    assert text == "last words\n"
    assert code == INTERRUPTED
    assert seconds < GRACE_SECONDS - 0.5


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_leaves_nothing_to_put_in_order_ends_at_once(number: signal.Signals) -> None:
    text, code, seconds = run(AT_ONCE, number)
    assert (text, code) == ("stopped\n", INTERRUPTED)
    assert seconds < 1.0
