"""Door of the room reference: registered polygon sets, country boundaries and validation points."""

from collections.abc import Sequence

import dagster as dg

from minemap_assets.graph.materialization import Door, open_door
from minemap_assets.reference import recipes
from minemap_assets.reference.checks import GEOMETRY_CHECKS


def reference_assets(polygon_sets: Sequence[str]) -> list[dg.AssetsDefinition]:
    """The room's assets; one for each registered polygon set."""
    sets = [
        Door(
            recipes.polygon_set(name),
            f"Outlines of mining areas from the reference set `{name}`, repaired and in EPSG:4326.",
            kinds=frozenset({"parquet"}),
            checks=GEOMETRY_CHECKS,
        )
        for name in polygon_sets
    ]
    fixed = [
        Door(
            recipes.COUNTRY_BOUNDARIES,
            "One repaired outline for each country, with its ISO code and continent.",
            kinds=frozenset({"parquet"}),
            checks=GEOMETRY_CHECKS,
        ),
        Door(
            recipes.VALIDATION_POINTS,
            "Points labelled mine or not mine for each year, for measuring accuracy.",
            kinds=frozenset({"parquet"}),
        ),
    ]
    return [open_door(door) for door in (*sets, *fixed)]
