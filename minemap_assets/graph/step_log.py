"""What a run's log tells of a step while it goes on: its stages, how far it is, and what a person should know."""

import time
from collections.abc import Callable
from logging import Logger

from minemap_assets.lake.manifests import PartitionRef
from minemap_assets.project.listener import Listener

SECONDS = 30.0
"""Time after which a line is due though little was done."""

SHARE, LEAST_SECONDS = 0.1, 5.0
"""Share of the work after which a line is due, though not sooner than so many seconds after the last."""

Clock = Callable[[], float]


class StepLog(Listener):
    """Writes into the log of a step, and passes on what it hears."""

    def __init__(self, inner: Listener, log: Logger, clock: Clock = time.monotonic) -> None:
        self._inner = inner
        self._log = log
        self._clock = clock
        self._begun = self._last = clock()
        self._stage: str | None = None
        self._stage_begun, self._first, self._told = self._begun, 0, 0.0

    @property
    def seconds(self) -> float:
        """Time since the step began."""
        return self._clock() - self._begun

    def progress(self, ref: PartitionRef, done: int, total: int, stage: str = "", detail: str = "") -> None:
        """Pass it on, and log it where a stage begins, much was done, or a while has passed."""
        self._inner.progress(ref, done, total, stage, detail)
        now = self._clock()
        if stage != self._stage:
            self._stage, self._stage_begun, self._first, self._told = stage, now, done, 0.0
            self._tell(ref, done, total, stage, detail, now)
        elif total and (
            now - self._last >= SECONDS or (done / total - self._told >= SHARE and now - self._last >= LEAST_SECONDS)
        ):
            self._tell(ref, done, total, stage, detail, now)

    def _tell(self, ref: PartitionRef, done: int, total: int, stage: str, detail: str, now: float) -> None:
        self._last, self._told = now, done / total if total else 0.0
        parts = [f"{ref}: {stage or 'working'}, {done} of {total}", detail, self._left(done, total, now)]
        self._log.info("%s", ", ".join(part for part in parts if part))

    def _left(self, done: int, total: int, now: float) -> str:
        """Time left if the rest of the stage goes as what was done of it so far; empty where that says nothing."""
        since, passed = done - self._first, now - self._stage_begun
        if since <= 0 or passed < LEAST_SECONDS or done >= total:
            return ""
        return f"about {duration((total - done) * passed / since)} left"

    def noticed(self, sentence: str) -> None:
        """Pass it on, and log it."""
        self._log.warning("%s", sentence)
        self._inner.noticed(sentence)

    def finished(self, ref: PartitionRef, made: bool) -> None:
        """Pass it on."""
        self._inner.finished(ref, made)

    def failed(self, ref: PartitionRef, error: BaseException) -> None:
        """Pass it on."""
        self._inner.failed(ref, error)


def duration(seconds: float) -> str:
    """`8 s`, `3 min`, `1 h 20 min`."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
