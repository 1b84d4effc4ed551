"""Schedules: the annual update, and the daily look at a part of the lake."""

from collections.abc import Iterator, Sequence
from datetime import date

import dagster as dg

from dagster_project.sensors.requests import imagery_request
from dagster_project.sensors.switch import on_or_off, schedule_status
from dagster_project.upkeep import verification_schedule
from minemap_assets.graph.graph import Graph
from minemap_assets.graph.partition_states import PartitionState, PartitionStates
from minemap_assets.graph.statement import Room
from minemap_assets.imagery.assets import COMPOSITES, IMAGERY_UPDATE
from minemap_assets.imagery.rules import season_of
from minemap_assets.project.operations import OperationsConfig
from minemap_assets.project.project import Project, ProjectHome
from minemap_assets.project.regions import Region


def schedules(project: Project, rooms: Sequence[Room]) -> list[dg.ScheduleDefinition]:
    """Every schedule, at the time and turned on or off as the project's settings say."""
    config = project.section(OperationsConfig)
    return [annual_update(config, rooms), verification_schedule(schedule_status(config))]


def annual_update(config: OperationsConfig, rooms: Sequence[Room]) -> dg.ScheduleDefinition:
    """The schedule that asks for the imagery of the year just closed; automation does the rest."""
    status = schedule_status(config)

    @dg.schedule(
        name="annual_update",
        cron_schedule=config.annual_cron,
        job_name=IMAGERY_UPDATE.name,
        execution_timezone="UTC",
        default_status=status,
        description="Fetches once a year the imagery of every region for the last year whose season is over, as far as "
        f"it is not there already{on_or_off(status)}.",
    )
    def _annual_update(
        context: dg.ScheduleEvaluationContext, home: dg.ResourceParam[ProjectHome]
    ) -> Iterator[dg.RunRequest]:
        project, today = home.open(), context.scheduled_execution_time.date()
        states = PartitionStates(Graph(rooms, project), project)
        for slug, region in project.active_regions().items():
            year = last_season(project, region, today)
            if year is None:
                context.log.info("%s has no season that is over in a year of the maps", slug)
            elif states.state(COMPOSITES, (slug, str(year))) is PartitionState.CURRENT:
                context.log.info("%s has its imagery of %s", slug, year)
            else:
                yield imagery_request(project, slug, year, f"annual-{today.year}")

    return _annual_update


def last_season(project: Project, region: Region, today: date) -> int | None:
    """The last closed year of the maps in which the region's season is over; None where there is none."""
    last = min(today.year - 1, project.last_year or today.year - 1)
    over = (year for year in range(last, project.first_year - 1, -1) if season_of(region, year).end <= today)
    return next(over, None)
