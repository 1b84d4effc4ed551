"""Door of the room segmentation: the model, its evaluation and promotion, and the masks it gives."""

import dagster as dg

from minemap_assets.graph.materialization import Door, dep, open_door
from minemap_assets.graph.partitions import region_of_multi, region_product, region_year
from minemap_assets.segmentation import recipes

GPU_POOL = "gpu"
"""Assets of this pool run one at a time by default: they want the accelerator, or every core."""

DOORS = (
    Door(
        recipes.SEGMENTATION_MODEL,
        "SegFormer trained on the reference year of the training regions, calibrated, with its operating points.",
        deps=[dep("chips", "training_chips")],
        kinds=frozenset({"pytorch"}),
        pool=GPU_POOL,
    ),
    Door(
        recipes.MODEL_EVALUATION,
        "Accuracy of the trained model on held-out spatial blocks, beside the best threshold on any band or index.",
        deps=[dep("segmentation", "segmentation_model"), dep("chips", "training_chips")],
        kinds=frozenset({"parquet"}),
        pool=GPU_POOL,
    ),
    Door(
        recipes.PROMOTED_MODEL,
        "The model in use, pinned by hash: only promoting another one changes what masks are made with.",
        deps=[dep("segmentation", "segmentation_model")],
        kinds=frozenset({"pytorch"}),
    ),
    Door(
        recipes.RAW_MASKS,
        "Calibrated probability of mining for every pixel of every site of a region and year.",
        deps=[
            dep("chips", "chips"),
            dep("segmentation", "promoted_model"),
            dep("sites", "sites", region_of_multi),
        ],
        partitions=region_year,
        kinds=frozenset({"geotiff", "pytorch"}),
        pool=GPU_POOL,
    ),
    Door(
        recipes.REFERENCE_MASKS,
        "Calibrated probability of mining in the reference year, as each configured product shows it.",
        deps=[
            dep("chips", "training_chips"),
            dep("segmentation", "promoted_model"),
            dep("sites", "sites", region_of_multi),
        ],
        partitions=region_product,
        kinds=frozenset({"geotiff", "pytorch"}),
        pool=GPU_POOL,
    ),
)


def segmentation_assets() -> list[dg.AssetsDefinition]:
    """The room's assets."""
    return [open_door(door) for door in DOORS]
