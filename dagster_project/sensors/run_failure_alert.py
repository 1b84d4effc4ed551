"""The sensor `run_failure_alert`: failures are told by every way there is, each as often as it takes to be heard once.

Each way has its own marks, which move only when it was told: a webhook that is down loses nothing and holds up nobody.
What was told a short while ago is kept back, and told together with what came since.
"""

from datetime import UTC, datetime

import dagster as dg
from pydantic import Field, ValidationError

from dagster_project.alerts.alert_environment import read_alert_environment
from dagster_project.alerts.delivery import Delivery, deliveries
from dagster_project.alerts.failures import failures_since, last_run_mark
from dagster_project.sensors.switch import on_or_off
from minemap_assets.errors import MinemapError
from minemap_assets.project.operations import OperationsConfig
from minemap_assets.project.project import ProjectHome
from minemap_assets.project.settings import StrictModel

_REMEMBERED = 200
"""Signatures of failures that a way remembers to have told."""


class WayMemory(StrictModel):
    """What one way has told: up to which marks, and when each kind of failure last, in seconds since 1970."""

    run_mark: int
    tick_mark: float
    told: dict[str, float] = Field(default_factory=dict)


class AlertMemory(StrictModel):
    """What every way has told."""

    ways: dict[str, WayMemory] = Field(default_factory=dict)

    @classmethod
    def of(cls, cursor: str | None) -> "AlertMemory":
        """What a cursor says; nothing where it is none of this version's."""
        try:
            return cls() if not cursor else cls.model_validate_json(cursor)
        except ValidationError:
            return cls()


def tell_failures(context: dg.SensorEvaluationContext, home: ProjectHome, now: datetime) -> dg.SensorResult:
    """One tick at a moment. A way that is new, or that nobody used before, begins with what fails from now on."""
    config, before = _config(context, home), AlertMemory.of(context.cursor)
    after: dict[str, WayMemory] = {}
    for name, deliver in deliveries(read_alert_environment(), context.log, config.alerts).items():
        memory = before.ways.get(name)
        if memory is None:
            after[name] = WayMemory(run_mark=last_run_mark(context.instance), tick_mark=now.timestamp())
            continue
        try:
            after[name] = _told(context.instance, memory, deliver, now.timestamp(), config.alert_minutes * 60)
        except MinemapError as error:
            context.log.warning("%s", error)
            after[name] = memory
    return dg.SensorResult(cursor=AlertMemory(ways=after).model_dump_json())


def run_failure_alert(status: dg.DefaultSensorStatus) -> dg.SensorDefinition:
    """The sensor, turned on or off until somebody says otherwise in the UI."""

    @dg.sensor(
        name="run_failure_alert",
        minimum_interval_seconds=60,
        default_status=status,
        description="Tells of failed runs, and of failed sensors and schedules, in one sentence each by log, webhook "
        f"and e-mail, like ones together, and again later where nobody answers{on_or_off(status)}.",
    )
    def _run_failure_alert(context: dg.SensorEvaluationContext, home: dg.ResourceParam[ProjectHome]) -> dg.SensorResult:
        return tell_failures(context, home, datetime.now(UTC))

    return _run_failure_alert


def _config(context: dg.SensorEvaluationContext, home: ProjectHome) -> OperationsConfig:
    """The settings; where they cannot be read, their defaults, so that just this is told."""
    try:
        return home.open().section(OperationsConfig)
    except MinemapError as error:
        context.log.warning("the settings cannot be read, so alerts follow their defaults: %s", error)
        return OperationsConfig()


def _told(instance: dg.DagsterInstance, memory: WayMemory, deliver: Delivery, now: float, quiet: float) -> WayMemory:
    """Tell what there is to tell; the memory moves on where it was told. Raises as the delivery does."""
    found = failures_since(instance, memory.run_mark, memory.tick_mark)
    groups = found.gathered
    if not groups:
        return memory.model_copy(update={"run_mark": found.run_mark})
    new = [group for group in groups if now - memory.told.get(group.first.signature, 0.0) >= quiet]
    if not new and found.is_all:
        return memory
    deliver(groups)
    told = memory.told | {group.first.signature: now for group in groups}
    kept = dict(sorted(told.items(), key=lambda entry: entry[1])[-_REMEMBERED:])
    return WayMemory(run_mark=found.run_mark, tick_mark=found.tick_mark, told=kept)
