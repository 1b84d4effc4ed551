"""Asking sources what they hold, within the time of a tick; what did not answer in time is asked first next time.

What a source said last stays known while it fails: a failed question is never taken for nothing new.
"""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from pydantic import Field, ValidationError

from minemap_assets.errors import MinemapError
from minemap_assets.imagery.arrivals import Channel, PollResult, merge_polls, poll_sources, season_name
from minemap_assets.imagery.rules import product_of, season_rule
from minemap_assets.imagery.seasons import SeasonRule
from minemap_assets.imagery.source import ImagerySource
from minemap_assets.imagery.source_kind import SourceKind, kinds_of
from minemap_assets.project.operations import OperationsConfig
from minemap_assets.project.project import Project
from minemap_assets.project.settings import StrictModel

TICK_SECONDS = 60.0
"""Dagster ends a tick that takes longer."""

_POLL_SECONDS = 30.0
"""After this a poll is stopped, so that the tick has time for what the others said."""


class Memory(StrictModel):
    """What `new_imagery` remembers between ticks: a few words for each channel and year, however many regions it has.

    `polled` is when the last round of questions began, `waiting` whom that round has still to ask (product and source).
    `known` is what channels said last, `remote` those whose images lie with a service. `settled` marks years of which
    every region was current, with what they were compared with; `looked` says how far, on which day, the regions of a
    season that goes on were looked at. `place` is where the next tick begins.
    """

    polled: datetime | None = None
    waiting: tuple[str, ...] = ()
    known: dict[str, dict[int, str]] = Field(default_factory=dict)
    remote: tuple[str, ...] = ()
    settled: dict[str, dict[int, str]] = Field(default_factory=dict)
    looked: dict[str, dict[int, tuple[date, str]]] = Field(default_factory=dict)
    place: str = ""

    @classmethod
    def of(cls, cursor: str | None) -> "Memory":
        """What a cursor says; nothing where it is none of this version's, so that everything is looked at anew."""
        try:
            return cls() if not cursor else cls.model_validate_json(cursor)
        except ValidationError:
            return cls()

    @property
    def cursor(self) -> str:
        """As Dagster keeps it."""
        return self.model_dump_json()

    @property
    def revisions(self) -> Mapping[Channel, Mapping[int, str]]:
        """What channels said last."""
        return {Channel.of(key): years for key, years in sorted(self.known.items())}


@dataclass
class Deadline:
    """The moment at which a tick has to come to its end."""

    seconds: float = TICK_SECONDS * 0.75
    _since: float = field(default_factory=time.monotonic)

    @property
    def left(self) -> float:
        """Seconds until then; less than 0 afterwards."""
        return self.seconds - (time.monotonic() - self._since)

    def is_over(self) -> bool:
        """Whether it is time to stop."""
        return self.left <= 0


@dataclass(frozen=True)
class Polled:
    """What a tick's questions came to: answers and failures, and whom there was no time to ask to the end."""

    found: PollResult
    waiting: tuple[str, ...]


def remembering(memory: Memory, project: Project, now: datetime) -> Memory:
    """The memory with a new round of questions, where the last one is over and long enough ago."""
    pause = timedelta(minutes=project.section(OperationsConfig).poll_minutes)
    asked = everyone(project, now.date())
    if memory.waiting or (memory.polled is not None and now < memory.polled + pause):
        return memory.model_copy(update={"waiting": tuple(one for one in memory.waiting if one in asked)})
    return memory.model_copy(update={"waiting": asked, "polled": now})


def poll(project: Project, waiting: tuple[str, ...], deadline: Deadline) -> Polled:
    """Ask those who wait, for the seasons of all active regions, until the time for it is over."""
    rules = {season_rule(region) for region in project.active_regions().values()}
    end = Deadline(min(_POLL_SECONDS, deadline.left))
    polls: list[PollResult] = []
    stopped: list[str] = []
    left = list(waiting)
    while left and not end.is_over():
        one = left.pop(0)
        product, name = one.split("/")
        with _source(project, product, name, rules, end) as (source, failed):
            answer = failed if source is None else poll_sources(product, [source], rules)
        if source is not None and end.is_over() and answer.failures:
            stopped.append(one)
        polls.append(answer)
    return Polled(merge_polls(polls), (*left, *stopped))


def with_answers(memory: Memory, polled: Polled) -> Memory:
    """The memory with new answers in the place of older ones."""
    found = polled.found
    known = memory.known | {channel.key: dict(years) for channel, years in found.revisions.items()}
    answered = {channel.key for channel in found.revisions}
    remote = {key for key in memory.remote if key not in answered} | {channel.key for channel in found.remote}
    return memory.model_copy(update={"known": known, "remote": tuple(sorted(remote)), "waiting": polled.waiting})


def everyone(project: Project, today: date) -> tuple[str, ...]:
    """Sources of products in use, as `product/source`."""
    regions = project.active_regions().values()
    years = [year for year in project.years() if year <= today.year]
    products = sorted({product_of(project, region, year) for region in regions for year in years})
    return tuple(f"{product}/{kind.name}" for product in products for kind in kinds_of(project, product))


@contextmanager
def _source(
    project: Project, product: str, name: str, rules: set[SeasonRule], end: Deadline
) -> Iterator[tuple[ImagerySource | None, PollResult]]:
    """An opened source that is stopped when the time is over; none, with the reason, where it cannot be opened."""
    (kind,) = (kind for kind in kinds_of(project, product) if kind.name == name)
    try:
        source = kind.open(project, product)
    except MinemapError as error:
        yield None, _failed(kind, product, rules, error)
        return
    timer = threading.Timer(max(0.0, min(end.left, threading.TIMEOUT_MAX)), source.stop)
    timer.daemon = True
    timer.start()
    try:
        yield source, PollResult({}, frozenset(), {})
    finally:
        timer.cancel()


def _failed(kind: SourceKind, product: str, rules: set[SeasonRule], error: MinemapError) -> PollResult:
    return PollResult({}, frozenset(), {Channel(product, kind.name, season_name(rule)): str(error) for rule in rules})
