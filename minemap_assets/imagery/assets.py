"""Door of the room imagery: composites by region and year, and of the reference year by product."""

import dagster as dg

from minemap_assets.graph.materialization import Door, dep, open_door
from minemap_assets.graph.partitions import region_of_multi, region_product, region_year
from minemap_assets.imagery import recipes
from minemap_assets.imagery.checks import COVERAGE_CHECKS

FETCHING_POOL = "imagery"
"""Assets of this pool run one at a time by default, so that processes do not add up their limits at one service."""

DOORS = (
    Door(
        recipes.IMAGERY,
        "One cloud-free composite for each site of a region and year, on the site's own grid, with its provenance.",
        deps=[dep("sites", "sites", region_of_multi)],
        partitions=region_year,
        kinds=frozenset({"geotiff"}),
        checks=COVERAGE_CHECKS,
        pool=FETCHING_POOL,
    ),
    Door(
        recipes.REFERENCE_IMAGERY,
        "The reference year of every site as each configured product shows it, for training and continuity.",
        deps=[dep("sites", "sites", region_of_multi)],
        partitions=region_product,
        kinds=frozenset({"geotiff"}),
        checks=COVERAGE_CHECKS,
        pool=FETCHING_POOL,
    ),
)


def imagery_assets() -> list[dg.AssetsDefinition]:
    """The room's assets."""
    return [open_door(door) for door in DOORS]
