"""The mining polygons of all years as one file of vector tiles, for web maps."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from minemap_assets.polygons.history_schemas import SITE_HISTORY
from minemap_assets.polygons.schemas import TableSpec, empty_table
from minemap_assets.publication.dataset.dataset_tables import Table
from minemap_assets.publication.dataset.facts import Facts
from minemap_assets.publication.tiles.published_tiles import write_published_tiles
from minemap_assets.tables.schemas import POLYGONS, SITE_PANEL

NAME = "minemap.pmtiles"


def write_tile_file(tables: Mapping[str, Table], facts: Facts, path: Path) -> None:
    """Write `NAME` from the tables by their names; those that were not made count as empty."""

    def frame(spec: TableSpec) -> Any:
        return tables[spec.name].frame if spec.name in tables else empty_table(spec)

    told = facts.metadata()
    write_published_tiles(
        frame(POLYGONS),
        frame(SITE_HISTORY),
        frame(SITE_PANEL),
        path,
        verdict=told["verdict_on_the_model"],
        attribution="; ".join(f"{one.name} ({one.licence})" for one in facts.inputs),
    )
