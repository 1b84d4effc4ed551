"""Door of the room sites: ground truth of a region and its sites."""

from collections.abc import Sequence

import dagster as dg

from minemap_assets.graph.materialization import Door, dep, open_door
from minemap_assets.graph.partitions import region_partitions
from minemap_assets.sites import recipes


def sites_assets(polygon_sets: Sequence[str]) -> list[dg.AssetsDefinition]:
    """The room's assets, fed by the registered polygon sets."""
    doors = [
        Door(
            recipes.GROUND_TRUTH,
            "Union of the reference outlines inside a region: labels for training, and outlines that locate sites.",
            deps=[dep("reference", name) for name in polygon_sets],
            partitions=region_partitions,
            kinds=frozenset({"parquet"}),
        ),
        Door(
            recipes.SITES,
            "Every known mine of a region with its stable id and its own 5 m grid.",
            deps=[dep("sites", "ground_truth")],
            partitions=region_partitions,
            kinds=frozenset({"parquet"}),
        ),
    ]
    return [open_door(door) for door in doors]
