"""The source `planet-basemaps`: what the project knows of it."""

from datetime import timedelta

from minemap_assets.imagery.basemaps.nicfi import PRODUCT
from minemap_assets.imagery.config import ImageryConfig
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
from minemap_assets.imagery.sources.planet.config import NAME, PlanetConfig, revision_of
from minemap_assets.lake.kept_files import KeptFiles
from minemap_assets.project.project import Project


def _open(project: Project, product: str) -> ImagerySource:
    from minemap_assets.imagery.sources.planet.source import PlanetSource

    return PlanetSource(product, project.section(PlanetConfig), _kept(project))


def _kept(project: Project) -> KeptFiles:
    return KeptFiles(project.lake.state / "cache", project.section(ImageryConfig).cache_gb * 1e9)


def _cost_model(project: Project, _: str, source: ImagerySource | None) -> CostModel:
    from minemap_assets.imagery.sources.planet.costs import PlanetCosts
    from minemap_assets.imagery.sources.planet.source import PlanetSource

    assert source is None or isinstance(source, PlanetSource)
    return PlanetCosts(project.section(PlanetConfig), _kept(project), source)


def _credentials(_: Project) -> str:
    from minemap_assets.imagery.sources.planet.credentials import describe_credentials

    return describe_credentials()


def _check(project: Project, _: str) -> AccessAnswer:
    from minemap_assets.imagery.sources.planet.client import PlanetClient

    config = project.section(PlanetConfig)
    listing = PlanetClient(config, SINGLE_ATTEMPT).mosaics()
    listing.check_any(f"whose name contains {config.names}" if config.names else "of any name")
    mosaics = listing.mosaics
    closed = "" if any(m.downloadable for m in mosaics) else ", but the account may download none of them"
    last = max(m.end for m in mosaics) - timedelta(days=1)
    return AccessAnswer(f"{len(mosaics)} mosaics seen{closed}", f"{min(m.start for m in mosaics)} to {last}")


def _terms(project: Project, _: str) -> tuple[Terms, ...]:
    config = project.section(PlanetConfig)
    return (Terms(config.licence, config.redistributable),)


PLANET_BASEMAPS = SourceKind(
    name=NAME,
    products=(PRODUCT,),
    section="planet_basemaps",
    config=PlanetConfig,
    open=_open,
    revision=lambda project, _: revision_of(project.section(PlanetConfig)),
    facts=SourceFacts(
        "December 2015 to April 2025 (NICFI, which takes no new users since January 2025); a subscription's own series",
        "tropics, 30 degrees north to south (NICFI); a subscription's own area",
        "quads count as downloads of the plan, tiles do not but must be part of it; 10 requests/s",
    ),
    access=AccessCheck(_credentials, _check, _terms),
    cost_model=_cost_model,
    keeps_fetched=True,
)
