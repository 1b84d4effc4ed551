"""Arrivals: what sources held when they were polled, so that new and corrected images start work.

A composite's fingerprint holds what this machine knows. Images that lie with a service may be corrected there without
anything changing here; so corrections that were seen are counted in the project, and the count is part of the
fingerprint. What a year is compared with is the revision that its source stated when a composite of it was made for the
first time (`note_revisions`), so that a correction between that run and the first poll counts too.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from pydantic import Field, ValidationError

from minemap_assets.errors import BadInputError, MinemapError
from minemap_assets.imagery.config import ImageryConfig
from minemap_assets.imagery.rules import season_rule
from minemap_assets.imagery.seasons import SeasonRule
from minemap_assets.imagery.source import ImagerySource
from minemap_assets.lake.inputs import Inputs
from minemap_assets.lake.store import Store
from minemap_assets.net.policy import StoppedError
from minemap_assets.project.project import Project
from minemap_assets.project.regions import Region
from minemap_assets.project.settings import StrictModel

ARRIVALS_PATH = "inputs/arrivals.json"

UNKNOWN = "unknown"
"""The revision of a year whose source failed when it was asked; whatever it says next counts as a correction."""

_RUNNING = "until "
"""How the revision of a season begins to which a service adds images day by day (`source.latest_until`)."""

Revisions = Mapping[int, str]
"""A revision for each year that has images."""


@dataclass(frozen=True, order=True)
class Channel:
    """One source of one product, polled for one rule of seasons."""

    product: str
    source: str
    season: str

    @property
    def key(self) -> str:
        """The channel in one word, for files and cursors."""
        return f"{self.product}/{self.source}/{self.season}"

    @classmethod
    def of(cls, key: str) -> "Channel":
        """The channel of a key."""
        return cls(*key.split("/"))


@dataclass(frozen=True)
class PollResult:
    """What sources answered. A source that failed is in `failures` with its reason, and in nothing else."""

    revisions: Mapping[Channel, Revisions]
    remote: frozenset[Channel]
    failures: Mapping[Channel, str]


class Arrival(StrictModel):
    """The revision of a year that was seen last, and how often it had changed since it was first looked at."""

    revision: str
    corrections: int = 0


class Arrivals(StrictModel):
    """Arrivals by channel and year."""

    channels: dict[str, dict[int, Arrival]] = Field(default_factory=dict)

    def knows(self, channel: Channel, year: int) -> bool:
        """Whether there is a revision to compare with."""
        return year in self.channels.get(channel.key, {})

    def corrections(self, channel: Channel, year: int) -> int:
        """How often a year's images changed between looks."""
        arrival = self.channels.get(channel.key, {}).get(year)
        return 0 if arrival is None else arrival.corrections

    def with_first(self, channel: Channel, year: int, revision: str) -> "Arrivals":
        """These arrivals, and a revision to compare with where there was none."""
        if self.knows(channel, year):
            return self
        years = {**self.channels.get(channel.key, {}), year: Arrival(revision=revision)}
        return Arrivals(channels={**self.channels, channel.key: years})

    def with_poll(self, poll: PollResult, years: Iterable[tuple[Channel, int]]) -> "Arrivals":
        """These arrivals and what a poll told of years, of channels whose images lie with a service."""
        channels = {key: dict(known) for key, known in self.channels.items()}
        for channel, year in years:
            revision = poll.revisions.get(channel, {}).get(year)
            if revision is None or channel not in poll.remote:
                continue
            seen = channels.setdefault(channel.key, {})
            before = seen.get(year)
            if before is None:
                seen[year] = Arrival(revision=revision)
            elif before.revision != revision:
                seen[year] = Arrival(revision=revision, corrections=before.corrections + 1)
        return Arrivals(channels=channels)


def grows_daily(revision: str) -> bool:
    """Whether a season's revision says that a service adds images to it day by day, and only until when."""
    return revision.startswith(_RUNNING)


def season_name(rule: SeasonRule) -> str:
    """A rule of seasons as people write it: `6-11`."""
    return f"{rule.first_month}-{rule.last_month}"


def poll_sources(product: str, sources: Iterable[ImagerySource], rules: Iterable[SeasonRule]) -> PollResult:
    """Ask the sources of one product what they hold. A source that fails does not keep the others from being asked.

    One that was stopped meanwhile is among the failures, too.
    """
    revisions: dict[Channel, Revisions] = {}
    failures: dict[Channel, str] = {}
    remote = set()
    seasons = sorted(rules, key=lambda rule: (rule.first_month, rule.last_month))
    for source in sources:
        for rule in seasons:
            channel = Channel(product, source.name, season_name(rule))
            try:
                found = source.latest_by_season(rule)
            except MinemapError as error:
                failures[channel] = str(error)
                continue
            revisions[channel] = dict(found.revisions)
            if found.remote:
                remote.add(channel)
    return PollResult(revisions, frozenset(remote), failures)


def merge_polls(polls: Iterable[PollResult]) -> PollResult:
    """Several results as one."""
    every = tuple(polls)
    return PollResult(
        {c: r for one in every for c, r in one.revisions.items()},
        frozenset().union(*(one.remote for one in every)),
        {c: reason for one in every for c, reason in one.failures.items()},
    )


def read_arrivals(store: Store) -> Arrivals:
    """The project's arrivals; none where nothing was looked at yet.

    Raises `BadInputError` for a damaged or lost file.
    """
    inputs = Inputs(store)
    return _parsed(inputs, inputs.read(ARRIVALS_PATH), store)


def change_arrivals(store: Store, change: Callable[[Arrivals], Arrivals]) -> None:
    """Change the arrivals as they are at this moment; nothing is written where they stay the same.

    Raises `BadInputError` for a damaged or lost file.
    """
    inputs = Inputs(store)

    def edit(data: bytes | None) -> bytes | None:
        known = _parsed(inputs, data, store)
        arrivals = change(known)
        if arrivals == known and data is not None:
            return data
        return (json.dumps(arrivals.model_dump(mode="json"), indent=1, sort_keys=True) + "\n").encode()

    inputs.change(ARRIVALS_PATH, edit)


def note_revisions(project: Project, region: Region, year: int, sources: Iterable[ImagerySource]) -> None:
    """Before a composite is made: remember which revision of its season each source states, where nobody has yet.

    A source whose images lie on this machine speaks for itself in the fingerprint. One that fails now for a reason that
    may pass is remembered as `UNKNOWN`. One that cannot be asked at all is told of, and compared from its first answer
    on.
    """
    store, rule = project.lake.store, season_rule(region)
    known = read_arrivals(store)
    first: dict[Channel, str] = {}
    for source in sources:
        channel = Channel(source.product, source.name, season_name(rule))
        if not known.knows(channel, year):
            stated = _stated(source, rule, year)
            if stated is not None:
                first[channel] = stated

    def with_them(arrivals: Arrivals) -> Arrivals:
        for channel, revision in first.items():
            arrivals = arrivals.with_first(channel, year, revision)
        return arrivals

    if first:
        change_arrivals(store, with_them)


def _stated(source: ImagerySource, rule: SeasonRule, year: int) -> str | None:
    """The revision that a service states of a season; None where there is none.

    One that could not be asked, for whatever reason, is `UNKNOWN`: its next answer counts as a correction. Why it could
    not is told by the reading itself, where that fails as well.
    """
    try:
        latest = source.latest_by_season(rule)
    except StoppedError:
        raise
    except MinemapError:
        return UNKNOWN
    return latest.revisions.get(year) if latest.remote else None


def corrections(project: Project, region: Region, year: int, product: str) -> dict[str, int]:
    """How often a region's images of a year were seen to be corrected, by source; only those that were."""
    arrivals, season = project.cached(_arrivals_of), season_name(season_rule(region))
    names = project.section(ImageryConfig).sources.get(product, ())
    counts = {name: arrivals.corrections(Channel(product, name, season), year) for name in names}
    return {name: count for name, count in counts.items() if count}


def _arrivals_of(project: Project) -> Arrivals:
    return project.parsed(ARRIVALS_PATH, lambda data: _parse(data, project.lake.store))


def _parsed(inputs: Inputs, data: bytes | None, store: Store) -> Arrivals:
    with inputs.reading(ARRIVALS_PATH, data):
        return _parse(data, store)


def _parse(data: bytes | None, store: Store) -> Arrivals:
    try:
        return Arrivals() if data is None else Arrivals.model_validate_json(data)
    except ValidationError as error:
        raise BadInputError(
            f"{store.root}/{ARRIVALS_PATH} cannot be read; remove it, and the sensor new_imagery begins anew"
        ) from error
