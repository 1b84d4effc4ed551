"""Door of the room validation: how far the maps can be trusted."""

import dagster as dg

from minemap_assets.graph.materialization import Door, dep, open_door
from minemap_assets.validation import recipes

DOORS = (
    Door(
        recipes.REFERENCE_VALIDATION,
        "Accuracy of every year's map and of the ground truth at labelled points, with intervals.",
        deps=[
            dep("reference", "validation_points"),
            dep("sites", "ground_truth", dg.AllPartitionMapping()),
            dep("tables", "polygons", dg.AllPartitionMapping()),
        ],
        kinds=frozenset({"parquet"}),
    ),
    Door(
        recipes.SOURCE_CONTINUITY,
        "Mapped area and overlap of the reference year between products, site by site on the same pixels.",
        deps=[dep("segmentation", "reference_masks", dg.AllPartitionMapping())],
        kinds=frozenset({"parquet"}),
    ),
)


def validation_assets() -> list[dg.AssetsDefinition]:
    """The room's assets."""
    return [open_door(door) for door in DOORS]
