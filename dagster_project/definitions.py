"""The only place of assembly: everything Dagster loads is put together here."""

import dagster as dg

from dagster_project import structured_logs
from dagster_project.environment import Environment, read_environment
from dagster_project.executors import executor_for
from dagster_project.registry import Registry, home_of
from dagster_project.schedules import schedules
from dagster_project.sensors import sensors
from dagster_project.upkeep import UPKEEP_JOBS
from minemap_assets.graph.dagster_assets import asset_definitions, asset_key, job_definitions
from minemap_assets.graph.graph import Graph
from minemap_assets.graph.partitioning import with_running_year
from minemap_assets.graph.routing import wants_accelerator
from minemap_assets.project.project import ProjectHome


def build_definitions(
    environment: Environment | None = None,
    home: ProjectHome | None = None,
    registry: Registry | None = None,
    *,
    running_year: bool = False,
) -> dg.Definitions:
    """The code location. Tests pass an environment, a home or a registry of their own.

    With `running_year` that year is a partition though there is nothing of it yet, as for a person who asks for it.
    """
    environment, registry = environment or read_environment(), registry or Registry()
    home = home or home_of(environment, registry)
    project = with_running_year(home.open()) if running_year else home.open()
    graph = Graph(registry.rooms, project)
    accelerated = [asset_key(a).to_python_identifier() for a in graph.assets if wants_accelerator(a.op_tags)]
    return dg.Definitions(
        assets=asset_definitions(graph, project),
        jobs=[*job_definitions(graph), *UPKEEP_JOBS],
        schedules=schedules(project, registry.rooms),
        sensors=sensors(project, registry.rooms),
        resources={"home": home},
        executor=executor_for(environment, accelerated),
        loggers=structured_logs.loggers(),
    )


@dg.definitions
def defs() -> dg.Definitions:
    """What the code server loads."""
    structured_logs.install()
    return build_definitions()
