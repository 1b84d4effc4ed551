"""The project's definitions with an automation that looks every two seconds: a test waits for its runs, and not for it.

A daemon is given this module in the place of `dagster_project.definitions`. Of the sensors it has only those that tests
of automation turn on: what these leave behind is not mended by others.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest
from dagster._record import copy

import daemons
from daemons import Daemon, running_daemon
from dagster_project.definitions import build_definitions
from tiny import Chain

SECONDS = 2
SENSORS = ("automation", "new_imagery")


@contextmanager
def quick_daemon(chain: Chain, environment: Mapping[str, str] | None = None) -> Iterator[Daemon]:
    """A daemon over a project with these definitions."""
    found = {"PYTHONPATH": str(Path(__file__).parent)} | dict(environment or {})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(daemons, "MODULE", Path(__file__).stem)
        with running_daemon(chain, found) as daemon:
            yield daemon


@dg.definitions
def defs() -> dg.Definitions:
    """What the daemon's code server loads."""
    found = build_definitions()
    return copy(found, sensors=[_hastened(sensor) for sensor in found.sensors or () if sensor.name in SENSORS])


def _hastened(sensor: dg.SensorDefinition) -> dg.SensorDefinition:
    if not isinstance(sensor, dg.AutomationConditionSensorDefinition):
        return sensor
    return dg.AutomationConditionSensorDefinition(
        sensor.name, target=sensor.asset_selection, minimum_interval_seconds=SECONDS, description=sensor.description
    )
