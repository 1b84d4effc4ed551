"""What Dagster shows of a table before any of it exists: which columns come from which.

What belongs here: the schemas' lineage in the form the doors pass on. What does not: the schemas (`schemas.py`).
"""

from collections.abc import Mapping

from minemap_assets.polygons.schemas import TableSpec

ROOMS: Mapping[str, str] = {
    "country_boundaries": "reference",
    "sites": "sites",
    "imagery": "imagery",
    "raw_masks": "segmentation",
    "raw_polygons": "polygons",
    "mining_polygons": "polygons",
}
"""The room of each asset that a column may come from."""


def column_lineage(spec: TableSpec) -> dict[str, list[tuple[str, str, str]]]:
    """Upstream (room, asset, column) of each column that has any."""
    return {
        column.name: [(ROOMS.get(line.asset, "tables"), line.asset, line.column) for line in column.lineage]
        for column in spec.columns
        if column.lineage
    }


def column_sentences(spec: TableSpec) -> dict[str, str]:
    """Each column's description."""
    return {column.name: column.description for column in spec.columns}
