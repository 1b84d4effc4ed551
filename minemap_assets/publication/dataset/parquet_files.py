"""GeoParquet files of the dataset: the rows as they are, with what every file says of itself."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from minemap_assets.geo.vector import write_geoparquet
from minemap_assets.publication.dataset.dataset_tables import Table

if TYPE_CHECKING:
    import geopandas as gpd

_ROWS = 20_000
"""Rows that a reader skips or reads together, by their bounds."""


def write_spatial_table(table: Table, facts: Mapping[str, str], path: Path) -> None:
    """Write GeoParquet 1.1 with the facts as key-value metadata, and what each column is as metadata of the column."""
    import pyarrow.parquet as pq

    frame: gpd.GeoDataFrame = table.frame
    write_geoparquet(frame, path)
    written = pq.read_table(path)
    told = {one.name: {"description": one.meaning, "unit": one.unit} for one in table.columns}
    schema = written.schema
    for place, one in enumerate(schema):
        if one.name in told:
            schema = schema.set(place, one.with_metadata({k: v for k, v in told[one.name].items() if v}))
    said = {**facts, **({"licence_of_these_rows": table.own_terms} if table.own_terms else {})}
    kept = {**(written.schema.metadata or {}), **{name.encode(): text.encode() for name, text in said.items()}}
    marked = written.cast(schema).replace_schema_metadata(kept)
    pq.write_table(marked, path, compression="zstd", row_group_size=_ROWS)
