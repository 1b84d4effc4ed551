"""Recipes of the room imagery: composites of a region's sites in one year, and of the reference year by product."""

from typing import Any

from minemap_assets.geo.vector import read_geoparquet
from minemap_assets.graph.recipes import Keys, Kitchen, Recipe
from minemap_assets.imagery.budget import check_budget
from minemap_assets.lake.manifests import Outcome, PartitionRef
from minemap_assets.net.usage import counted, one_run
from minemap_assets.planning.asking import ask_patiently
from minemap_assets.project.project import Project

ROOM = "imagery"


def _request(project: Project, region: str, year: int, product: str) -> Any:
    season = project.season(project.region(region), year)
    settings = project.settings.imagery
    corrections = project.corrections(project.region(region), year, product)
    known = {"corrections": corrections} if corrections else {}
    return known | {
        "product": product,
        "season": [season.start.isoformat(), season.end.isoformat()],
        "bands": settings.bands_for(product),
        "sources": [[s.name, s.revision] for s in project.sources(product)],
        "min_clear_fraction": settings.min_clear_fraction,
    }


def _imagery_config(project: Project, keys: Keys) -> Any:
    region, year = keys[0], int(keys[1])
    return _request(project, region, year, project.product_for(project.region(region), year))


def _reference_config(project: Project, keys: Keys) -> Any:
    product, region = keys
    return _request(project, region, project.reference_year(project.region(region)), product)


def _build(kitchen: Kitchen, region: str, year: int, product: str) -> Outcome:
    from minemap_assets.imagery.build import build_imagery

    project = kitchen.project
    _hold_to_budget(project, region, year, product)
    sites = read_geoparquet(kitchen.read("sites", "sites", region).file("sites.parquet"))
    settings = project.settings.imagery
    with one_run(settings.budget), counted():
        return build_imagery(
            sites,
            project.sources(product),
            project.season(project.region(region), year),
            settings.bands_for(product),
            settings.min_clear_fraction,
            kitchen.writer,
            corrections=project.corrections(project.region(region), year, product),
            progress=kitchen.progress,
            workers=settings.workers,
        )


def _hold_to_budget(project: Project, region: str, year: int, product: str) -> None:
    """Raises `BadInputError` where this partition alone passes the budget of a run; sources are asked for that."""
    budget = project.settings.imagery.budget
    if budget.limits_anything:
        from minemap_assets.planning.estimates import Wanted, estimate

        total = estimate(project, [Wanted(region, year, product)], ask=ask_patiently).total
        check_budget(total, budget, f"imagery of {region} in {year}")


def _build_imagery(kitchen: Kitchen) -> Outcome:
    region, year = kitchen.keys[0], int(kitchen.keys[1])
    product = kitchen.project.product_for(kitchen.project.region(region), year)
    return _build(kitchen, region, year, product)


def _build_reference(kitchen: Kitchen) -> Outcome:
    product, region = kitchen.keys
    return _build(kitchen, region, kitchen.project.reference_year(kitchen.project.region(region)), product)


IMAGERY = Recipe(
    ROOM,
    "imagery",
    "2",
    _build_imagery,
    needs=lambda _, keys: [PartitionRef("sites", "sites", keys[:1])],
    config=_imagery_config,
)
REFERENCE_IMAGERY = Recipe(
    ROOM,
    "reference_imagery",
    "2",
    _build_reference,
    needs=lambda _, keys: [PartitionRef("sites", "sites", keys[1:])],
    config=_reference_config,
)
