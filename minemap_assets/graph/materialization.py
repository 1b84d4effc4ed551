"""How a recipe becomes a Dagster materialisation: published through the lake, told in metadata for people.

What belongs here: running a recipe inside an asset, its metadata, its check results. What does not: partitions,
dependencies and descriptions (each room's `assets.py`).
"""

import base64
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from minemap_assets.errors import BadInputError, MinemapError
from minemap_assets.graph.partitions import lake_keys
from minemap_assets.graph.recipes import Recipe
from minemap_assets.lake.manifests import Manifest
from minemap_assets.lake.partitions import Partition
from minemap_assets.project.project import Project

OWNERS = ["team:mapping"]

PREVIEW = "preview.png"

MADE_NOW = "made now"
"""Metadata entry: whether the run made the partition, or found it current."""


@dataclass(frozen=True)
class CheckOutcome:
    """What a check found: whether it passed, one sentence, and the facts behind it."""

    passed: bool
    sentence: str
    facts: dict[str, Any]


@dataclass(frozen=True)
class Check:
    """A blocking check of a published partition."""

    name: str
    description: str
    evaluate: Callable[[Partition, Project], CheckOutcome]


def check_specs(
    key: Sequence[str], checks: Sequence[Check], partitions: dg.PartitionsDefinition[Any] | None
) -> list[dg.AssetCheckSpec]:
    """Specs of an asset's checks: all of them block what lies downstream."""
    with warnings.catch_warnings():
        # Results by partition are marked as a preview; the pinned version was tried with them.
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return [
            dg.AssetCheckSpec(
                c.name, asset=list(key), description=c.description, blocking=True, partitions_def=partitions
            )
            for c in checks
        ]


def materialize(
    context: dg.AssetExecutionContext, project: Project, door: "Door"
) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult[Any]]:
    """Make (or keep) the partition the context names, check it, and report it.

    The partition stays in the lake when a check fails, for people to look at, but its manifest says so and it is not
    recorded as materialised: so nothing downstream starts, in this run, a later one or by automation.
    """
    keys = lake_keys(context.partition_key if context.has_partition_key else None)
    results: list[dg.AssetCheckResult] = []

    def examine(partition: Partition) -> list[str]:
        results[:] = [_evaluate(check, partition, project) for check in door.checks]
        return [f"check {r.check_name} failed: {r.description}" for r in results if not r.passed]

    try:
        manifest, made = door.recipe.make(project, keys, examine)
    except BadInputError as error:
        raise dg.Failure(str(error), allow_retries=False) from error
    except MinemapError as error:
        raise dg.Failure(str(error)) from error
    context.log.info("%s: %s", manifest.ref, "made" if made else "kept, nothing it depends on has changed")
    partition = Partition(project.lake.store, manifest)
    facts = metadata(project, partition, made, door.sentences)
    failed = list(manifest.rejected) if made else examine(partition)
    yield from results
    if failed:
        raise dg.Failure("; ".join(failed), metadata=facts)
    yield dg.MaterializeResult(metadata=facts, data_version=dg.DataVersion(manifest.content))


def _evaluate(check: Check, partition: Partition, project: Project) -> dg.AssetCheckResult:
    outcome = check.evaluate(partition, project)
    return dg.AssetCheckResult(
        passed=outcome.passed, check_name=check.name, description=outcome.sentence, metadata=outcome.facts
    )


def metadata(
    project: Project, partition: Partition, made: bool, sentences: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """A partition's facts as Dagster metadata."""
    manifest = partition.manifest
    facts: dict[str, Any] = {name.replace("_", " "): _value(value) for name, value in manifest.summary.items()}
    facts["dagster/uri"] = f"{project.lake.store.root}/{manifest.ref.prefix}"
    if "rows" in manifest.summary:
        facts["dagster/row_count"] = manifest.summary["rows"]
    facts[MADE_NOW] = made
    facts["recipe version"] = manifest.code_version
    facts["fingerprint"] = manifest.fingerprint[:12]
    facts["bytes"] = sum(f.bytes for f in manifest.files)
    facts.update(_missing(manifest))
    if PREVIEW in partition.names():
        picture = base64.b64encode(partition.file(PREVIEW).read_bytes()).decode()
        facts["picture"] = dg.MetadataValue.md(f"![{manifest.ref}](data:image/png;base64,{picture})")
    schema = _column_schema(partition, sentences or {})
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


def _column_schema(partition: Partition, sentences: Mapping[str, str]) -> dg.TableSchema | None:
    """Schema of the partition's main table: the one named like the asset, else its first Parquet file."""
    tables = [n for n in partition.names() if n.endswith(".parquet")]
    if not tables:
        return None
    import pyarrow.parquet as pq

    from minemap_assets.graph.column_descriptions import describe

    named = f"{partition.manifest.asset}.parquet"
    fields = pq.read_schema(partition.file(named if named in tables else tables[0]))
    return dg.TableSchema(
        [
            dg.TableColumn(f.name, str(f.type), description=sentences.get(f.name) or describe(f.name))
            for f in fields
            if f.name != "bbox"
        ]
    )


@dataclass(frozen=True)
class Door:
    """What Dagster shows of an asset, beside its recipe. `code_version` follows the recipe's version."""

    recipe: Recipe
    description: str
    deps: Sequence[dg.AssetDep] = ()
    partitions: dg.PartitionsDefinition[Any] | None = None
    kinds: frozenset[str] = frozenset({"python"})
    checks: Sequence[Check] = ()
    pool: str | None = None
    lineage: Mapping[str, Sequence[tuple[str, str, str]]] = field(default_factory=dict)
    """Upstream (room, asset, column) of the table's columns."""
    sentences: Mapping[str, str] = field(default_factory=dict)
    """Descriptions of the table's columns, beside the ones every table shares."""

    @property
    def key(self) -> dg.AssetKey:
        """Room and asset name."""
        return dg.AssetKey([self.recipe.room, self.recipe.asset])


def open_door(door: Door) -> dg.AssetsDefinition:
    """The Dagster asset of a door: key prefix, group and lake folder are the room's name."""
    recipe = door.recipe

    @dg.asset(
        name=recipe.asset,
        key_prefix=[recipe.room],
        group_name=recipe.room,
        description=door.description,
        deps=list(door.deps),
        partitions_def=door.partitions,
        kinds=set(door.kinds),
        owners=OWNERS,
        code_version=recipe.version,
        check_specs=check_specs((recipe.room, recipe.asset), door.checks, door.partitions),
        pool=door.pool,
        metadata=_static_metadata(door),
    )
    def _asset(
        context: dg.AssetExecutionContext, project: dg.ResourceParam[Project]
    ) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult[Any]]:
        yield from materialize(context, project, door)

    return _asset


def dep(room: str, asset: str, mapping: dg.PartitionMapping | None = None) -> dg.AssetDep:
    """An upstream asset; Dagster's default mapping (identity, or all partitions) where none is given."""
    return dg.AssetDep(dg.AssetKey([room, asset]), partition_mapping=mapping)


def _static_metadata(door: Door) -> dict[str, Any]:
    if not door.lineage:
        return {}
    by_column = {
        column: [dg.TableColumnDep(dg.AssetKey([room, asset]), name) for room, asset, name in origins]
        for column, origins in door.lineage.items()
    }
    return {
        "dagster/column_lineage": dg.TableColumnLineage(by_column),
        "dagster/table_name": f"minemap.main.{door.recipe.asset}",
    }
