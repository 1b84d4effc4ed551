"""Whether what runs by itself is on from the start: one setting for all of it, `automatic` under `[operations]`."""

import dagster as dg

from minemap_assets.project.operations import OperationsConfig


def sensor_status(config: OperationsConfig) -> dg.DefaultSensorStatus:
    """How sensors start."""
    return dg.DefaultSensorStatus.RUNNING if config.automatic else dg.DefaultSensorStatus.STOPPED


def schedule_status(config: OperationsConfig) -> dg.DefaultScheduleStatus:
    """How schedules start."""
    return dg.DefaultScheduleStatus.RUNNING if config.automatic else dg.DefaultScheduleStatus.STOPPED


def on_or_off(status: dg.DefaultSensorStatus | dg.DefaultScheduleStatus) -> str:
    """The end of a description that tells how it starts."""
    on = status in (dg.DefaultSensorStatus.RUNNING, dg.DefaultScheduleStatus.RUNNING)
    return "; on from the start" if on else "; off until you turn it on"
