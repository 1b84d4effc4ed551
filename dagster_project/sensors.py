"""Sensors: what changes outside and starts work here.

What belongs here: looking at the outside world and asking for runs. What does not: what follows from them
(`automation.py`), and removing anything: partitions are never deleted automatically.
"""

import json

import dagster as dg

from dagster_project.jobs import imagery_update
from minemap_assets.partitions import region_partitions
from minemap_assets.project import FIRST_YEAR, Project

REGION = str(region_partitions.name)


@dg.sensor(minimum_interval_seconds=60, default_status=dg.DefaultSensorStatus.RUNNING)
def region_sync(context: dg.SensorEvaluationContext, project: dg.ResourceParam[Project]) -> dg.SensorResult:
    """Add a partition for every active region of the regions file."""
    known = set(context.instance.get_dynamic_partitions(REGION))
    new = [slug for slug in project.active_regions() if slug not in known]
    requests = [region_partitions.build_add_request(new)] if new else []
    return dg.SensorResult(dynamic_partitions_requests=requests)


Seen = dict[str, dict[str, str]]
"""Revision of each product and year that was asked for last."""


def changed_years(before: Seen, now: Seen) -> dict[str, list[int]]:
    """Years whose images are new or other than before, by product."""
    changed = {
        product: sorted(int(year) for year, rev in years.items() if before.get(product, {}).get(year) != rev)
        for product, years in now.items()
    }
    return {product: years for product, years in changed.items() if years}


def _revisions(project: Project) -> Seen:
    """What the first source of each product in use holds now. A source that fails raises: unknown is not empty."""
    products = {period.product for period in project.settings.imagery.products}
    seen: Seen = {}
    for product in sorted(products):
        for source in project.sources(product):
            for year, revision in source.latest().revisions.items():
                seen.setdefault(product, {}).setdefault(str(year), f"{source.name}:{revision}")
    return seen


@dg.sensor(job=imagery_update, minimum_interval_seconds=3600)
def new_imagery(context: dg.SensorEvaluationContext, project: dg.ResourceParam[Project]) -> dg.SensorResult:
    """Ask for the imagery of every region and closed year whose images are new."""
    before: Seen = json.loads(context.cursor) if context.cursor else {}
    now = _revisions(project)
    known = set(context.instance.get_dynamic_partitions(REGION))
    requests = []
    for product, years in changed_years(before, now).items():
        for slug, region in project.active_regions().items():
            for year in years:
                if slug in known and year >= FIRST_YEAR and project.product_for(region, year) == product:
                    requests.append(_request(slug, year, now[product][str(year)]))
    return dg.SensorResult(run_requests=requests, cursor=json.dumps(now, sort_keys=True))


def _request(slug: str, year: int, revision: str) -> dg.RunRequest:
    return dg.RunRequest(
        run_key=f"{slug}-{year}-{revision}",
        partition_key=dg.MultiPartitionKey({"region": slug, "year": str(year)}),
    )


automation = dg.AutomationConditionSensorDefinition(
    "automation", target=dg.AssetSelection.all(), minimum_interval_seconds=30
)

SENSORS = [region_sync, new_imagery, automation]
