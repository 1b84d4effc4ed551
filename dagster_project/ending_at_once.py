"""Ending at once: what Ctrl-C and SIGTERM do as long as there is nothing to put in order.

This is imported before anything else, so it imports next to nothing itself.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from dagster_project.exit_codes import INTERRUPTED

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def ends_at_once() -> Iterator[None]:
    """Within, a signal ends the process with one word: for imports and reading, which leave nothing to put in order."""

    def stop(_: int, __: FrameType | None) -> None:
        os.write(2, b"stopped\n")
        os._exit(INTERRUPTED)

    before = {s: signal.signal(s, stop) for s in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            # who was stopped inside ignores further signals on the way out
            if signal.getsignal(number) is stop:
                signal.signal(number, handler)
