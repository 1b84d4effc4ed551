"""Tables below each other: the files of several partitions become one, without taking their geometry apart."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from minemap_assets.errors import PermanentError
from minemap_assets.polygons.schemas import TableSpec, empty_table, write_table

_GEO, _COVERING = b"geo", "bbox"


def stack_files(paths: Sequence[Path], spec: TableSpec, path: Path, added: Mapping[str, str] | None = None) -> pa.Table:
    """Write the rows of tables that `write_table` wrote below each other; returns them without their geometry.

    `added` are texts for columns that only the result has. Raises `PermanentError` where a table lacks a column, holds
    a null against the spec, or two rows have the same key.
    """
    if not paths:
        write_table(empty_table(spec), spec, path)
        return pq.read_table(path)
    tables = [_conforming(_read(one), spec, added or {}) for one in paths]
    facts = [json.loads(t.schema.metadata[_GEO]) for t in tables] if spec.spatial else []
    metadata = {_GEO: json.dumps(_united(facts), sort_keys=True).encode()} if facts else None
    whole = pa.concat_tables([t.replace_schema_metadata(None) for t in tables], promote_options="permissive")
    _check(whole, spec)
    pq.write_table(whole.replace_schema_metadata(metadata), path, compression="zstd")
    return whole.drop_columns([c for c in ("geometry", _COVERING) if c in whole.column_names])


def _read(path: Path) -> pa.Table:
    with pq.ParquetFile(path) as file:
        return file.read(use_threads=False)


def _conforming(table: pa.Table, spec: TableSpec, added: Mapping[str, str]) -> pa.Table:
    for name, text in added.items():
        table = table.append_column(pa.field(name, pa.large_string()), pa.array([text] * len(table), pa.large_string()))
    absent = [name for name in spec.names if name not in table.column_names]
    if absent:
        raise PermanentError(f"the table {spec.name} lacks the column {absent[0]}; make its partition again")
    return table.select([*spec.names, *([_COVERING] if spec.spatial else [])])


def _check(table: pa.Table, spec: TableSpec) -> None:
    empty = [c.name for c in spec.columns if not c.nullable and table.column(c.name).null_count]
    if empty:
        raise PermanentError(f"the table {spec.name} has an empty {empty[0]}; make its partition again")
    if len(table.select(list(spec.key)).group_by(list(spec.key)).aggregate([])) != len(table):
        raise PermanentError(f"the table {spec.name} has two rows with the same {', '.join(spec.key)}")


def _united(facts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What GeoParquet says of all the files: the first's words, with everybody's bounds and kinds of geometry."""
    whole = facts[0]
    name = whole["primary_column"]
    columns = [fact["columns"][name] for fact in facts]
    kinds = sorted({kind for column in columns for kind in column["geometry_types"]})
    told = [column["bbox"] for column in columns if column.get("bbox")]
    boxes = [box for box in told if all(_finite(side) for side in box)]
    united = {**columns[0], "geometry_types": kinds}
    united.pop("bbox", None)
    if boxes:
        united["bbox"] = [min(box[side] for box in boxes) for side in (0, 1)]
        united["bbox"] += [max(box[side] for box in boxes) for side in (2, 3)]
    return {**whole, "columns": {**whole["columns"], name: united}}


def _finite(side: float | None) -> bool:
    """Bounds of a table without rows are not numbers."""
    return side is not None and math.isfinite(side)
