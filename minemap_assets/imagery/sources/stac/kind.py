"""The source `stac`: what the project knows of it."""

from collections.abc import Sequence
from pathlib import Path

from shapely.geometry.base import BaseGeometry

from minemap_assets.errors import BadInputError, NotEntitledError, RetryableError
from minemap_assets.imagery.config import ImageryConfig
from minemap_assets.imagery.costs import CostModel
from minemap_assets.imagery.seasons import CALENDAR_YEAR, Season
from minemap_assets.imagery.source import ImagerySource
from minemap_assets.imagery.source_kind import (
    SINGLE_ATTEMPT,
    AccessAnswer,
    AccessCheck,
    MonthlyCounts,
    SourceFacts,
    SourceKind,
    Terms,
)
from minemap_assets.imagery.sources.stac.config import (
    NAME,
    PRODUCT,
    SERVED,
    Collection,
    StacConfig,
    cache_folder,
    revision_of,
)
from minemap_assets.lake.kept_files import KeptFiles
from minemap_assets.project.project import Project


def _open(project: Project, product: str) -> ImagerySource:
    from minemap_assets.imagery.sources.stac.source import StacSource

    return StacSource(product, project.section(StacConfig), _kept(project))


def _kept(project: Project) -> KeptFiles:
    return KeptFiles(cache_folder(project.lake.state), project.section(ImageryConfig).cache_gb * 1e9)


def _cost_model(project: Project, product: str, source: ImagerySource | None) -> CostModel:
    from minemap_assets.imagery.sources.stac.costs import StacCosts
    from minemap_assets.imagery.sources.stac.source import StacSource

    assert source is None or isinstance(source, StacSource)
    return StacCosts(project.section(StacConfig), product, source)


def _clear_scenes(
    project: Project, product: str, outlines: Sequence[BaseGeometry], season: Season
) -> MonthlyCounts | None:
    from minemap_assets.imagery.sources.stac.clear_scenes import clear_scenes

    if product != PRODUCT:
        return None
    return clear_scenes(project.section(StacConfig), outlines, season, cache_folder(project.lake.state))


def _credentials(project: Project) -> str:
    from minemap_assets.imagery.sources.stac.s3_login import ACCESS_VARIABLE, SECRET_VARIABLE, copernicus_keys
    from minemap_assets.imagery.sources.stac.signing import SUBSCRIPTION_VARIABLE, subscription

    config = project.section(StacConfig)
    logins = {collection.login for product in SERVED for collection in config.collections_for(product)}
    found = []
    if "copernicus" in logins:
        copernicus_keys()
        found.append(f"{ACCESS_VARIABLE} and {SECRET_VARIABLE} are set")
    if "planetary-computer" in logins and subscription():
        found.append(f"{SUBSCRIPTION_VARIABLE} is set")
    return "; ".join(found) or "none needed"


def _check(project: Project, product: str) -> AccessAnswer:
    from minemap_assets.imagery.sources.stac.cloud_masks import model_mask
    from minemap_assets.imagery.sources.stac.source import StacSource
    from minemap_assets.imagery.sources.stac.static_index import is_index

    changes = {"attempts": SINGLE_ATTEMPT.attempts, "timeout": SINGLE_ATTEMPT.timeout}
    config = project.section(StacConfig).model_copy(update=changes)
    collections = config.collections_for(product)
    if not collections:
        raise NotEntitledError(
            f"[sources.stac] names no collection of {product}; add one to use or collections, or name another source "
            f"under [imagery.sources] {product}"
        )
    model_mask(config, product)
    if all(is_index(collection.endpoint) for collection in collections):
        return _indexed(config, collections, cache_folder(project.lake.state))
    latest = StacSource(product, config, _kept(project)).newest(CALENDAR_YEAR)
    if latest.newest is None:
        raise RetryableError("the catalogues answer, but hold no image; check the collections under [sources.stac]")
    return AccessAnswer(f"newest image of {latest.newest:%Y-%m-%d}", latest.span)


def _indexed(config: StacConfig, collections: Sequence[Collection], folder: Path) -> AccessAnswer:
    from minemap_assets.imagery.sources.stac.services import Services
    from minemap_assets.imagery.sources.stac.static_index import indexes

    here = indexes(collections, Services(config), folder)
    count = sum(here[collection.endpoint].count(collection.collection) for collection in collections)
    if not count:
        named = ", ".join(sorted({collection.collection for collection in collections}))
        raise BadInputError(
            f"the static indexes hold no item of {named}; correct collection under [sources.stac] collections, or "
            "write the index anew"
        )
    return AccessAnswer(f"{count:,} item{'' if count == 1 else 's'} in static indexes, and no service to ask")


def _terms(project: Project, product: str) -> tuple[Terms, ...]:
    collections = project.section(StacConfig).collections_for(product)
    return tuple(sorted({Terms(c.terms, c.redistributable) for c in collections}))


STAC = SourceKind(
    name=NAME,
    products=SERVED,
    section="stac",
    config=StacConfig,
    open=_open,
    revision=lambda project, product: revision_of(project.section(StacConfig), product),
    facts=SourceFacts(
        "2015 until now (few images before 2017)",
        "land worldwide",
        "no account, no quota (of Copernicus Data Space: keys of a free account, 4 connections, 6 TB a month); "
        "Level-1C needs the extra clouds",
    ),
    access=AccessCheck(_credentials, _check, _terms),
    cost_model=_cost_model,
    clear_scenes=_clear_scenes,
    keeps_fetched=True,
    transfer_varies=True,
)
