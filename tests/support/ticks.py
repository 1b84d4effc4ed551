"""Ticks of sensors as the daemon makes them, at any moment, and the runs that they ask for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import dagster as dg

from dagster_project.definitions import build_definitions
from dagster_project.sensors.new_imagery import ask_for_imagery
from dagster_project.sensors.reconcile import ask_for_what_is_due
from minemap_assets.graph.launches import ATTENDED
from minemap_assets.graph.statement import Room
from minemap_assets.imagery.assets import COMPOSITES
from minemap_assets.project.project import ProjectHome
from projects import is_current
from tiny import Chain

Tick = Callable[[dg.SensorEvaluationContext, ProjectHome, Sequence[Room], datetime], dg.SensorResult]

IMAGERY: Tick = ask_for_imagery
DUE: Tick = ask_for_what_is_due


@dataclass
class Ticking:
    """A project with its sensors, which remember as the daemon lets them."""

    chain: Chain
    instance: dg.DagsterInstance
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    definitions: dg.Definitions | None = None
    cursors: dict[str, str | None] = field(default_factory=dict)
    runs: list[dg.ExecuteInProcessResult] = field(default_factory=list)

    def tick(self, sensor: Tick = IMAGERY) -> list[dg.RunRequest]:
        """One tick; runs that were asked for before under the same key are not asked for again."""
        name = sensor.__name__
        context = dg.build_sensor_context(
            self.instance, cursor=self.cursors.get(name), sensor_name=name, definitions=self.definitions
        )
        result = sensor(context, self.chain.project_home, self.chain.registry.rooms, self.now)
        self.cursors[name] = result.cursor or self.cursors.get(name)
        requests = list(result.run_requests or [])
        known = {run.tags.get("dagster/run_key") for run in self.instance.get_runs()}
        assert not {request.run_key for request in requests} & known, "Dagster would pass over a key that it knows"
        return requests

    def work(self, requests: Sequence[dg.RunRequest]) -> list[bool]:
        """Do what was asked for, as a run's process does; whether each run succeeded."""
        definitions = build_definitions(self.chain.environment, self.chain.project_home, self.chain.registry)
        ended = []
        for request in requests:
            chosen = request.asset_selection
            job = (
                definitions.resolve_implicit_job_def_def_for_assets(chosen)
                if chosen
                else definitions.resolve_job_def("imagery_update")
            )
            assert job is not None
            done = job.execute_in_process(
                instance=self.instance,
                partition_key=request.partition_key,
                asset_selection=chosen,
                tags={**request.tags, "dagster/run_key": request.run_key or "", ATTENDED: "a test"},
                raise_on_error=False,
            )
            self.runs.append(done)
            ended.append(done.success)
        return ended

    def current(self, region: str, year: int) -> bool:
        """Whether the imagery of a region and year is current."""
        return is_current(self.chain.project, COMPOSITES, region, str(year))


def keys(requests: Sequence[dg.RunRequest]) -> list[str]:
    """What is asked for: partition keys, with the asset's name where one is chosen."""
    return sorted(
        "/".join([*(one.path[-1] for one in request.asset_selection or ()), str(request.partition_key)])
        for request in requests
    )
