"""A partition's facts as Dagster shows them: numbers and sentences for people, a picture, the columns of its table."""

import base64
from collections.abc import Mapping
from typing import Any

import dagster as dg

from minemap_assets.graph.column_descriptions import describe
from minemap_assets.graph.graph import Graph
from minemap_assets.graph.statement import Asset
from minemap_assets.lake.manifests import Manifest
from minemap_assets.lake.partitions import Partition
from minemap_assets.project.project import Project

PREVIEW = "preview.png"

MADE_NOW = "made now"
"""Metadata entry: whether the run made the partition, or found it current."""


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


def made_metadata(project: Project, asset: Asset, manifest: Manifest, *, made: bool) -> dict[str, Any]:
    """What a partition holds."""
    partition = Partition(project.lake.store, manifest)
    facts: dict[str, Any] = {name.replace("_", " "): _value(value) for name, value in manifest.summary.items()}
    facts["dagster/uri"] = f"{project.lake.store.root}/{manifest.ref.prefix}"
    if "rows" in manifest.summary:
        facts["dagster/row_count"] = manifest.summary["rows"]
    facts[MADE_NOW] = made
    facts["code version"] = manifest.code_version
    facts["fingerprint"] = manifest.fingerprint[:12]
    facts["bytes"] = sum(f.bytes for f in manifest.files)
    facts.update(_missing(manifest))
    if PREVIEW in partition.names():
        picture = base64.b64encode(partition.file(PREVIEW).read_bytes()).decode()
        facts["picture"] = dg.MetadataValue.md(f"![{manifest.ref}](data:image/png;base64,{picture})")
    schema = _column_schema(partition, asset.columns.descriptions)
    if schema is not None:
        facts["dagster/column_schema"] = schema
    return facts


def _missing(manifest: Manifest) -> dict[str, Any]:
    facts: dict[str, Any] = {"missing items": len(manifest.missing)}
    if manifest.missing:
        lines = ["| item | why |", "|---|---|", *(f"| {m.item} | {m.reason} |" for m in manifest.missing)]
        facts["what is missing"] = dg.MetadataValue.md("\n".join(lines))
    return facts


def _value(value: Any) -> Any:
    if isinstance(value, list) and value and all(isinstance(v, dict) for v in value):
        columns = list(value[0])
        rows = ["| " + " | ".join(str(v.get(c, "")) for c in columns) + " |" for v in value]
        return dg.MetadataValue.md("\n".join(["| " + " | ".join(columns) + " |", "|---" * len(columns) + "|", *rows]))
    if isinstance(value, list) and all(isinstance(v, str | int | float) for v in value):
        return ", ".join(str(v) for v in value) or "none"
    if isinstance(value, dict) and all(isinstance(v, str | int | float) for v in value.values()):
        return ", ".join(f"{name}: {v}" for name, v in value.items()) or "none"
    if isinstance(value, dict | list):
        return dg.MetadataValue.json(value)
    return "none" if value is None else value


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
