"""Door of the room tables: yearly tables as Parquet, and one DuckDB file built from them."""

import dagster as dg

from minemap_assets.graph.materialization import Door, dep, open_door
from minemap_assets.graph.partitions import year_of_multi, year_partitions
from minemap_assets.tables import recipes
from minemap_assets.tables.checks import TABLE_CHECKS
from minemap_assets.tables.lineage import column_lineage, column_sentences
from minemap_assets.tables.schemas import TABLES

DATABASE_POOL = "database"
"""One writer at a time builds the DuckDB file."""

_POLYGONS = dep("polygons", "mining_polygons", year_of_multi)
_IMAGERY = dep("imagery", "imagery", year_of_multi)
_SITES = dep("sites", "sites", dg.AllPartitionMapping())
_COUNTRIES = dep("reference", "country_boundaries")

_DESCRIPTIONS = {
    "polygons": ("All mining polygons of a year, over all regions.", [_POLYGONS, _SITES]),
    "site_panel": (
        "A row for every site and year: mapped area, zero, or null where it was not observed.",
        [_POLYGONS, _SITES, _COUNTRIES],
    ),
    "country_summary": (
        "Mapped area and polygons of a year by country, with the share of sites that was observed.",
        [_POLYGONS, _SITES, _COUNTRIES],
    ),
    "region_summary": (
        "Mapped area and polygons of a year by region, with the share of sites that was observed.",
        [_POLYGONS, _SITES],
    ),
    "imagery_clarity": ("How clear the imagery of a year was, by region and product.", [_IMAGERY]),
}


def tables_assets() -> list[dg.AssetsDefinition]:
    """The room's assets."""
    yearly = [
        Door(
            recipes.TABLES[name],
            description,
            deps=deps,
            partitions=year_partitions,
            kinds=frozenset({"parquet", "table"}),
            checks=TABLE_CHECKS.get(name, ()),
            lineage=column_lineage(TABLES[name]),
            sentences=column_sentences(TABLES[name]),
        )
        for name, (description, deps) in _DESCRIPTIONS.items()
    ]
    database = Door(
        recipes.DATABASE,
        "One DuckDB file with every table and year, built fresh and renamed into place.",
        deps=[dep("tables", name, dg.AllPartitionMapping()) for name in recipes.TABLES],
        kinds=frozenset({"duckdb"}),
        pool=DATABASE_POOL,
    )
    return [open_door(door) for door in (*yearly, database)]
