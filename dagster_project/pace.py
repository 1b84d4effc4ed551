"""How long a run still takes: from what it has made so far, and from earlier runs where it has made none of a kind."""

import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

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


@dataclass
class _Course:
    """A partition in work: when it was first heard of, where it is, and when it had done how much of its stage."""

    begun: float
    stage: Stage
    samples: deque[tuple[float, int]] = field(default_factory=deque)

    def went_on(self, stage: Stage, now: float) -> None:
        """It has come further."""
        if self.stage.name != stage.name:
            self.samples.clear()
        self.stage = stage
        if not self.samples or now - self.samples[-1][0] >= _EVERY:
            self.samples.append((now, stage.done))
        while len(self.samples) > 2 and now - self.samples[0][0] > WINDOW:
            self.samples.popleft()

    def left(self, now: float) -> Left | None:
        """What is left of the stage; None where it cannot be told."""
        if len(self.samples) < 2:
            return None
        (first, began), (last, done) = self.samples[0], self.samples[-1]
        if last - first < SILENT or done <= began:
            return None
        rate = (last - first) / (done - began)
        return Left(max(0.0, rate * (self.stage.total - done) - (now - last)))


class Pace:
    """Hears what a run does, and foretells.

    `due` is what is expected to be made, `usual` the seconds that a partition of each asset took lately, and up to
    `jobs` partitions are made side by side.
    """

    def __init__(
        self,
        due: Collection[PartitionRef],
        usual: Mapping[Asset, float],
        clock: Callable[[], float] = time.monotonic,
        *,
        jobs: int = 1,
    ) -> None:
        self._lately = dict(usual)
        self._usual = {(asset.room, asset.name): seconds for asset, seconds in usual.items()}
        self._due = set(due)
        self._open = Counter(_kind(ref) for ref in self._due)
        self._taken: dict[Kind, list[float]] = {}
        self._clock = clock
        self._jobs = jobs
        self._start = self._idle = clock()
        self._courses: dict[PartitionRef, _Course] = {}

    @property
    def usual(self) -> Mapping[Asset, float]:
        """Seconds that a partition of each asset took lately."""
        return self._lately

    @property
    def elapsed(self) -> float:
        """Seconds since the run began."""
        return self._clock() - self._start

    @property
    def stage(self) -> Stage | None:
        """Where the partition is of which was heard last; None before any has said so."""
        course = next(reversed(self._courses.values()), None)
        return None if course is None else course.stage

    def ended(self, ref: PartitionRef, seconds: float, *, made: bool) -> None:
        """A partition is over: made in so many seconds, or kept, failed, held up."""
        if ref in self._due:
            self._due.remove(ref)
            self._open[_kind(ref)] -= 1
        if made:
            self._taken.setdefault(_kind(ref), []).append(seconds)
        self._idle = self._clock()
        if self._jobs == 1:
            self._courses.clear()
        self._courses.pop(ref, None)

    def went_on(self, stage: Stage) -> None:
        """A partition that is being made has come further."""
        now = self._clock()
        course = self._courses.pop(stage.ref, None)
        if course is None:
            course = _Course(self._idle if self._jobs == 1 and not self._courses else now, stage)
            if self._jobs == 1:
                self._courses.clear()
        course.went_on(stage, now)
        self._courses[stage.ref] = course

    def stage_left(self, ref: PartitionRef | None = None) -> Left | None:
        """What is left of the stage of a partition, or of the one of which was heard last; None where it cannot be
        told.
        """
        course = self._courses.get(ref) if ref is not None else next(reversed(self._courses.values()), None)
        return None if course is None else course.left(self._clock())

    def left(self) -> Left | None:
        """What is left of the whole run; None in its first seconds, and where nothing can be told."""
        if self.elapsed < SILENT:
            return None
        current = [self._left_of(course) for course in self._courses.values()]
        known = [seconds for seconds in current if seconds is not None]
        unknown, others = len(known) < len(current), 0.0
        working = Counter(_kind(ref) for ref in self._courses if ref in self._due)
        told = bool(known)
        for kind, number in self._open.items():
            waiting, expected = number - working[kind], self._expected(kind)
            if waiting > 0 and expected is not None:
                others, told = others + waiting * expected, True
            unknown = unknown or (waiting > 0 and expected is None)
        seconds = max((sum(known) + others) / self._jobs, max(known, default=0.0))
        return Left(seconds, at_least=unknown) if told and not (unknown and seconds < 1.0) else None

    def _left_of(self, course: _Course) -> float | None:
        """Seconds that a partition in work still takes; None where nobody knows."""
        now, stage, expected = self._clock(), course.left(self._clock()), self._expected(_kind(course.stage.ref))
        if stage is not None:
            return stage.seconds
        passed = now - course.begun
        return expected - passed if expected is not None and passed < expected else None

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
