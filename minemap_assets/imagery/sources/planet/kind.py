"""The source `planet-basemaps`: what the project knows of it."""

from datetime import timedelta

from minemap_assets.errors import NotEntitledError
from minemap_assets.imagery.basemaps.nicfi import PRODUCT
from minemap_assets.imagery.costs import CostModel
from minemap_assets.imagery.source import ImagerySource
from minemap_assets.imagery.source_kind import (
    SINGLE_ATTEMPT,
    AccessAnswer,
    AccessCheck,
    SourceFacts,
    SourceKind,
    Terms,
)
from minemap_assets.imagery.sources.planet.config import NAME, PlanetConfig, quads_folder, revision_of
from minemap_assets.project.project import Project


def _open(project: Project, product: str) -> ImagerySource:
    from minemap_assets.imagery.sources.planet.source import PlanetSource

    return PlanetSource(product, project.section(PlanetConfig), quads_folder(project.lake.state))


def _cost_model(project: Project, _: str, source: ImagerySource | None) -> CostModel:
    from minemap_assets.imagery.sources.planet.costs import PlanetCosts
    from minemap_assets.imagery.sources.planet.source import PlanetSource

    assert source is None or isinstance(source, PlanetSource)
    return PlanetCosts(project.section(PlanetConfig), quads_folder(project.lake.state), source)


def _credentials(_: Project) -> str:
    from minemap_assets.imagery.sources.planet.credentials import describe_credentials

    return describe_credentials()


def _check(project: Project, _: str) -> AccessAnswer:
    from minemap_assets.imagery.sources.planet.client import PlanetClient

    mosaics = PlanetClient(project.section(PlanetConfig), SINGLE_ATTEMPT).mosaics()
    if not mosaics:
        raise NotEntitledError(
            "the credentials work, but the account sees none of the mosaics that are meant; ask for access, or name "
            "the series you have under [sources.planet_basemaps]"
        )
    closed = "" if any(m.downloadable for m in mosaics) else ", but the account may download none of them"
    last = max(m.end for m in mosaics) - timedelta(days=1)
    return AccessAnswer(f"{len(mosaics)} mosaics seen{closed}", f"{min(m.start for m in mosaics)} to {last}")


def _terms(project: Project, _: str) -> tuple[Terms, ...]:
    config = project.section(PlanetConfig)
    return (Terms(config.terms, config.redistributable),)


PLANET_BASEMAPS = SourceKind(
    name=NAME,
    products=(PRODUCT,),
    section="planet_basemaps",
    config=PlanetConfig,
    open=_open,
    revision=lambda project, _: revision_of(project.section(PlanetConfig)),
    facts=SourceFacts(
        "December 2015 to April 2025 (NICFI; access ended in January 2025, a paid successor has other series)",
        "tropics, 30 degrees north to south",
        "quads count as downloads of the plan; 10 requests/s",
    ),
    access=AccessCheck(_credentials, _check, _terms),
    cost_model=_cost_model,
    keeps_fetched=True,
)
