"""Arrivals: what sources showed when they were looked at, so that new and corrected images start work.

What belongs here: looking at sources, telling what changed, and counting corrections of years that were complete. What
does not: asking for runs (`dagster_project/sensors.py`), and fetching anything.

A composite's fingerprint holds what this machine knows. Images that lie with a service may be corrected there without
anything changing here; so corrections that were seen are counted in the project, and the count is part of the
fingerprint.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict, ValidationError

from minemap_assets.errors import BadInputError, MinemapError, NotFoundError
from minemap_assets.imagery.seasons import SeasonRule
from minemap_assets.imagery.source import ImagerySource, Latest
from minemap_assets.lake.store import Store

ARRIVALS_PATH = "inputs/arrivals.json"

Revisions = Mapping[int, str]
"""A revision for each year that has images."""


@dataclass(frozen=True, order=True)
class Channel:
    """One source of one product, looked at for one rule of seasons."""

    product: str
    source: str
    season: str

    @property
    def key(self) -> str:
        """The channel in one word, for files and cursors."""
        return f"{self.product}/{self.source}/{self.season}"


@dataclass(frozen=True)
class Look:
    """What one look came to. A source that failed is in `failures` with its reason, and in nothing else."""

    revisions: Mapping[Channel, Revisions]
    remote: frozenset[Channel]
    failures: Mapping[Channel, str]


class Arrival(BaseModel):
    """The revision of a complete year that was seen last, and how often it had changed since the first look."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    revision: str
    corrections: int = 0


class Arrivals(BaseModel):
    """Arrivals by channel and year."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    channels: dict[str, dict[int, Arrival]] = {}

    def corrections(self, channel: Channel, year: int) -> int:
        """How often a complete year's images changed while they were being looked at."""
        arrival = self.channels.get(channel.key, {}).get(year)
        return 0 if arrival is None else arrival.corrections

    def with_look(self, look: Look, complete: Iterable[tuple[Channel, int]]) -> "Arrivals":
        """These arrivals and what a look showed of complete years, of channels whose images lie with a service."""
        channels = {key: dict(years) for key, years in self.channels.items()}
        for channel, year in complete:
            revision = look.revisions.get(channel, {}).get(year)
            if revision is None or channel not in look.remote:
                continue
            years = channels.setdefault(channel.key, {})
            before = years.get(year)
            if before is None:
                years[year] = Arrival(revision=revision)
            elif before.revision != revision:
                years[year] = Arrival(revision=revision, corrections=before.corrections + 1)
        return Arrivals(channels=channels)


@runtime_checkable
class SeasonalSource(Protocol):
    """A source that knows which of its images belong to which season."""

    def latest_by_season(self, rule: SeasonRule) -> Latest:
        """What the source holds now, by years of a season rule."""


def season_name(rule: SeasonRule) -> str:
    """A rule of seasons as people write it: `6-11`."""
    return f"{rule.first_month}-{rule.last_month}"


def look(product: str, sources: Iterable[ImagerySource], rules: Iterable[SeasonRule]) -> Look:
    """Ask the sources of one product what they hold. A source that fails does not keep the others from being asked."""
    revisions: dict[Channel, Revisions] = {}
    failures: dict[Channel, str] = {}
    remote = set()
    seasons = sorted(rules, key=lambda rule: (rule.first_month, rule.last_month))
    for source in sources:
        for rule in seasons:
            channel = Channel(product, source.name, season_name(rule))
            try:
                found = source.latest_by_season(rule) if isinstance(source, SeasonalSource) else source.latest()
            except MinemapError as error:
                failures[channel] = str(error)
                continue
            revisions[channel] = dict(found.revisions)
            if found.remote:
                remote.add(channel)
    return Look(revisions, frozenset(remote), failures)


def together(looks: Iterable[Look]) -> Look:
    """Several looks as one."""
    every = tuple(looks)
    return Look(
        {c: r for one in every for c, r in one.revisions.items()},
        frozenset().union(*(one.remote for one in every)),
        {c: reason for one in every for c, reason in one.failures.items()},
    )


def read_arrivals(store: Store) -> Arrivals:
    """The project's arrivals; none where nothing was looked at yet. Raises `BadInputError` for a damaged file."""
    try:
        return Arrivals.model_validate_json(store.read_bytes(ARRIVALS_PATH))
    except NotFoundError:
        return Arrivals()
    except ValidationError as error:
        raise BadInputError(
            f"{store.root}/{ARRIVALS_PATH} cannot be read; remove it, and the sensor new_imagery begins anew"
        ) from error


def write_arrivals(store: Store, arrivals: Arrivals) -> None:
    """Keep arrivals, if they are others than those that are kept."""
    data = (json.dumps(arrivals.model_dump(mode="json"), indent=1, sort_keys=True) + "\n").encode()
    try:
        kept: bytes | None = store.read_bytes(ARRIVALS_PATH)
    except NotFoundError:
        kept = None
    if data != kept:
        store.write_bytes(ARRIVALS_PATH, data)
