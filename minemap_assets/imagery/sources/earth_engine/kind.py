"""The source `earth-engine`: what the project knows of it."""

from minemap_assets.errors import NotEntitledError
from minemap_assets.imagery.basemaps.nicfi import PRODUCT as NICFI
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
from minemap_assets.imagery.sources.earth_engine.config import (
    EMBEDDING,
    EMBEDDING_TERMS,
    NAME,
    SENTINEL2_TERMS,
    EarthEngineConfig,
    revision_of,
)
from minemap_assets.project.project import Project


def _open(project: Project, product: str) -> ImagerySource:
    from minemap_assets.imagery.sources.earth_engine.source import EarthEngineSource

    return EarthEngineSource(product, project.section(EarthEngineConfig))


def _cost_model(project: Project, product: str, source: ImagerySource | None) -> CostModel:
    from minemap_assets.imagery.sources.earth_engine.costs import EarthEngineCosts
    from minemap_assets.imagery.sources.earth_engine.source import EarthEngineSource

    assert source is None or isinstance(source, EarthEngineSource)
    return EarthEngineCosts(project.section(EarthEngineConfig), product, source)


def _credentials(project: Project) -> str:
    from minemap_assets.imagery.sources.earth_engine.credentials import find_account

    account = find_account(project.section(EarthEngineConfig))
    return f"found, charged to the project {account.project}"


def _check(project: Project, product: str) -> AccessAnswer:
    from minemap_assets.imagery.sources.earth_engine.source import EarthEngineSource

    changes = {"attempts": SINGLE_ATTEMPT.attempts, "deadline": SINGLE_ATTEMPT.deadline}
    config = project.section(EarthEngineConfig).model_copy(update=changes)
    refused = [one for one in EarthEngineSource(product, config).access() if not one.granted]
    if refused:
        raise NotEntitledError(refused[0].reason)
    return AccessAnswer(f"{product} may be read")


def _terms(project: Project, product: str) -> tuple[Terms, ...]:
    if product == NICFI:
        return (Terms(project.section(EarthEngineConfig).nicfi_terms, False),)
    return (Terms(EMBEDDING_TERMS if product == EMBEDDING else SENTINEL2_TERMS, True),)


EARTH_ENGINE = SourceKind(
    name=NAME,
    products=("sentinel-2-l2a", "sentinel-2-l1c", NICFI, EMBEDDING),
    section="earth_engine",
    config=EarthEngineConfig,
    open=_open,
    revision=lambda project, _: revision_of(project.section(EarthEngineConfig)),
    facts=SourceFacts(
        "2015 until now (basemaps: December 2015 to 2025; annual embeddings: from 2017)",
        "land worldwide (basemaps: tropics)",
        "48 MB an answer, 40 requests at a time, 150 EECU-hours a month without a billing account (non-commercial)",
    ),
    access=AccessCheck(_credentials, _check, _terms),
    cost_model=_cost_model,
)
