"""The asset graph in tests: a project with two regions, its definitions, and an instance that knows the regions.

Nothing is made here; sources are not opened.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import dagster as dg
import shapely

from dagster_project.definitions import build_definitions
from dagster_project.environment import Environment
from dagster_project.registry import ROOMS, Registry, home_of
from minemap_assets.graph.graph import Graph
from minemap_assets.graph.partitioning import RunningYear
from minemap_assets.graph.statement import Room
from minemap_assets.project.project import Project
from minemap_assets.project.regions import REGIONS_PATH, Region, write_regions
from minemap_assets.project.settings import SETTINGS_PATH

REGIONS = ("alder", "birch")


@dataclass(frozen=True)
class Assembled:
    """A project with everything that follows from it."""

    project: Project
    graph: Graph
    definitions: dg.Definitions


def with_running_year(begun: bool) -> Registry:
    """Every room, with the running year begun or not, whatever the day of the test."""
    rooms = tuple(replace(room, extensions=()) for room in ROOMS)
    return Registry(rooms=(*rooms, Room("calendar", (), extensions=(RunningYear(lambda _, __: begun),))))


def assembled(folder: Path, settings: str = "", registry: Registry | None = None) -> Assembled:
    """A project in a folder, with regions and the given settings."""
    registry = registry or Registry()
    environment = Environment(home=str(folder / "lake"), state=folder / "state")
    home = home_of(environment, registry)
    squares = [Region(slug, slug, shapely.box(x, 0, x + 1, 1)) for x, slug in enumerate(REGIONS)]
    home.lake.store.write_bytes(REGIONS_PATH, write_regions(squares))
    home.lake.store.write_bytes(SETTINGS_PATH, settings.encode())
    project = home.open()
    return Assembled(project, Graph(registry.rooms, project), build_definitions(environment, home, registry))


@contextmanager
def instance_with_regions() -> Iterator[dg.DagsterInstance]:
    """An instance that knows the regions."""
    with dg.instance_for_test() as instance:
        instance.add_dynamic_partitions("region", list(REGIONS))
        yield instance
