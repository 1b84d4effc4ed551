"""How partitions come out of a run, and who is told of it while it goes on."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum

from minemap_assets.graph.graph import Step
from minemap_assets.lake.manifests import PartitionRef
from minemap_assets.project.listener import Listener


class State(Enum):
    """How a partition came out."""

    MADE = "made"
    KEPT = "kept"
    FAILED = "failed"
    BLOCKED = "held up"


@dataclass(frozen=True)
class Gaps:
    """Items that a partition should hold and does not: how many, and of how many sites (0 where it holds none).

    So many are `retried` by the next run; `first` is one of them with its reason.
    """

    missing: int
    of: int
    retried: int
    first: str

    def __str__(self) -> str:
        return f"{self.missing} of {self.of} sites missing" if self.of else f"{self.missing} missing"


@dataclass(frozen=True)
class Result:
    """One partition's state, one sentence where it failed or was held up, seconds that it took, and what it lacks."""

    ref: PartitionRef
    state: State
    reason: str = ""
    seconds: float = 0.0
    gaps: Gaps | None = None


@dataclass
class Report:
    """What a run came to; `stopped` says why it ended before its end though nothing failed."""

    results: list[Result] = field(default_factory=list)
    stopped: str = ""

    def count(self, state: State) -> int:
        """Partitions in a state."""
        return sum(r.state is state for r in self.results)

    @property
    def failures(self) -> list[Result]:
        """What failed, without what was only held up."""
        return [r for r in self.results if r.state is State.FAILED]

    @property
    def with_gaps(self) -> list[Result]:
        """What is there, made now or before, but lacks something."""
        return [r for r in self.results if r.gaps is not None]


Progress = Callable[[PartitionRef, int, int, str, str], None]
"""Called with a partition, its items that are done, all of them, the stage and a detail (`listener.Progress`)."""

Notice = Callable[[str], None]
"""Called with a sentence that a person should read, though the run goes on."""

Holds = Callable[[PartitionRef], str]
"""Why a partition is not to be made though nothing failed; empty where it is."""


def no_hold(_: PartitionRef) -> str:
    """Everything is to be made."""
    return ""


@dataclass(frozen=True)
class Watch:
    """Who hears of each step: when it `begins`, all that it is made from being settled, but before it is looked at;
    when it `works`, as far as anything of it is to be made; and how it came out.
    """

    begins: Callable[[Step], None]
    works: Callable[[Step], None]
    told: Callable[[Step, Sequence[Result]], None]


class Recorder(Listener):
    """Remembers how the partitions of a step came out, with the errors themselves, and passes on what happens."""

    def __init__(self, progress: Progress = lambda *_: None, notice: Notice = lambda _: None) -> None:
        self._progress = progress
        self._notice = notice
        self._begun = time.monotonic()
        self.made: dict[PartitionRef, bool] = {}
        self.seconds: dict[PartitionRef, float] = {}
        self.errors: dict[PartitionRef, BaseException] = {}

    def tells(self, progress: Progress, notice: Notice) -> None:
        """Pass on to others from now on."""
        self._progress, self._notice = progress, notice

    def clear(self) -> None:
        """Forget everything, before the next step."""
        self.made.clear()
        self.seconds.clear()
        self.errors.clear()
        self._begun = time.monotonic()

    def progress(self, ref: PartitionRef, done: int, total: int, stage: str = "", detail: str = "") -> None:
        """Pass it on."""
        self._progress(ref, done, total, stage, detail)

    def noticed(self, sentence: str) -> None:
        """Pass it on."""
        self._notice(sentence)

    def finished(self, ref: PartitionRef, made: bool) -> None:
        """Remember it."""
        self.made[ref] = made
        self._ended(ref)

    def failed(self, ref: PartitionRef, error: BaseException) -> None:
        """Remember it."""
        self.errors[ref] = error
        self._ended(ref)

    def _ended(self, ref: PartitionRef) -> None:
        """Partitions of a step are made one after the other."""
        now = time.monotonic()
        self.seconds[ref], self._begun = now - self._begun, now
