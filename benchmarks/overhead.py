"""How long the orchestrator takes for each asset partition, beside doing the same work without it.

Runs a world (`--world`, tiny unless told otherwise) in fresh folders, through the build functions alone and through the
runner and a Dagster instance, in turn; what the fastest of each differ by is the overhead. Prints seconds an asset
partition and the share of the whole run, each as a ratio to its goal. The share is to be judged by `--world demo`.
"""

import argparse
import math
import tempfile
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

from dagster_project.definitions import build_definitions
from dagster_project.environment import Environment
from dagster_project.first_promotion import Gate, promote_first
from dagster_project.instance import open_instance, sync_regions
from dagster_project.registry import ROOMS, home_of
from dagster_project.runner import Recorder, Runner
from minemap_assets.graph.graph import Graph, Scope, Step
from minemap_assets.graph.partition_states import PartitionStates
from minemap_assets.project.project import Project, ProjectHome
from minemap_assets.segmentation.assets import PROMOTED_MODEL
from minemap_assets.simulation.built_in_worlds import load_world
from minemap_assets.simulation.demo import prepare
from minemap_assets.simulation.world import World

GOAL = 0.1
"""Seconds an asset partition."""

MOST = 0.15
"""Share of the demo's time."""


@dataclass(frozen=True)
class Trial:
    """A project of the world in a folder, and the steps of its whole chain."""

    environment: Environment
    home: ProjectHome
    project: Project
    graph: Graph
    steps: list[Step]


def _trial(folder: Path, world: World) -> Trial:
    environment = Environment(home=str(folder / "lake"), state=folder / "state")
    home = home_of(environment)
    prepare(home.open(), world)
    project = home.open()
    graph = Graph(ROOMS, project)
    scope = Scope(frozenset(graph.assets), tuple(project.active_regions()), tuple(world.years))
    return Trial(environment, home, project, graph, graph.steps(scope))


def _plain(folder: Path, world: World) -> tuple[float, int]:
    trial = _trial(folder, world)
    states = PartitionStates(trial.graph, trial.project)
    start, count = time.perf_counter(), 0
    for step in trial.steps:
        for asset in step.assets:
            if asset is PROMOTED_MODEL:
                promote_first(trial.project, trial.graph.assets, anyway=True)
            states.make(asset, step.keys)
            count += 1
    return time.perf_counter() - start, count


def _orchestrated(folder: Path, world: World) -> float:
    trial, recorder = _trial(folder, world), Recorder()
    instance = open_instance(trial.environment.dagster_home)
    sync_regions(instance, trial.project)
    definitions = build_definitions(trial.environment, trial.home.pinned(trial.project.told(recorder)))
    states = PartitionStates(trial.graph, trial.project)
    runner = Runner(definitions, trial.graph, states, instance, recorder)
    gate = Gate(states, trial.graph, trial.graph.assets, anyway=True)
    start = time.perf_counter()
    report = runner.run(trial.steps, begins=gate.reached, holds=gate.holds)
    if report.failures:
        raise SystemExit(f"the run failed: {report.failures[0].reason}")
    return time.perf_counter() - start


def main() -> None:
    """Measure and print."""
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--world", default="tiny", help="the world to make")
    parser.add_argument("--trials", type=int, default=2, help="how often each is done; the fastest of each counts")
    options = parser.parse_args()
    world, plain, orchestrated, count = load_world(options.world), math.inf, math.inf, 0
    for _ in range(options.trials):
        with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
            seconds, count = _plain(Path(one), world)
            plain, orchestrated = min(plain, seconds), min(orchestrated, _orchestrated(Path(two), world))
    each = (orchestrated - plain) / count
    print(f"asset partitions          {count}")
    print(f"build functions alone     {plain:8.2f} s")
    print(f"through Dagster           {orchestrated:8.2f} s   ratio {orchestrated / plain:.2f}")
    print(f"overhead a partition      {each:8.3f} s   ratio to the goal of {GOAL} s: {each / GOAL:.2f}")
    share = 1.0 - plain / orchestrated
    print(f"share of the run          {share:8.1%}     ratio to the goal of {MOST:.0%}: {share / MOST:.2f}")


if __name__ == "__main__":
    main()
