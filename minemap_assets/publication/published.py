"""What everything that is published reads and tells of: a project's tables over all years, its inputs, its model."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from minemap_assets.graph.context import InputContext
from minemap_assets.graph.statement import Asset, Dep
from minemap_assets.imagery.assets import COMPOSITES
from minemap_assets.lake.partitions import Partition
from minemap_assets.polygons.assets import SITE_HISTORY
from minemap_assets.polygons.schemas import TableSpec, empty_table, read_table, stack
from minemap_assets.project.project import Project
from minemap_assets.publication.standing import waits_for_a_person
from minemap_assets.reference.assets import COUNTRY_BOUNDARIES
from minemap_assets.reference.registered import catalogue
from minemap_assets.segmentation.assets import MODEL_EVALUATION, PROMOTED_MODEL
from minemap_assets.segmentation.promotion import in_use
from minemap_assets.sites.assets import OWNED_GROUND, SITES
from minemap_assets.tables import schemas
from minemap_assets.tables.assets import REGION_SUMMARY, YEARLY
from minemap_assets.validation.assets import AREA_ESTIMATES, REFERENCE_VALIDATION, SERIES_BREAK, SOURCE_CONTINUITY

if TYPE_CHECKING:
    import pandas as pd

PUBLISHED: tuple[Dep, ...] = (
    *(Dep(table, optional=True) for table in YEARLY),
    *(Dep(one, optional=True) for one in (SITE_HISTORY, SITES, OWNED_GROUND, COUNTRY_BOUNDARIES)),
    *(Dep(one, optional=True) for one in (PROMOTED_MODEL, MODEL_EVALUATION)),
    *(Dep(one, optional=True) for one in (REFERENCE_VALIDATION, AREA_ESTIMATES, SOURCE_CONTINUITY, SERIES_BREAK)),
    Dep(COMPOSITES, optional=True),
)
"""What everything that is published may read. Nothing of it has to be there: what is missing is said to be missing."""


def told_of(project: Project) -> dict[str, Any]:
    """What everything that is published tells of a project beside what it reads, as settings of an asset."""
    decision = in_use(project)
    return {
        "regions": {slug: [one.title, one.outline] for slug, one in project.active_regions().items()},
        "registered inputs": [one.model_dump(mode="json") for one in catalogue(project).entries],
        "the model in use": None if decision is None else decision.model_dump(mode="json"),
        "whether figures wait": waits_for_a_person(project),
    }


def by_year(context: InputContext, asset: Asset) -> dict[int, Partition]:
    """The partitions of an asset by year, in order."""
    return {int(ref.keys[0]): one for ref, one in context.inputs_of(asset).items()}


def by_region(context: InputContext, asset: Asset) -> dict[str, Partition]:
    """The partitions of an asset by the slug of their region, in order."""
    return {ref.keys[0]: one for ref, one in context.inputs_of(asset).items()}


def by_region_and_year(context: InputContext, asset: Asset) -> dict[tuple[str, int], Partition]:
    """The partitions of an asset by region and year, in order."""
    return {(ref.keys[0], int(ref.keys[1])): one for ref, one in context.inputs_of(asset).items()}


def one_of(context: InputContext, asset: Asset) -> Partition | None:
    """The partition of an asset that has only one; None where it was not made."""
    return next(iter(context.inputs_of(asset).values()), None)


def mapped(context: InputContext) -> frozenset[tuple[str, int]]:
    """Regions and years that were mapped, as the table `region_summary` says."""
    rows = table(context, REGION_SUMMARY, schemas.REGION_SUMMARY)
    made = rows[rows["status"] != schemas.MISSING]
    return frozenset((str(region), int(year)) for region, year in zip(made["region"], made["year"], strict=True))


def table(context: InputContext, asset: Asset, spec: TableSpec) -> "pd.DataFrame":
    """A table over all partitions that hold it, in the order of their keys; without rows where none does.

    A `GeoDataFrame` in EPSG:4326 where the table has a geometry.
    """
    held: Sequence[Partition] = [one for one in context.inputs_of(asset).values() if spec.file in one.names()]
    return stack([read_table(one.file(spec.file), spec) for one in held], spec) if held else empty_table(spec)
