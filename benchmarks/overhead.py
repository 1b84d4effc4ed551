"""How long the orchestrator takes for each asset partition, beside doing the same work without it.

Runs the `tiny` world twice in fresh folders: once through the recipes alone, once through the runner and a Dagster
instance; what they differ by is the overhead. Prints seconds an asset partition and the ratio to the goal of 0.3 s.
"""

import tempfile
import time
import warnings
from pathlib import Path

from dagster_project.definitions import build_definitions
from dagster_project.demo import prepare
from dagster_project.environment import Environment
from dagster_project.graph import Scope, steps
from dagster_project.instance import open_instance, sync_regions
from dagster_project.resources import project_from
from dagster_project.runner import Runner
from dagster_project.selection import parse_selection
from minemap_assets.project.project import Project
from minemap_assets.simulation.built_in_worlds import load_world
from minemap_assets.simulation.world import World

GOAL = 0.3


def _project(folder: Path, world: World) -> tuple[Environment, Project]:
    environment = Environment(home=str(folder / "lake"), state=folder / "state")
    project = project_from(environment)
    prepare(project, world)
    return environment, project


def _scope(project: Project, environment: Environment, world: World) -> Scope:
    selection = parse_selection(None, build_definitions(environment, project))
    return Scope(tuple(project.active_regions()), tuple(world.years), selection)


def _plain(folder: Path, world: World) -> tuple[float, int]:
    environment, project = _project(folder, world)
    scope = _scope(project, environment, world)
    start, count = time.perf_counter(), 0
    for step in steps(project, scope):
        for recipe in step.recipes:
            recipe.make(project, step.keys)
            count += 1
    return time.perf_counter() - start, count


def _orchestrated(folder: Path, world: World) -> float:
    environment, project = _project(folder, world)
    scope = _scope(project, environment, world)
    instance = open_instance(environment.dagster_home)
    sync_regions(instance, project)
    runner = Runner(build_definitions(environment, project), project, instance)
    start = time.perf_counter()
    report = runner.run(scope)
    if report.failures:
        raise SystemExit(f"the run failed: {report.failures[0].reason}")
    return time.perf_counter() - start


def main() -> None:
    """Measure and print."""
    warnings.simplefilter("ignore")
    world = load_world("tiny")
    with tempfile.TemporaryDirectory() as warm_up, tempfile.TemporaryDirectory() as one:
        _plain(Path(warm_up), world)
        plain, count = _plain(Path(one), world)
    with tempfile.TemporaryDirectory() as two:
        orchestrated = _orchestrated(Path(two), world)
    each = (orchestrated - plain) / count
    print(f"asset partitions          {count}")
    print(f"recipes alone             {plain:8.2f} s")
    print(f"through Dagster           {orchestrated:8.2f} s   ratio {orchestrated / plain:.2f}")
    print(f"overhead a partition      {each:8.3f} s   ratio to the goal of {GOAL} s: {each / GOAL:.2f}")


if __name__ == "__main__":
    main()
