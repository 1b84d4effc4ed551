"""The source `stac`: what the project knows of it."""

from collections.abc import Sequence

from shapely.geometry.base import BaseGeometry

from minemap_assets.errors import NotEntitledError, RetryableError
from minemap_assets.imagery.costs import CostModel
from minemap_assets.imagery.seasons import Season
from minemap_assets.imagery.source import ImagerySource
from minemap_assets.imagery.source_kind import (
    SINGLE_ATTEMPT,
    AccessAnswer,
    AccessCheck,
    MonthlyCounts,
    SourceFacts,
    SourceKind,
    Terms,
    without_credentials,
)
from minemap_assets.imagery.sources.stac.config import NAME, PRODUCT, StacConfig, cache_folder, revision_of
from minemap_assets.project.project import Project


def _open(project: Project, product: str) -> ImagerySource:
    from minemap_assets.imagery.sources.stac.source import StacSource

    return StacSource(product, project.section(StacConfig), cache_folder(project.lake.state))


def _cost_model(project: Project, product: str, source: ImagerySource | None) -> CostModel:
    from minemap_assets.imagery.sources.stac.costs import StacCosts
    from minemap_assets.imagery.sources.stac.source import StacSource

    assert source is None or isinstance(source, StacSource)
    return StacCosts(project.section(StacConfig), product, source)


def _clear_scenes(
    project: Project, product: str, outlines: Sequence[BaseGeometry], season: Season
) -> MonthlyCounts | None:
    from minemap_assets.imagery.sources.stac.clear_scenes import clear_scenes

    return clear_scenes(project.section(StacConfig), outlines, season) if product == PRODUCT else None


def _check(project: Project, product: str) -> AccessAnswer:
    from minemap_assets.imagery.sources.stac.source import StacSource

    changes = {"attempts": SINGLE_ATTEMPT.attempts, "timeout": SINGLE_ATTEMPT.timeout}
    config = project.section(StacConfig).model_copy(update=changes)
    if product != PRODUCT:
        raise NotEntitledError(f"it has no {product}, only {PRODUCT}; name another source under [imagery.sources]")
    latest = StacSource(product, config, cache_folder(project.lake.state)).latest()
    if latest.newest is None:
        raise RetryableError("the catalogues answer, but hold no image; check the collections under [sources.stac]")
    return AccessAnswer(f"newest image of {latest.newest:%Y-%m-%d}", latest.span)


def _terms(project: Project, _: str) -> tuple[Terms, ...]:
    collections = project.section(StacConfig).collections
    return tuple(sorted({Terms(c.terms, c.redistributable) for c in collections}))


STAC = SourceKind(
    name=NAME,
    products=(PRODUCT,),
    section="stac",
    config=StacConfig,
    open=_open,
    revision=lambda project, _: revision_of(project.section(StacConfig)),
    facts=SourceFacts("2015 until now (few images before 2017)", "land worldwide", "no account, no quota"),
    access=AccessCheck(without_credentials, _check, _terms),
    cost_model=_cost_model,
    clear_scenes=_clear_scenes,
    keeps_fetched=True,
    transfer_varies=True,
)
