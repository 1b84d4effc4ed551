"""The source `archive`: what the project knows of it."""

from functools import partial
from pathlib import Path

from minemap_assets.errors import BadInputError
from minemap_assets.imagery.costs import CostModel
from minemap_assets.imagery.seasons import Season
from minemap_assets.imagery.source import ImagerySource
from minemap_assets.imagery.source_kind import (
    AccessAnswer,
    AccessCheck,
    SourceFacts,
    SourceKind,
    Terms,
    without_credentials,
)
from minemap_assets.imagery.sources.archive.indexed_images import NAME, IndexedImage, images_of, revision_of
from minemap_assets.project.project import Project

_ADDRESS = "://"


def _open(project: Project, product: str) -> ImagerySource:
    from minemap_assets.imagery.sources.archive.catalogue import read_archives
    from minemap_assets.imagery.sources.archive.source import ArchiveSource

    return ArchiveSource(product, read_archives(project))


def _revision(project: Project, product: str) -> str:
    return revision_of(_images(project, product))


def _season_revision(project: Project, product: str, season: Season) -> str:
    return revision_of([found for found in _images(project, product) if found.image.within(season)])


def _images(project: Project, product: str) -> tuple[IndexedImage, ...]:
    return project.cached(partial(_images_of_product, product))


def _images_of_product(product: str, project: Project) -> tuple[IndexedImage, ...]:
    from minemap_assets.imagery.sources.archive.catalogue import read_archives

    return images_of(product, read_archives(project))


def _cost_model(project: Project, product: str, source: ImagerySource | None) -> CostModel:
    from minemap_assets.imagery.sources.archive.catalogue import read_roots
    from minemap_assets.imagery.sources.archive.costs import ArchiveCosts

    remote = any(_ADDRESS in root for root in read_roots(project).values())
    return ArchiveCosts(_open(project, product) if source is None else source, remote)


def _check(project: Project, product: str) -> AccessAnswer:
    from minemap_assets.imagery.sources.archive.catalogue import read_archives

    archives = read_archives(project)
    if not archives:
        raise BadInputError("no archive yet; `minemap archive index FOLDER` adds one")
    gone = [a.name for a in archives if _ADDRESS not in a.root and not Path(a.root).exists()]
    if gone:
        raise BadInputError(
            f"the folder of {', '.join(gone)} is gone; mount it, or forget the archive with `minemap archive remove`"
        )
    images = len(images_of(product, archives))
    return AccessAnswer(f"{images} images of {product} indexed", _open(project, product).latest().span)


def _terms(project: Project, product: str) -> tuple[Terms, ...]:
    images = [found.image for found in _images(project, product)]
    return tuple({Terms(i.terms or "terms unknown", i.redistributable) for i in images})


ARCHIVE = SourceKind(
    name=NAME,
    products=("sentinel-2-l2a", "sentinel-2-l1c", "planet-nicfi"),
    open=_open,
    revision=_revision,
    season_revision=_season_revision,
    facts=SourceFacts("those of its files", "that of its files", "none"),
    access=AccessCheck(without_credentials, _check, _terms),
    cost_model=_cost_model,
)
