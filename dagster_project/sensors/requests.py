"""What sensors and schedules ask for: runs with tags that say what they are for, and no partition twice at a time.

A run that was asked for and died is asked for again, after a pause that grows. What was asked for before is told by the
runs themselves, so that a sensor has nothing to remember.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import product

import dagster as dg

from minemap_assets.graph.dagster_assets import asset_key
from minemap_assets.graph.graph import Graph
from minemap_assets.graph.partitioning import REGION, YEAR, lake_keys, partition_key
from minemap_assets.imagery.assets import COMPOSITES, IMAGERY_UPDATE
from minemap_assets.imagery.config import ImageryConfig
from minemap_assets.imagery.rules import product_of
from minemap_assets.lake.manifests import PartitionRef
from minemap_assets.project.operations import OperationsConfig
from minemap_assets.project.project import Project
from minemap_assets.project.regions import Region

ASKED = "minemap/asked"
"""Tag of a run that a sensor or schedule asked for: the partition that it is to make."""

CAUSE = "minemap/cause"
"""Tag of such a run: why it was asked for, with the revision of the images where it was for them."""

SOURCE = "minemap/source"
"""Tag of a run that fetches: the sources that it may ask, with commas between them."""

LONGEST_PAUSE = timedelta(days=1)
"""However often a partition has failed, it is asked for again after this."""

_REMEMBERED = 8 * LONGEST_PAUSE
_ATTEMPTS = 12
_JUST_NOW = timedelta(minutes=5)
"""So long after a run ended, what follows from it is left to automation."""

_MOST_RUNS = 10_000

_UNDER_WAY = [
    status
    for status in dg.DagsterRunStatus
    if status not in (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)
]


def source_tags(project: Project, region: Region, year: int) -> dict[str, str]:
    """The tag that names the sources which a run for the imagery of a region and year may ask; limits go by it.

    Raises `BadInputError` where no product is set for the year.
    """
    names = project.section(ImageryConfig).sources.get(product_of(project, region, year), ())
    return {SOURCE: ",".join(names)} if names else {}


def imagery_request(project: Project, slug: str, year: int, cause: str, after: str = "") -> dg.RunRequest:
    """Ask for the imagery of a region and year, once for each cause; again `after` a run of that id."""
    ref = COMPOSITES.ref((slug, str(year)))
    return dg.RunRequest(
        run_key=_run_key(ref, cause, after),
        partition_key=partition_key(ref.keys),
        tags={ASKED: ref.prefix, CAUSE: cause, **source_tags(project, project.region(slug), year)},
    )


def asset_request(graph: Graph, project: Project, ref: PartitionRef, cause: str, after: str = "") -> dg.RunRequest:
    """Ask for one partition of any asset, once for each cause; again `after` a run of that id."""
    asset = graph.asset(ref)
    fetching = source_tags(project, project.region(ref.keys[0]), int(ref.keys[1])) if asset is COMPOSITES else {}
    return dg.RunRequest(
        run_key=_run_key(ref, cause, after),
        asset_selection=[asset_key(asset)],
        partition_key=partition_key(ref.keys),
        tags={ASKED: ref.prefix, CAUSE: cause, **fetching},
    )


def _run_key(ref: PartitionRef, cause: str, after: str) -> str:
    return "-".join((ref.asset, *ref.keys, cause, *([f"after-{after[:8]}"] if after else [])))


@dataclass(frozen=True)
class Attempts:
    """Runs that were asked for to make one partition: the id of the last one, and whether it is time for another."""

    last: str
    rests: bool


def attempts(
    instance: dg.DagsterInstance, ref: PartitionRef, config: OperationsConfig, now: datetime, cause: str | None = None
) -> Attempts:
    """What came of asking for a partition so far; with `cause`, pauses count only what was asked for that cause."""
    records = instance.get_run_records(dg.RunsFilter(tags={ASKED: ref.prefix}), limit=_ATTEMPTS)
    if not records:
        return Attempts("", rests=False)
    times = [
        record.create_timestamp.replace(tzinfo=record.create_timestamp.tzinfo or UTC)
        for record in records
        if cause is None or record.dagster_run.tags.get(CAUSE) == cause
    ]
    recent = [time for time in times if now - time < _REMEMBERED]
    if not recent:
        return Attempts(records[0].dagster_run.run_id, rests=False)
    first = timedelta(minutes=config.retry_minutes)
    pause = min(first * 2 ** (len(recent) - 1), max(first, LONGEST_PAUSE))
    return Attempts(records[0].dagster_run.run_id, rests=now < recent[0] + pause)


@dataclass(frozen=True)
class UnderWay:
    """Partitions that runs are making, or made a moment ago, and how many runs that were asked for are not over."""

    making: frozenset[PartitionRef]
    recent: frozenset[PartitionRef]
    asked: int


def under_way(instance: dg.DagsterInstance, graph: Graph, now: datetime) -> UnderWay:
    """What runs that are queued, or go on, or have just ended are for."""
    open_ = [r.dagster_run for r in instance.get_run_records(dg.RunsFilter(statuses=_UNDER_WAY), limit=_MOST_RUNS)]
    ended = instance.get_run_records(dg.RunsFilter(updated_after=now - _JUST_NOW), limit=_MOST_RUNS)
    making = frozenset(ref for run in open_ for ref in _partitions_of(run, graph))
    recent = frozenset(ref for record in ended for ref in _partitions_of(record.dagster_run, graph))
    return UnderWay(making, recent, sum(ASKED in run.tags for run in open_))


def _partitions_of(run: dg.DagsterRun, graph: Graph) -> Iterator[PartitionRef]:
    """The partitions that a run is to make."""
    wanted = run.asset_selection
    if wanted is None:
        by_job = {job.name: assets for job, assets in graph.jobs().items()}
        chosen = by_job.get(run.job_name, ())
    else:
        chosen = tuple(asset for asset in graph.assets if asset_key(asset) in wanted)
    keys = list(_keys_of(run.tags))
    for asset in chosen:
        for one in keys:
            if len(one) == len(asset.partitions.names):
                yield asset.ref(one)


def _keys_of(tags: Mapping[str, str]) -> Iterable[tuple[str, ...]]:
    """The keys of a run's partition, or of its range of partitions."""
    if "dagster/partition" in tags:
        return [lake_keys(tags["dagster/partition"])]
    ends = [tags.get(f"dagster/asset_partition_range_{end}") for end in ("start", "end")]
    if None in ends:
        return [()]
    first, last = (lake_keys(end) for end in ends)
    return product(*(_between(a, b) for a, b in zip(first, last, strict=True)))


def _between(first: str, last: str) -> list[str]:
    if first == last or not (first.isdigit() and last.isdigit()):
        return [first, last]
    return [str(year) for year in range(int(first), int(last) + 1)]


@dataclass(frozen=True)
class Loaded:
    """The partitions that exist where a sensor runs: one request for another one fails its whole tick."""

    regions: frozenset[str]
    years: frozenset[str] | None

    def has(self, graph: Graph, ref: PartitionRef) -> bool:
        """Whether a partition may be asked for."""
        named = dict(zip(graph.asset(ref).partitions.names, ref.keys, strict=True))
        known_year = self.years is None or named.get(YEAR) is None or named[YEAR] in self.years
        return known_year and (named.get(REGION) is None or named[REGION] in self.regions)


def loaded(context: dg.SensorEvaluationContext) -> Loaded:
    """Regions that the instance knows, and years that were partitions when the definitions were loaded."""
    regions = frozenset(context.instance.get_dynamic_partitions(REGION))
    if context.repository_def is None:
        return Loaded(regions, None)
    partitions = context.repository_def.get_job(IMAGERY_UPDATE.name).partitions_def
    if not isinstance(partitions, dg.MultiPartitionsDefinition):
        return Loaded(regions, None)
    return Loaded(regions, frozenset(partitions.get_partitions_def_for_dimension(YEAR).get_partition_keys()))
