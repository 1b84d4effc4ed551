"""Sensors: what changes outside and starts work here.

They look at the outside world and ask for runs. What follows from them is for automation
(`graph/automation.py`), and partitions are never deleted automatically.
"""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime

import dagster as dg

from minemap_assets.graph.partitioning import REGION, REGION_KEYS, YEAR, shown_years
from minemap_assets.imagery.arrivals import (
    Channel,
    PollResult,
    change_arrivals,
    merge_polls,
    poll_sources,
    season_name,
)
from minemap_assets.imagery.assets import COMPOSITES, IMAGERY_UPDATE
from minemap_assets.imagery.rules import product_of, season_of, season_rule
from minemap_assets.imagery.source_kind import open_sources
from minemap_assets.project.project import Project, ProjectHome
from minemap_assets.project.regions import Region

Seen = dict[str, dict[str, str]]
"""Revision of each year that runs were asked for last, by channel."""


@dg.sensor(
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Gives every region of the regions file its partitions; on from the start, and starts no run.",
)
def region_sync(context: dg.SensorEvaluationContext, home: dg.ResourceParam[ProjectHome]) -> dg.SensorResult:
    """Add a partition for every active region of the regions file."""
    project = home.open()
    known = set(context.instance.get_dynamic_partitions(REGION))
    new = [slug for slug in project.active_regions() if slug not in known]
    requests = [REGION_KEYS.build_add_request(new)] if new else []
    loaded = _loaded_years(context)
    if loaded is not None and (late := sorted(set(shown_years(project)) - loaded)):
        context.log.warning(
            "no partition yet for %s, which began after the project was loaded; reload the definitions in the UI",
            " and ".join(late),
        )
    return dg.SensorResult(dynamic_partitions_requests=requests)


@dg.sensor(
    job_name=IMAGERY_UPDATE.name,
    minimum_interval_seconds=3600,
    description="Asks the sources once an hour, and fetches images of ended seasons that are new or were corrected; "
    "off until you turn it on.",
)
def new_imagery(context: dg.SensorEvaluationContext, home: dg.ResourceParam[ProjectHome]) -> dg.SensorResult:
    """Ask for the imagery of every region and ended season whose images are new or were corrected."""
    project = home.open()
    today = datetime.now(UTC).date()
    found = poll_everywhere(project, today)
    loaded = _loaded_years(context)
    for channel, reason in sorted(found.failures.items()):
        context.log.warning("%s could not be asked, and is asked again next time: %s", channel.key, reason)
    before: Seen = json.loads(context.cursor) if context.cursor else {}
    known = set(context.instance.get_dynamic_partitions(REGION))
    regions = {slug: region for slug, region in project.active_regions().items() if slug in known}
    ended = [one for one in ended_seasons(project, regions, found, today) if loaded is None or str(one[2]) in loaded]
    complete = sorted({(channel, year) for channel, _, year in ended})
    change_arrivals(project.lake.store, lambda known: known.with_poll(found, complete))
    requests = [
        imagery_request(slug, year, f"{channel.source}-{found.revisions[channel][year]}")
        for channel, slug, year in ended
        if before.get(channel.key, {}).get(str(year)) != found.revisions[channel][year]
    ]
    after = {key: dict(years) for key, years in before.items()}
    for channel, year in complete:
        after.setdefault(channel.key, {})[str(year)] = found.revisions[channel][year]
    return dg.SensorResult(run_requests=requests, cursor=json.dumps(after, sort_keys=True))


@dg.sensor(
    job_name=IMAGERY_UPDATE.name,
    minimum_interval_seconds=6 * 3600,
    description="Fetches once a day what failed at some sites for a reason that may pass; off until you turn it on.",
)
def missing_imagery(context: dg.SensorEvaluationContext, home: dg.ResourceParam[ProjectHome]) -> dg.SensorResult:
    """Ask again, once a day, for imagery of which some sites failed for a reason that may pass."""
    project = home.open()
    known = set(context.instance.get_dynamic_partitions(REGION)) & set(project.active_regions())
    today = datetime.now(UTC).date().isoformat()
    requests = [
        imagery_request(manifest.ref.keys[0], int(manifest.ref.keys[1]), f"again-{today}")
        for manifest in project.lake.manifests(COMPOSITES.room, COMPOSITES.name)
        if manifest.ref.keys[0] in known and any(m.retry for m in manifest.missing)
    ]
    return dg.SensorResult(run_requests=requests)


def _loaded_years(context: dg.SensorEvaluationContext) -> set[str] | None:
    """Years that are partitions where this runs, since asking for others fails the whole tick; None in no daemon."""
    if context.repository_def is None:
        return None
    partitions = context.repository_def.get_job(IMAGERY_UPDATE.name).partitions_def
    if not isinstance(partitions, dg.MultiPartitionsDefinition):
        return None
    return set(partitions.get_partitions_def_for_dimension(YEAR).get_partition_keys())


def poll_everywhere(project: Project, today: date) -> PollResult:
    """Ask every source of every product in use up to today's year, for the seasons of all active regions."""
    regions = project.active_regions().values()
    rules = {season_rule(region) for region in regions}
    years = [year for year in project.years() if year <= today.year]
    products = {product_of(project, region, year) for region in regions for year in years}
    return merge_polls(poll_sources(product, open_sources(project, product), rules) for product in sorted(products))


def ended_seasons(
    project: Project, regions: dict[str, Region], found: PollResult, today: date
) -> Iterator[tuple[Channel, str, int]]:
    """Channels, regions and years whose season is over, in which the channel's product serves, and has images."""
    for slug, region in regions.items():
        season = season_name(season_rule(region))
        for channel in sorted(found.revisions):
            for year in sorted(found.revisions[channel]):
                if (
                    project.first_year <= year <= (project.last_year or year)
                    and channel.season == season
                    and season_of(region, year).end <= today
                    and product_of(project, region, year) == channel.product
                ):
                    yield channel, slug, year


def imagery_request(slug: str, year: int, *why: str) -> dg.RunRequest:
    """Ask for a region and year, once for each reason."""
    key = dg.MultiPartitionKey({"region": slug, "year": str(year)})
    return dg.RunRequest(run_key="-".join((slug, str(year), *why)), partition_key=key)


automation = dg.AutomationConditionSensorDefinition(
    "automation",
    target=dg.AssetSelection.all(),
    minimum_interval_seconds=30,
    description="Makes whatever follows from new imagery, up to the tables and the database, and never fetches, trains "
    "or promotes; off until you turn it on.",
)

SENSORS = [region_sync, new_imagery, missing_imagery, automation]
