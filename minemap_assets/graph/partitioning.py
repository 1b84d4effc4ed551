"""Partition dimensions and the mappings between them, each defined once with two faces: the lake's keys and Dagster's.

Dagster lists the dimensions of a multi-dimensional partition alphabetically, and so do the lake's keys. A mapping keeps
the dimensions that both assets have and takes every key of those that only the upstream asset has.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from itertools import product
from typing import Any

import dagster as dg

from minemap_assets.graph.context import Keys
from minemap_assets.project.project import Project

YEAR, REGION = "year", "region"


@dataclass(frozen=True)
class Partitioning:
    """How an asset is partitioned: its dimensions in alphabetical order."""

    dimensions: tuple["Dimension", ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the dimensions."""
        return tuple(d.name for d in self.dimensions)

    def every(self, project: Project) -> list[Keys]:
        """The keys of every partition there is."""
        return [tuple(keys) for keys in product(*(d.keys(project) for d in self.dimensions))]

    def definition(self, project: Project) -> dg.PartitionsDefinition[Any] | None:
        """Dagster's definition."""
        parts = {d.name: d.definition(project) for d in self.dimensions}
        if len(parts) <= 1:
            return next(iter(parts.values()), None)
        return dg.MultiPartitionsDefinition(parts)


@dataclass(frozen=True)
class Dimension:
    """One dimension. `chosen` is True where not all keys that Dagster knows belong to the project."""

    name: str
    keys: Callable[[Project], Sequence[str]]
    definition: Callable[[Project], dg.PartitionsDefinition[Any]]
    chosen: Callable[[Project], bool] = field(default=lambda _: False)


@dataclass(frozen=True)
class RunningYear:
    """Says whether there is anything of a year that is not over; a room hands it in as an extension of the project."""

    has_begun: Callable[[Project, int], bool]


def shows_running_year(project: Project) -> bool:
    """Whether the running year is a partition yet; before there is anything of it, it would only look unfinished."""
    year = datetime.now(UTC).year
    return any(project.cached(partial(_has_begun, rule, year)) for rule in project.extensions(RunningYear))


def _has_begun(rule: RunningYear, year: int, project: Project) -> bool:
    return rule.has_begun(project, year)


def shown_years(project: Project) -> list[str]:
    """Keys of the years that are partitions for Dagster now."""
    return list(_year_definition(project).get_partition_keys())


def with_running_year(project: Project) -> Project:
    """The same project, for somebody who asks for the running year by name."""
    asked = RunningYear(lambda _, __: True)
    return replace(project, parts=replace(project.parts, extensions=(asked, *project.parts.extensions)))


def _year_definition(project: Project) -> dg.PartitionsDefinition[Any]:
    """One partition a year: those that are over, and the running one once there is something of it."""
    start, last = str(project.first_year), project.last_year
    if last is not None and last < datetime.now(UTC).year:
        return dg.TimeWindowPartitionsDefinition(cron_schedule="0 0 1 1 *", start=start, end=str(last + 1), fmt="%Y")
    ahead = int(shows_running_year(project))
    return dg.TimeWindowPartitionsDefinition(cron_schedule="0 0 1 1 *", start=start, fmt="%Y", end_offset=ahead)


REGION_KEYS = dg.DynamicPartitionsDefinition(name=REGION)
"""The keys of the dimension region, which grow with the regions file (sensor `region_sync`)."""

year_dimension = Dimension(YEAR, lambda project: [str(year) for year in project.years()], _year_definition)
region_dimension = Dimension(REGION, lambda project: list(project.active_regions()), lambda _: REGION_KEYS)

unpartitioned = Partitioning()
by_region = Partitioning((region_dimension,))
by_year = Partitioning((year_dimension,))
by_region_and_year = Partitioning((region_dimension, year_dimension))


@dataclass(frozen=True)
class PartitionMapping:
    """Which partitions of an upstream asset one partition is made from.

    A dimension that both have is the same key, one that only the upstream asset has is all of its keys. `reach` widens
    the year to so many years on both sides, as far as the project's years go.
    """

    reach: Callable[[Project], int] | None = None

    def keys(self, project: Project, upstream: Partitioning, downstream: Partitioning, keys: Keys) -> list[Keys]:
        """The lake's keys, in order."""
        mine = dict(zip(downstream.names, keys, strict=True))
        options = [self._along(project, d, mine.get(d.name)) for d in upstream.dimensions]
        return [tuple(found) for found in product(*options)]

    def _along(self, project: Project, dimension: Dimension, key: str | None) -> Sequence[str]:
        if key is None:
            return dimension.keys(project)
        if dimension.name != YEAR or self.reach is None:
            return [key]
        reach, year = self.reach(project), int(key)
        last = year + reach if project.last_year is None else min(year + reach, project.last_year)
        return [str(y) for y in range(max(project.first_year, year - reach), last + 1)]

    def dagster(self, project: Project, upstream: Partitioning, downstream: Partitioning) -> dg.PartitionMapping | None:
        """Dagster's mapping; None where its default is the same."""
        shared = [name for name in upstream.names if name in downstream.names]
        if not upstream.names or (upstream.names == downstream.names and self.reach is None):
            return None
        if not shared:
            return _all_of(project, upstream)
        with warnings.catch_warnings():
            # Mappings between dimensions are marked beta; the pinned version was tried with every one used here.
            warnings.simplefilter("ignore", dg.BetaWarning)
            if self.reach is None:
                return dg.MultiToSingleDimensionPartitionMapping(shared[0])
            reach = self.reach(project)
            window = dg.TimeWindowPartitionMapping(start_offset=-reach, end_offset=reach)
            return dg.MultiPartitionMapping(
                {
                    name: dg.DimensionPartitionMapping(name, window if name == YEAR else dg.IdentityPartitionMapping())
                    for name in shared
                }
            )


def _all_of(project: Project, upstream: Partitioning) -> dg.PartitionMapping:
    if any(dimension.chosen(project) for dimension in upstream.dimensions):
        return dg.SpecificPartitionsPartitionMapping(
            [key for keys in upstream.every(project) if (key := partition_key(keys)) is not None]
        )
    return dg.AllPartitionMapping()


along_shared_dimensions = PartitionMapping()
"""Same keys, the region of a region and year, every region of a year, everything: whichever the dimensions say."""


def years_around(reach: Callable[[Project], int]) -> PartitionMapping:
    """Along shared dimensions, and the years around."""
    return PartitionMapping(reach)


def lake_keys(key: str | None) -> Keys:
    """The lake's keys of a Dagster partition key."""
    return () if key is None else tuple(str(key).split("|"))


def partition_key(keys: Keys) -> str | None:
    """The Dagster partition key of the lake's keys."""
    return "|".join(keys) if keys else None
