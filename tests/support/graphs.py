"""The asset graph in tests: a project with two regions, its definitions, and an instance that knows the regions.

Nothing is made here; sources are not opened.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import shapely

from dagster_project.definitions import build_definitions
from dagster_project.environment import Environment
from dagster_project.registry import Registry, home_of
from minemap_assets.graph.graph import Graph
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
