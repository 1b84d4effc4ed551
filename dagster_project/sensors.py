"""Sensors: what changes outside and starts work here.

What belongs here: looking at the outside world and asking for runs. What does not: what follows from them
(`automation.py`), and removing anything: partitions are never deleted automatically.
"""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime

import dagster as dg

from dagster_project.jobs import imagery_update
from minemap_assets.graph.partitions import region_partitions
from minemap_assets.imagery.arrivals import Channel, Look, look, read_arrivals, season_name, together, write_arrivals
from minemap_assets.imagery.recipes import IMAGERY
from minemap_assets.project.project import FIRST_YEAR, Project
from minemap_assets.project.regions import Region

REGION = str(region_partitions.name)

Seen = dict[str, dict[str, str]]
"""Revision of each year that runs were asked for last, by channel."""


@dg.sensor(minimum_interval_seconds=60, default_status=dg.DefaultSensorStatus.RUNNING)
def region_sync(context: dg.SensorEvaluationContext, project: dg.ResourceParam[Project]) -> dg.SensorResult:
    """Add a partition for every active region of the regions file."""
    known = set(context.instance.get_dynamic_partitions(REGION))
    new = [slug for slug in project.active_regions() if slug not in known]
    requests = [region_partitions.build_add_request(new)] if new else []
    return dg.SensorResult(dynamic_partitions_requests=requests)


@dg.sensor(job=imagery_update, minimum_interval_seconds=3600)
def new_imagery(context: dg.SensorEvaluationContext, project: dg.ResourceParam[Project]) -> dg.SensorResult:
    """Ask for the imagery of every region and ended season whose images are new or were corrected."""
    today = datetime.now(UTC).date()
    found = look_everywhere(project, today)
    for channel, reason in sorted(found.failures.items()):
        context.log.warning("%s could not be asked, and is asked again next time: %s", channel.key, reason)
    before: Seen = json.loads(context.cursor) if context.cursor else {}
    known = set(context.instance.get_dynamic_partitions(REGION))
    regions = {slug: region for slug, region in project.active_regions().items() if slug in known}
    complete = sorted({(channel, year) for channel, _, year in ended_seasons(project, regions, found, today)})
    write_arrivals(project.lake.store, read_arrivals(project.lake.store).with_look(found, complete))
    requests = [
        _request(slug, year, f"{channel.source}-{found.revisions[channel][year]}")
        for channel, slug, year in ended_seasons(project, regions, found, today)
        if before.get(channel.key, {}).get(str(year)) != found.revisions[channel][year]
    ]
    after = {key: dict(years) for key, years in before.items()}
    for channel, year in complete:
        after.setdefault(channel.key, {})[str(year)] = found.revisions[channel][year]
    return dg.SensorResult(run_requests=requests, cursor=json.dumps(after, sort_keys=True))


@dg.sensor(job=imagery_update, minimum_interval_seconds=6 * 3600)
def missing_imagery(context: dg.SensorEvaluationContext, project: dg.ResourceParam[Project]) -> dg.SensorResult:
    """Ask again, once a day, for imagery of which some sites failed for a reason that may pass."""
    known = set(context.instance.get_dynamic_partitions(REGION)) & set(project.active_regions())
    today = datetime.now(UTC).date().isoformat()
    requests = [
        _request(manifest.ref.keys[0], int(manifest.ref.keys[1]), f"again-{today}")
        for manifest in project.lake.manifests(IMAGERY.room, IMAGERY.asset)
        if manifest.ref.keys[0] in known and any(m.retry for m in manifest.missing)
    ]
    return dg.SensorResult(run_requests=requests)


def look_everywhere(project: Project, today: date) -> Look:
    """Ask every source of every product in use up to today's year, for the seasons of all active regions."""
    regions = project.active_regions().values()
    rules = {project.season_rule(region) for region in regions}
    years = range(FIRST_YEAR, today.year + 1)
    products = {project.product_for(region, year) for region in regions for year in years}
    return together(look(product, project.sources(product), rules) for product in sorted(products))


def ended_seasons(
    project: Project, regions: dict[str, Region], found: Look, today: date
) -> Iterator[tuple[Channel, str, int]]:
    """Channels, regions and years whose season is over, in which the channel's product serves, and has images."""
    for slug, region in regions.items():
        season = season_name(project.season_rule(region))
        for channel in sorted(found.revisions):
            for year in sorted(found.revisions[channel]):
                if (
                    year >= FIRST_YEAR
                    and channel.season == season
                    and project.season(region, year).end <= today
                    and project.product_for(region, year) == channel.product
                ):
                    yield channel, slug, year


def _request(slug: str, year: int, revision: str) -> dg.RunRequest:
    return dg.RunRequest(
        run_key=f"{slug}-{year}-{revision}",
        partition_key=dg.MultiPartitionKey({"region": slug, "year": str(year)}),
    )


automation = dg.AutomationConditionSensorDefinition(
    "automation", target=dg.AssetSelection.all(), minimum_interval_seconds=30
)

SENSORS = [region_sync, new_imagery, missing_imagery, automation]
