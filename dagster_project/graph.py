"""The graph as the command line walks it: stages in the order data flows, each a few assets that share partitions.

What belongs here: which recipe stands in which stage. What does not: running them (`runner.py`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from dagster_project.selection import Selection
from minemap_assets.chips.recipes import CHIPS, TRAINING_CHIPS
from minemap_assets.graph.recipes import Keys, Recipe
from minemap_assets.imagery.recipes import IMAGERY, REFERENCE_IMAGERY
from minemap_assets.lake.manifests import PartitionRef
from minemap_assets.polygons.recipes import MINING_POLYGONS, RAW_POLYGONS
from minemap_assets.project.project import Project
from minemap_assets.reference.recipes import COUNTRY_BOUNDARIES, VALIDATION_POINTS, polygon_set
from minemap_assets.segmentation.recipes import (
    MODEL_EVALUATION,
    PROMOTED_MODEL,
    RAW_MASKS,
    REFERENCE_MASKS,
    SEGMENTATION_MODEL,
)
from minemap_assets.sites.recipes import GROUND_TRUTH, SITES
from minemap_assets.tables.recipes import DATABASE, TABLES
from minemap_assets.validation.recipes import REFERENCE_VALIDATION, SOURCE_CONTINUITY


class Dimensions(Enum):
    """How a stage is partitioned."""

    NONE = "none"
    REGION = "region"
    REGION_YEAR = "region x year"
    REGION_PRODUCT = "region x product"
    YEAR = "year"


@dataclass(frozen=True)
class Stage:
    """Assets that share partitions and follow each other."""

    title: str
    dimensions: Dimensions
    recipes: tuple[Recipe, ...]


@dataclass(frozen=True)
class Scope:
    """What a run is about: regions in order of their slugs, years in order."""

    regions: tuple[str, ...]
    years: tuple[int, ...]
    selection: Selection


@dataclass(frozen=True)
class Step:
    """One run: some assets of a stage for one partition."""

    stage: Stage
    recipes: tuple[Recipe, ...]
    keys: Keys

    @property
    def refs(self) -> tuple[PartitionRef, ...]:
        """The partitions it makes."""
        return tuple(r.ref(self.keys) for r in self.recipes)


def stages(project: Project) -> tuple[Stage, ...]:
    """All stages of a project's graph."""
    registered = {entry.name for entry in project.catalogue.entries}
    points = (VALIDATION_POINTS,) if VALIDATION_POINTS.asset in registered else ()
    validated = (REFERENCE_VALIDATION,) if points else ()
    reference = (*(polygon_set(name) for name in project.polygon_sets()), COUNTRY_BOUNDARIES, *points)
    return (
        Stage("reference", Dimensions.NONE, reference),
        Stage("sites", Dimensions.REGION, (GROUND_TRUTH, SITES)),
        Stage("imagery", Dimensions.REGION_YEAR, (IMAGERY, CHIPS)),
        Stage("training imagery", Dimensions.REGION_PRODUCT, (REFERENCE_IMAGERY, TRAINING_CHIPS)),
        Stage("model", Dimensions.NONE, (SEGMENTATION_MODEL, MODEL_EVALUATION)),
        Stage("promotion", Dimensions.NONE, (PROMOTED_MODEL,)),
        Stage("masks", Dimensions.REGION_YEAR, (RAW_MASKS, RAW_POLYGONS)),
        Stage("reference masks", Dimensions.REGION_PRODUCT, (REFERENCE_MASKS,)),
        Stage("polygons", Dimensions.REGION_YEAR, (MINING_POLYGONS,)),
        Stage("tables", Dimensions.YEAR, tuple(TABLES.values())),
        Stage("database", Dimensions.NONE, (DATABASE,)),
        Stage("validation", Dimensions.NONE, (SOURCE_CONTINUITY, *validated)),
    )


def _keys(stage: Stage, project: Project, scope: Scope) -> Sequence[Keys]:
    match stage.dimensions:
        case Dimensions.NONE:
            return [()]
        case Dimensions.REGION:
            wanted = set(scope.regions)
            if any(r.asset == SITES.asset for r in stage.recipes):
                wanted |= set(project.training_regions()) if scope.selection.trains else set()
            return [(region,) for region in sorted(wanted)]
        case Dimensions.REGION_YEAR:
            return [(region, str(year)) for year in scope.years for region in scope.regions]
        case Dimensions.REGION_PRODUCT:
            regions = project.training_regions()
            return [(product, region) for product in project.training_products() for region in regions]
        case Dimensions.YEAR:
            return [(str(year),) for year in scope.years]


def steps(project: Project, scope: Scope) -> Iterator[Step]:
    """Every run a scope asks for, in an order in which inputs come first."""
    for stage in stages(project):
        chosen = tuple(r for r in stage.recipes if scope.selection.holds(r))
        if not chosen:
            continue
        for keys in _keys(stage, project, scope):
            yield Step(stage, chosen, keys)
