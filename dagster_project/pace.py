"""How long a run still takes: from what it has made so far, and from earlier runs where it has made none of a kind."""

import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from minemap_assets.graph.statement import Asset
from minemap_assets.lake.manifests import PartitionRef

SILENT = 3.0
"""Seconds in which nothing is foretold: a first step says nothing about the others."""

WINDOW = 30.0
"""Seconds over which the speed of a stage is measured: what was adopted from an earlier run went by at once."""

_EVERY = 0.25
"""Seconds between two samples of a stage."""

Kind = tuple[str, str]
"""Room and name of an asset."""


@dataclass(frozen=True)
class Left:
    """Seconds that are left, and whether some work is not in them because nobody knows how long it takes."""

    seconds: float
    at_least: bool = False

    def __str__(self) -> str:
        return f"{'at least' if self.at_least else 'about'} {spoken(self.seconds)} left"


@dataclass(frozen=True)
class Stage:
    """Where the partition that is being made is: its stage, the items done, all of them, and a detail."""

    ref: PartitionRef
    name: str
    done: int
    total: int
    detail: str = ""

    def __str__(self) -> str:
        name = self.name or "item"
        return f"{name} {self.done:,} of {self.total:,}" + (f", {self.detail}" if self.detail else "")


class Pace:
    """Hears what a run does, and foretells.

    `due` is what is expected to be made, `usual` the seconds that a partition of each asset took lately.
    """

    def __init__(
        self,
        due: Collection[PartitionRef],
        usual: Mapping[Asset, float],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._usual = {(asset.room, asset.name): seconds for asset, seconds in usual.items()}
        self._due = set(due)
        self._open = Counter(_kind(ref) for ref in self._due)
        self._taken: dict[Kind, list[float]] = {}
        self._clock = clock
        self._start = self._step = clock()
        self._stage: Stage | None = None
        self._samples: deque[tuple[float, int]] = deque()

    @property
    def elapsed(self) -> float:
        """Seconds since the run began."""
        return self._clock() - self._start

    @property
    def stage(self) -> Stage | None:
        """Where the partition that is being made is; None before it has said so."""
        return self._stage

    def ended(self, ref: PartitionRef, seconds: float, *, made: bool) -> None:
        """A partition is over: made in so many seconds, or kept, failed, held up."""
        if ref in self._due:
            self._due.remove(ref)
            self._open[_kind(ref)] -= 1
        if made:
            self._taken.setdefault(_kind(ref), []).append(seconds)
        self._stage, self._step = None, self._clock()
        self._samples.clear()

    def went_on(self, stage: Stage) -> None:
        """The partition that is being made has come further."""
        now, before = self._clock(), self._stage
        if before is None or (before.ref, before.name) != (stage.ref, stage.name):
            self._samples.clear()
        if before is not None and before.ref != stage.ref:
            self._step = now
        self._stage = stage
        if not self._samples or now - self._samples[-1][0] >= _EVERY:
            self._samples.append((now, stage.done))
        while len(self._samples) > 2 and now - self._samples[0][0] > WINDOW:
            self._samples.popleft()

    def stage_left(self) -> Left | None:
        """What is left of the stage; None where it cannot be told."""
        if self._stage is None or len(self._samples) < 2:
            return None
        (first, began), (last, done) = self._samples[0], self._samples[-1]
        if last - first < SILENT or done <= began:
            return None
        rate = (last - first) / (done - began)
        return Left(max(0.0, rate * (self._stage.total - done) - (self._clock() - last)))

    def left(self) -> Left | None:
        """What is left of the whole run; None in its first seconds, and where nothing can be told."""
        if self.elapsed < SILENT:
            return None
        seconds, known, unknown = self._current()
        working = self._stage.ref if self._stage is not None and self._stage.ref in self._due else None
        for kind, number in self._open.items():
            others = number - (working is not None and _kind(working) == kind)
            expected = self._expected(kind)
            if others > 0 and expected is not None:
                seconds, known = seconds + others * expected, True
            unknown = unknown or (others > 0 and expected is None)
        return Left(seconds, at_least=unknown) if known and not (unknown and seconds < 1.0) else None

    def _current(self) -> tuple[float, bool, bool]:
        """Seconds that the partition in work still takes, whether they are known, and whether they are not."""
        if self._stage is None:
            return 0.0, False, False
        stage, expected = self.stage_left(), self._expected(_kind(self._stage.ref))
        if stage is not None:
            return stage.seconds, True, False
        passed = self._clock() - self._step
        return (expected - passed, True, False) if expected is not None and passed < expected else (0.0, False, True)

    def _expected(self, kind: Kind) -> float | None:
        taken = self._taken.get(kind)
        return sum(taken) / len(taken) if taken else self._usual.get(kind)


def _kind(ref: PartitionRef) -> Kind:
    return ref.room, ref.asset


def spoken(seconds: float) -> str:
    """A time for people, no more exact than it is known: `20 s`, `7 min`, `1 h 25 min`."""
    if seconds < 55:
        return f"{max(5, round(seconds / 5) * 5)} s"
    minutes = max(1, round(seconds / 60))
    if minutes < 60:
        return f"{minutes} min"
    hours, rest = divmod(round(minutes / 5) * 5, 60)
    return f"{hours} h {rest} min" if rest else f"{hours} h"


def exact(seconds: float, *, tenths: bool = True) -> str:
    """A time that has passed: `0.4 s`, `12 s`, `5 min 34 s`, `2 h 5 min`."""
    if tenths and seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
