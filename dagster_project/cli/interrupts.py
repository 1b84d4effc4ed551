"""Interruption: Ctrl-C and SIGTERM end a command within seconds, whatever it is doing.

Python runs a signal's handler between two instructions of the main thread, so a long call into C delays it, and Dagster
puts handlers of its own in place while a step runs. So a second thread listens as well: it remembers that a stop was
asked for, and ends the process where the main thread does not come to it in time. Nothing is lost by that: what is
published is whole, and the rest is made again.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

GRACE_SECONDS = 3.5
"""Time the main thread has to stop in order."""

EXIT_CODE = 130

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """Whether a stop was asked for."""

    def __init__(self) -> None:
        self.requested = False

    def check(self) -> None:
        """Raise `KeyboardInterrupt` where a stop was asked for: the signal itself may have been lost on the way."""
        if self.requested:
            raise KeyboardInterrupt


@contextmanager
def interruptible(last_words: Callable[[], None]) -> Iterator[Interruption]:
    """Within, a signal raises `KeyboardInterrupt`; where that leads to nothing, say `last_words` and exit."""
    interruption = Interruption()

    def stop(_: int, __: FrameType | None) -> None:
        interruption.requested = True
        raise KeyboardInterrupt

    def unraisable(event: "sys.UnraisableHookArgs") -> None:
        # A signal that is handled inside a finaliser cannot be raised there; the thread below sees to the end. It may
        # be Dagster's handler that tried, before that thread has heard of the signal.
        if not interruption.requested and issubclass(event.exc_type, Exception):
            loud(event)

    loud, sys.unraisablehook = sys.unraisablehook, unraisable
    heard, told = os.pipe()
    os.set_blocking(told, False)
    before = {s: signal.signal(s, stop) for s in SIGNALS}
    wakeup = signal.set_wakeup_fd(told, warn_on_full_buffer=False)
    threading.Thread(target=_listen, args=(heard, interruption, last_words), daemon=True).start()
    try:
        yield interruption
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_IGN if interruption.requested else handler)
        signal.set_wakeup_fd(wakeup)
        os.close(told)
        if not interruption.requested:
            sys.unraisablehook = loud


def _listen(heard: int, interruption: Interruption, last_words: Callable[[], None]) -> None:
    """Wait for a signal; then give the main thread its time. Ends with the process."""
    while received := os.read(heard, 1):
        if received[0] in SIGNALS:
            interruption.requested = True
            threading.Event().wait(GRACE_SECONDS)
            last_words()
            os._exit(EXIT_CODE)
    os.close(heard)
