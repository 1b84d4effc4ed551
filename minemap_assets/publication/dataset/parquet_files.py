"""GeoParquet files of the dataset: the rows as they are, with what every file says of itself."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from minemap_assets.geo.vector import write_geoparquet
from minemap_assets.graph.column_words import NUMBER, WHOLE
from minemap_assets.publication.dataset.dataset_tables import Table

if TYPE_CHECKING:
    import geopandas as gpd
    import pyarrow as pa

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
    types = _types_of({one.name: one.type for one in table.columns})
    for place, one in enumerate(schema):
        if one.name in told:
            typed = one.with_type(types[one.name]) if _has_no_type(one.type) else one
            schema = schema.set(place, typed.with_metadata({k: v for k, v in told[one.name].items() if v}))
    said = {**facts, **({"licence_of_these_rows": table.own_terms} if table.own_terms else {})}
    kept = {**(written.schema.metadata or {}), **{name.encode(): text.encode() for name, text in said.items()}}
    marked = written.cast(schema).replace_schema_metadata(kept)
    pq.write_table(marked, path, compression="zstd", row_group_size=_ROWS)


def _has_no_type(kind: "pa.DataType") -> bool:
    """True where no row has a value that a type could be told from: readers would make up one."""
    import pyarrow as pa

    return bool(pa.types.is_null(kind) or (pa.types.is_list(kind) and pa.types.is_null(kind.value_type)))


def _types_of(words: Mapping[str, str]) -> "dict[str, pa.DataType]":
    """Types of columns by what the dictionary calls them."""
    import pyarrow as pa

    plain = {WHOLE: pa.int64(), NUMBER: pa.float64(), "true or false": pa.bool_()}
    kinds = {name: plain.get(word.removeprefix("list of "), pa.string()) for name, word in words.items()}
    return {name: pa.list_(kind) if words[name].startswith("list of ") else kind for name, kind in kinds.items()}
