"""Door of the room polygons: outlines of the masks, and mining polygons confirmed by neighbouring years."""

import dagster as dg

from minemap_assets.graph.materialization import Door, dep, open_door
from minemap_assets.graph.partitions import region_of_multi, region_year, window_of_years
from minemap_assets.polygons import recipes
from minemap_assets.polygons.checks import POLYGON_CHECKS, RAW_CHECKS

DOORS = (
    Door(
        recipes.RAW_POLYGONS,
        "Outlines of one year's masks on pixel edges, each ground point counted for one site only.",
        deps=[dep("segmentation", "raw_masks"), dep("sites", "sites", region_of_multi)],
        partitions=region_year,
        kinds=frozenset({"parquet"}),
        checks=RAW_CHECKS,
    ),
    Door(
        recipes.MINING_POLYGONS,
        "Mining polygons of a region and year, confirmed by neighbouring years, merged, filled, with their country.",
        deps=[
            dep("polygons", "raw_polygons"),
            dep("segmentation", "raw_masks", window_of_years),
            dep("imagery", "imagery"),
            dep("sites", "sites", region_of_multi),
            dep("reference", "country_boundaries"),
        ],
        partitions=region_year,
        kinds=frozenset({"parquet"}),
        checks=POLYGON_CHECKS,
    ),
)


def polygons_assets() -> list[dg.AssetsDefinition]:
    """The room's assets."""
    return [open_door(door) for door in DOORS]
