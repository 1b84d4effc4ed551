"""A partition's facts as Dagster shows them: numbers and sentences for people, a picture, the columns of its table."""

import html
import re
from collections.abc import Mapping
from typing import Any

import dagster as dg

from minemap_assets.graph.column_descriptions import describe
from minemap_assets.graph.fact_words import file_size, in_order, in_units, label
from minemap_assets.graph.graph import Graph
from minemap_assets.graph.statement import Asset
from minemap_assets.lake.manifests import Manifest
from minemap_assets.lake.partitions import Partition
from minemap_assets.project.project import Project

STORY = "how it came about"
"""Metadata entry: whether the run made the partition or found it current."""

MADE = "made now"
KEPT = "kept: nothing it depends on has changed"
RESTORED = "recorded from the lake, where it was made before"

PICTURES = "pictures"
"""First part of the paths under which the web server draws pictures."""

_MARKUP = re.compile(r"[\\`*\[\]|]")
"""Characters with a meaning in the Markdown of a table; those of HTML are escaped as HTML."""

_BYTES = "bytes"
"""A fact of some summaries that the size of all files says better."""


def static_metadata(asset: Asset, graph: Graph) -> dict[str, Any]:
    """What is known before anything is made: where the columns of its table come from.

    Raises `ValueError` for a column that comes from something the asset does not depend on.
    """
    if not asset.columns.origins:
        return {}
    known = {upstream.name: upstream for _, upstream in graph.upstream(asset)} | {asset.name: asset}
    unknown = {o.asset for origins in asset.columns.origins.values() for o in origins} - set(known)
    if unknown:
        raise ValueError(f"columns of {asset} come from {', '.join(sorted(unknown))}, on which it does not depend")
    by_column = {
        column: [dg.TableColumnDep(dg.AssetKey([known[o.asset].room, o.asset]), o.column) for o in origins]
        for column, origins in asset.columns.origins.items()
    }
    table = {"dagster/table_name": f"minemap.main.{asset.name}"} if asset.columns.in_database else {}
    return {"dagster/column_lineage": dg.TableColumnLineage(by_column), **table}


def made_metadata(project: Project, asset: Asset, manifest: Manifest, *, story: str) -> dict[str, Any]:
    """What a partition holds, the most important facts first; `story` says how it came about."""
    partition = Partition(project.lake.store, manifest)
    facts: dict[str, Any] = {label(name): text for name, text in asset.headline(project, manifest).items()}
    if asset.picture is not None:
        facts["picture"] = dg.MetadataValue.md(f"![{manifest.ref}]({picture_path(manifest)})")
    for name in in_order(manifest.summary):
        if name != _BYTES:
            facts[label(name)] = _value(name, manifest.summary[name])
    facts.update(_missing(manifest))
    size = sum(f.bytes for f in manifest.files)
    facts |= {STORY: story, "size": file_size(size), "size (bytes)": size}
    facts["dagster/uri"] = f"{project.lake.store.root}/{manifest.ref.prefix}"
    if "rows" in manifest.summary:
        facts["dagster/row_count"] = manifest.summary["rows"]
    schema = _column_schema(partition, asset.columns.descriptions)
    if schema is not None:
        facts["dagster/column_schema"] = schema
    return facts | {"code version": manifest.code_version, "fingerprint": manifest.fingerprint[:12]}


def picture_path(manifest: Manifest) -> str:
    """Where the web server shows the picture of a partition as it is now; made again, it has another one."""
    return f"/{PICTURES}/{manifest.ref.prefix}/{manifest.content[:12]}.webp"


def _missing(manifest: Manifest) -> dict[str, Any]:
    facts: dict[str, Any] = {"missing items": len(manifest.missing)}
    if manifest.missing:
        facts["what is missing"] = _table([{"item": m.item, "why": m.reason} for m in manifest.missing])
    return facts


def _value(name: str, value: Any) -> Any:
    """A fact of a summary as Dagster shows it at once: a number, a line of text, or a table."""
    if isinstance(value, list) and value and all(isinstance(v, dict) for v in value):
        return _table(value)
    if isinstance(value, list) and all(isinstance(v, str | int | float) for v in value):
        return ", ".join(str(v) for v in value) or "none"
    if isinstance(value, dict) and value and all(isinstance(v, dict) for v in value.values()):
        return _table([{"": key, **row} for key, row in value.items()])
    if isinstance(value, dict) and all(isinstance(v, str | int | float) for v in value.values()):
        return ", ".join(f"{key}: {v}" for key, v in value.items()) or "none"
    if isinstance(value, dict | list):
        return dg.MetadataValue.json(value)
    return "none" if value is None else in_units(name, value)


def _table(rows: list[dict[str, Any]]) -> dg.MetadataValue[Any]:
    """Rows as a table, what they are about before the numbers."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    columns.sort(key=lambda column: not all(isinstance(row.get(column, ""), str) for row in rows))
    lines = [[_cell(row.get(column, "")) for column in columns] for row in rows]
    heads = [_cell(column.replace("_", " ")) for column in columns]
    text = "\n".join("| " + " | ".join(line) + " |" for line in (heads, ["---"] * len(columns), *lines))
    return dg.MetadataValue.md(text)


def _cell(value: Any) -> str:
    """A value as plain words: nothing in it is taken for Markdown or for elements of a page."""
    if isinstance(value, float):
        return f"{value:.4g}"
    return _MARKUP.sub(r"\\\g<0>", html.escape(" ".join(str(value).split()), quote=False))


def _column_schema(partition: Partition, descriptions: Mapping[str, str]) -> dg.TableSchema | None:
    """Schema of the partition's main table: the one named like the asset, else its first Parquet file."""
    tables = [n for n in partition.names() if n.endswith(".parquet")]
    if not tables:
        return None
    import pyarrow.parquet as pq

    named = f"{partition.manifest.asset}.parquet"
    fields = pq.read_schema(partition.file(named if named in tables else tables[0]))
    return dg.TableSchema(
        [
            dg.TableColumn(f.name, str(f.type), description=descriptions.get(f.name) or describe(f.name))
            for f in fields
            if f.name != "bbox"
        ]
    )
