"""The source `simulated`: what the project knows of it."""

from typing import TYPE_CHECKING

from minemap_assets.imagery.costs import CostModel
from minemap_assets.imagery.source import ImagerySource
from minemap_assets.imagery.source_kind import AccessAnswer, AccessCheck, SourceFacts, SourceKind, Terms
from minemap_assets.project.project import Project
from minemap_assets.simulation.config import NAME, SimulatedConfig

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


def _cost_model(_: Project, __: str, ___: ImagerySource | None) -> CostModel:
    from minemap_assets.simulation.costs import SimulatedCosts

    return SimulatedCosts()


def _credentials(_: Project) -> str:
    return "none needed"


def _check(project: Project, _: str) -> AccessAnswer:
    years = _world(project).years
    return AccessAnswer("works", f"{min(years)} to {max(years)}")


def _terms(_: Project, __: str) -> tuple[Terms, ...]:
    return (Terms("simulated, free of any rights", True),)


SIMULATED = SourceKind(
    name=NAME,
    products=("sentinel-2-l2a", "sentinel-2-l1c", "planet-nicfi"),
    section="simulated",
    config=SimulatedConfig,
    open=_open,
    revision=_revision,
    facts=SourceFacts("those of its world", "a world of its own", "none"),
    access=AccessCheck(_credentials, _check, _terms),
    cost_model=_cost_model,
)
