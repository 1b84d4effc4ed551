"""A signal ends a command in time, also where Python's own handler cannot run."""

import signal
import subprocess
import sys
import time

import pytest

from dagster_project.cli.interrupts import EXIT_CODE, GRACE_SECONDS

SCRIPT = """
import hashlib, time
from dagster_project.cli.interrupts import interruptible

def last_words():
    print("last words", flush=True)

try:
    with interruptible(last_words) as interruption:
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


def run(work: str, number: signal.Signals) -> tuple[str, int, float]:
    command = [sys.executable, "-c", SCRIPT.format(work=work)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "begun"
        # let it come to its work, which says nothing
        time.sleep(0.5)
        start = time.monotonic()
        process.send_signal(number)
        text = process.stdout.read()
        return text, process.wait(), time.monotonic() - start


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("work", [IN_PYTHON, SWALLOWED])
def test_the_main_thread_ends_in_order(work: str, number: signal.Signals) -> None:
    text, code, seconds = run(work, number)
    assert text == "interrupted True\n"
    assert code == EXIT_CODE
    assert seconds < 2.0


def test_a_long_call_into_c_is_not_waited_for() -> None:
    text, code, seconds = run(IN_C, signal.SIGTERM)
    assert text == "last words\n"
    assert code == EXIT_CODE
    assert GRACE_SECONDS <= seconds < 5.0
