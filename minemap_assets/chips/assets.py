"""Door of the room chips: what the model eats."""

import dagster as dg

from minemap_assets.chips import recipes
from minemap_assets.chips.checks import CHIP_CHECKS
from minemap_assets.graph.materialization import Door, dep, open_door
from minemap_assets.graph.partitions import region_of_multi, region_product, region_year

DOORS = (
    Door(
        recipes.CHIPS,
        "Overlapping 512 px model inputs on the 5 m grid of every site of a region and year.",
        deps=[dep("imagery", "imagery"), dep("sites", "sites", region_of_multi)],
        partitions=region_year,
        kinds=frozenset({"zarr"}),
        checks=CHIP_CHECKS,
    ),
    Door(
        recipes.TRAINING_CHIPS,
        "Labelled model inputs of the reference year, split into train, validation and test by spatial block.",
        deps=[
            dep("imagery", "reference_imagery"),
            dep("sites", "sites", region_of_multi),
            dep("sites", "ground_truth", region_of_multi),
        ],
        partitions=region_product,
        kinds=frozenset({"zarr"}),
        checks=CHIP_CHECKS,
    ),
)


def chips_assets() -> list[dg.AssetsDefinition]:
    """The room's assets."""
    return [open_door(door) for door in DOORS]
