"""What of a project is part of the graph itself: it is read when Dagster loads the code location, and never after."""

from collections.abc import Hashable

from dagster_project.registry import Registry
from minemap_assets.graph.graph import Graph
from minemap_assets.project.project import ProjectHome


def graph_shape(home: ProjectHome, registry: Registry) -> Hashable:
    """Assets, partitions and mappings as they would be loaded now: what was loaded before is out of date if it differs.

    Regions are no part of it, because their partitions are added while it is loaded. Raises `BadInputError` for a
    project that cannot be read.
    """
    project = home.open()
    graph = Graph(registry.rooms, project)
    return tuple(
        (
            str(asset),
            asset.description,
            graph.applies(asset),
            repr(asset.partitions.definition(project)),
            tuple(
                (str(upstream), repr(dep.mapping.dagster(project, upstream.partitions, asset.partitions)))
                for dep, upstream in graph.upstream(asset)
            ),
        )
        for asset in graph.assets
    )
