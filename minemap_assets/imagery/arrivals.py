"""Arrivals: what sources held when they were polled, so that new and corrected images start work.

A composite's fingerprint holds what this machine knows. Images that lie with a service may be corrected there without
anything changing here; so corrections that were seen are counted in the project, and the count is part of the
fingerprint.
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
from minemap_assets.project.project import Project
from minemap_assets.project.regions import Region
from minemap_assets.project.settings import StrictModel

ARRIVALS_PATH = "inputs/arrivals.json"

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


@dataclass(frozen=True)
class PollResult:
    """What sources answered. A source that failed is in `failures` with its reason, and in nothing else."""

    revisions: Mapping[Channel, Revisions]
    remote: frozenset[Channel]
    failures: Mapping[Channel, str]


class Arrival(StrictModel):
    """The revision of a complete year that was seen last, and how often it had changed since the first poll."""

    revision: str
    corrections: int = 0


class Arrivals(StrictModel):
    """Arrivals by channel and year."""

    channels: dict[str, dict[int, Arrival]] = Field(default_factory=dict)

    def corrections(self, channel: Channel, year: int) -> int:
        """How often a complete year's images changed between polls."""
        arrival = self.channels.get(channel.key, {}).get(year)
        return 0 if arrival is None else arrival.corrections

    def with_poll(self, poll: PollResult, complete: Iterable[tuple[Channel, int]]) -> "Arrivals":
        """These arrivals and what a poll told of complete years, of channels whose images lie with a service."""
        channels = {key: dict(years) for key, years in self.channels.items()}
        for channel, year in complete:
            revision = poll.revisions.get(channel, {}).get(year)
            if revision is None or channel not in poll.remote:
                continue
            years = channels.setdefault(channel.key, {})
            before = years.get(year)
            if before is None:
                years[year] = Arrival(revision=revision)
            elif before.revision != revision:
                years[year] = Arrival(revision=revision, corrections=before.corrections + 1)
        return Arrivals(channels=channels)


def season_name(rule: SeasonRule) -> str:
    """A rule of seasons as people write it: `6-11`."""
    return f"{rule.first_month}-{rule.last_month}"


def poll_sources(product: str, sources: Iterable[ImagerySource], rules: Iterable[SeasonRule]) -> PollResult:
    """Ask the sources of one product what they hold. A source that fails does not keep the others from being asked."""
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
