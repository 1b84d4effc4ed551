"""A project on the tiny world whose sites are made, and nothing after them: quick to make, and to change."""

from pathlib import Path

from minemap_assets.graph.graph import Graph, Scope
from minemap_assets.graph.partition_states import PartitionStates
from minemap_assets.reference.assets import COUNTRY_BOUNDARIES
from minemap_assets.simulation.demo import prepare
from minemap_assets.simulation.world import World
from minemap_assets.sites.assets import SITES
from tiny import WORLD, YEARS, Chain


def located(folder: Path, world: World = WORLD) -> Chain:
    """Its regions, with the reference sets, ground truth and sites of both, and country boundaries."""
    chain = Chain(folder)
    prepare(chain.project, world)
    project = chain.project
    graph = Graph(chain.registry.rooms, project)
    states = PartitionStates(graph, project)
    assets = graph.closure([SITES, COUNTRY_BOUNDARIES], upstream=True)
    for step in graph.steps(Scope(assets, tuple(project.active_regions()), YEARS)):
        for asset in step.assets:
            assert not states.make(asset, step.keys).failures
    return chain
