"""Interruption: Ctrl-C and SIGTERM end a command within seconds, whatever it is doing, and leave one summary behind.

Python runs a signal's handler between two instructions of the main thread, so a long call into C delays it, and Dagster
puts handlers of its own in place while a step runs. So a second thread listens as well: it remembers that a stop was
asked for, and ends the process where the main thread does not come to it in time, or is asked a second time. Nothing is
lost by that: what is published is whole, and the rest is made again.

From the signal on nobody but the last words is heard: libraries that are stopped in the middle complain of it.
"""

import os
import select
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from dagster_project.ending_at_once import SIGNALS
from dagster_project.exit_codes import INTERRUPTED

GRACE_SECONDS = 3.5
"""Time the main thread has to stop in order."""

IMPATIENT_SECONDS = 0.5
"""A second signal that comes later than this after the first means at once; one key may send several."""

DEBUG = "MINEMAP_DEBUG"
"""With this in the environment everything is heard."""


class Interruption:
    """Whether a stop was asked for, and the only voice that is heard from then on."""

    def __init__(self, last_words: Callable[[], str]) -> None:
        self.requested = False
        self._last_words = last_words
        self._voice = os.dup(2)
        self._lock = threading.Lock()
        self._said = self._silent = False

    def check(self) -> None:
        """Raise `KeyboardInterrupt` where a stop was asked for: the signal itself may have been lost on the way."""
        if self.requested:
            raise KeyboardInterrupt

    def request(self) -> None:
        """A signal came: silence everybody else."""
        self.requested = True
        if self._silent or os.environ.get(DEBUG):
            return
        self._silent = True
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        os.close(nowhere)
        sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115  lasts until the process ends

    def say_last_words(self) -> None:
        """Say them once, whoever comes first."""
        with self._lock:
            if not self._said:
                self._said = True
                os.write(self._voice, f"{self._last_words()}\n".encode())

    def close(self) -> None:
        """Give the voice back, where it was not needed."""
        if not self.requested:
            os.close(self._voice)


@contextmanager
def interruptible(last_words: Callable[[], str]) -> Iterator[Interruption]:
    """Within, a signal raises `KeyboardInterrupt`; where that leads to nothing, say `last_words` and exit."""
    interruption = Interruption(last_words)
    raised = False

    def stop(_: int, __: FrameType | None) -> None:
        nonlocal raised
        interruption.request()
        if not raised:
            raised = True
            raise KeyboardInterrupt

    def unraisable(event: "sys.UnraisableHookArgs") -> None:
        # A signal that is handled inside a finaliser cannot be raised there; the thread below sees to the end. It may
        # be Dagster's handler that tried, before that thread has heard of the signal.
        if not interruption.requested and issubclass(event.exc_type, Exception):
            loud(event)

    loud, sys.unraisablehook = sys.unraisablehook, unraisable
    heard, told = os.pipe()
    os.set_blocking(told, False)
    wakeup = signal.set_wakeup_fd(told, warn_on_full_buffer=False)
    threading.Thread(target=_listen, args=(heard, interruption), daemon=True).start()
    before = {s: signal.getsignal(s) for s in SIGNALS}
    try:
        for number in SIGNALS:
            signal.signal(number, stop)
        yield interruption
    except (KeyboardInterrupt, Exception) as error:
        # once a stop is asked for, whatever is raised follows from it: Dagster may tell it as a failure
        if not interruption.requested and not isinstance(error, KeyboardInterrupt):
            raise
        # wherever in here it was raised: from the signal on nobody else is heard
        interruption.request()
        interruption.say_last_words()
        raise KeyboardInterrupt from error
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_IGN if interruption.requested else handler)
        if not interruption.requested:
            signal.set_wakeup_fd(wakeup)
            os.close(told)
            sys.unraisablehook = loud
        interruption.close()


def _listen(heard: int, interruption: Interruption) -> None:
    """Wait for a signal; then give the main thread its time. Ends with the process."""
    while received := os.read(heard, 1):
        if received[0] in SIGNALS:
            interruption.request()
            threading.Event().wait(IMPATIENT_SECONDS)
            os.set_blocking(heard, False)
            _drain(heard)
            select.select([heard], [], [], GRACE_SECONDS - IMPATIENT_SECONDS)
            interruption.say_last_words()
            os._exit(INTERRUPTED)
    os.close(heard)


def _drain(heard: int) -> None:
    """Forget signals that came together with the first."""
    while select.select([heard], [], [], 0)[0]:
        os.read(heard, 64)
