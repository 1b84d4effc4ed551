"""Recipes of the room reference: one a registered file."""

from collections.abc import Callable

from minemap_assets.graph.recipes import Keys, Kitchen, Recipe
from minemap_assets.lake.manifests import Outcome
from minemap_assets.project.project import Project

ROOM = "reference"
BOUNDARIES = "country_boundaries"
POINTS = "validation_points"


def polygon_set(name: str) -> Recipe:
    """The recipe of one polygon set."""

    def build(kitchen: Kitchen) -> Outcome:
        from minemap_assets.reference.polygon_sets import build_polygon_set

        project = kitchen.project
        return build_polygon_set(project.reference_entry(name), project.lake.store, kitchen.writer)

    return Recipe(ROOM, name, "1", build, config=_entry_of(name))


def _build_boundaries(kitchen: Kitchen) -> Outcome:
    from minemap_assets.reference.boundaries import build_boundaries

    project = kitchen.project
    return build_boundaries(project.reference_entry(BOUNDARIES), project.lake.store, kitchen.writer)


def _build_points(kitchen: Kitchen) -> Outcome:
    from minemap_assets.reference.points import build_points

    project = kitchen.project
    return build_points(project.reference_entry(POINTS), project.lake.store, kitchen.writer)


def _entry_of(name: str) -> Callable[[Project, Keys], object]:
    def config(project: Project, _: Keys) -> object:
        return project.reference_entry(name).model_dump(mode="json")

    return config


COUNTRY_BOUNDARIES = Recipe(ROOM, BOUNDARIES, "1", _build_boundaries, config=_entry_of(BOUNDARIES))
VALIDATION_POINTS = Recipe(ROOM, POINTS, "1", _build_points, config=_entry_of(POINTS))
