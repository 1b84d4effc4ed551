"""Sensors: what changes outside, or is not as it should be, starts work here.

They ask for runs. What follows from these is for automation (`graph/automation.py`).
"""

from collections.abc import Sequence

import dagster as dg

from dagster_project.sensors.new_imagery import new_imagery
from dagster_project.sensors.reconcile import reconcile
from dagster_project.sensors.region_sync import region_sync
from dagster_project.sensors.run_failure_alert import run_failure_alert
from dagster_project.sensors.switch import on_or_off, sensor_status
from minemap_assets.graph.statement import Room
from minemap_assets.project.operations import OperationsConfig
from minemap_assets.project.project import Project


def sensors(project: Project, rooms: Sequence[Room]) -> list[dg.SensorDefinition]:
    """Every sensor, turned on or off as the project's settings say."""
    status = sensor_status(project.section(OperationsConfig))
    return [
        region_sync,
        new_imagery(rooms, status),
        reconcile(rooms, status),
        run_failure_alert(status),
        dg.AutomationConditionSensorDefinition(
            "automation",
            target=dg.AssetSelection.all(),
            minimum_interval_seconds=30,
            default_status=status,
            description="Makes whatever follows from new imagery, up to the tables and the database, and never "
            f"fetches, trains or promotes{on_or_off(status)}.",
        ),
    ]
