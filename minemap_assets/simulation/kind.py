"""The source `simulated`: what the project knows of it."""

from typing import TYPE_CHECKING

from minemap_assets.imagery.source import ImagerySource
from minemap_assets.imagery.source_kind import (
    AccessAnswer,
    AccessCheck,
    SourceFacts,
    SourceKind,
    Terms,
    without_credentials,
)
from minemap_assets.project.project import Project
from minemap_assets.simulation.config import NAME, SimulatedConfig
from minemap_assets.simulation.costs import SimulatedCosts

if TYPE_CHECKING:
    from minemap_assets.simulation.world import World


def _world(project: Project) -> "World":
    from minemap_assets.simulation.built_in_worlds import load_world

    return load_world(project.section(SimulatedConfig).world)


def _open(project: Project, product: str) -> ImagerySource:
    from minemap_assets.simulation.source import SimulatedSource

    return SimulatedSource(_world(project), product)


def _revision(project: Project, _: str) -> str:
    from minemap_assets.simulation.source import revision_of

    return revision_of(_world(project))


def _check(project: Project, _: str) -> AccessAnswer:
    years = _world(project).years
    return AccessAnswer("works", f"{min(years)} to {max(years)}")


TERMS = Terms("simulated, free of any rights", True)

SIMULATED = SourceKind(
    name=NAME,
    products=("sentinel-2-l2a", "sentinel-2-l1c", "planet-nicfi"),
    section="simulated",
    config=SimulatedConfig,
    open=_open,
    revision=_revision,
    facts=SourceFacts("those of its world", "a world of its own", "none"),
    access=AccessCheck(without_credentials, _check, lambda _, __: (TERMS,)),
    cost_model=lambda _, __, ___: SimulatedCosts(),
)
