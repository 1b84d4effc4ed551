"""Schedules: the annual update.

What belongs here: dates. What does not: new images that appear at no fixed date (`sensors.py`).
"""

from collections.abc import Iterator

import dagster as dg

from dagster_project.jobs import imagery_update
from minemap_assets.project.project import Project


@dg.schedule(cron_schedule="0 6 15 1 *", job=imagery_update, execution_timezone="UTC")
def annual_update(context: dg.ScheduleEvaluationContext, project: dg.ResourceParam[Project]) -> Iterator[dg.RunRequest]:
    """On 15 January, ask for last year's imagery of every active region; automation does the rest."""
    year = context.scheduled_execution_time.year - 1
    for slug in project.active_regions():
        yield dg.RunRequest(
            run_key=f"{slug}-{year}", partition_key=dg.MultiPartitionKey({"region": slug, "year": str(year)})
        )


SCHEDULES = [annual_update]
