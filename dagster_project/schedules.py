"""Schedules: the annual update."""

from collections.abc import Iterator

import dagster as dg

from dagster_project.sensors import imagery_request
from minemap_assets.imagery.assets import IMAGERY_UPDATE
from minemap_assets.project.project import ProjectHome


@dg.schedule(
    cron_schedule="0 6 15 1 *",
    job_name=IMAGERY_UPDATE.name,
    execution_timezone="UTC",
    description="Fetches last year's imagery of every region on 15 January; off until you turn it on.",
)
def annual_update(
    context: dg.ScheduleEvaluationContext, home: dg.ResourceParam[ProjectHome]
) -> Iterator[dg.RunRequest]:
    """On 15 January, ask for last year's imagery of every active region; automation does the rest."""
    year = context.scheduled_execution_time.year - 1
    for slug in home.open().active_regions():
        yield imagery_request(slug, year)


SCHEDULES = [annual_update]
