"""The sensor `region_sync`: regions of the regions file become partitions. None is ever deleted automatically."""

import dagster as dg

from dagster_project.sensors.requests import loaded
from dagster_project.sensors.switch import on_or_off
from minemap_assets.graph.partitioning import REGION_KEYS, shown_years
from minemap_assets.project.project import ProjectHome


@dg.sensor(
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Gives every region of the regions file its partitions, and starts no run"
    f"{on_or_off(dg.DefaultSensorStatus.RUNNING)}.",
)
def region_sync(context: dg.SensorEvaluationContext, home: dg.ResourceParam[ProjectHome]) -> dg.SensorResult:
    """Add a partition for every active region of the regions file."""
    project, known = home.open(), loaded(context)
    new = [slug for slug in project.active_regions() if slug not in known.regions]
    requests = [REGION_KEYS.build_add_request(new)] if new else []
    if known.years is not None and (late := sorted(set(shown_years(project)) - known.years)):
        context.log.warning(
            "no partition yet for %s, which began after the project was loaded; reload the definitions in the UI",
            " and ".join(late),
        )
    return dg.SensorResult(dynamic_partitions_requests=requests)
