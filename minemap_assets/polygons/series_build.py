"""The tables of a series, written year by year: what was registered, postprocessed, as three Parquet files."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import geopandas as gpd
import pyarrow as pa
import pyarrow.parquet as pq

from minemap_assets.errors import BadInputError
from minemap_assets.lake.manifests import Outcome
from minemap_assets.lake.store import Store
from minemap_assets.lake.workspaces import workspace
from minemap_assets.lake.writer import PartitionWriter
from minemap_assets.polygons.countries import Borders, country_names
from minemap_assets.polygons.schemas import write_table
from minemap_assets.polygons.series import SeriesFrame, SeriesRules, SeriesYear, postprocess
from minemap_assets.polygons.series_tables import SERIES_COUNTRY_AREA, SERIES_POLYGONS, SERIES_SUMMARY, SERIES_TABLES
from minemap_assets.reference.catalogue import ReferenceEntry
from minemap_assets.reference.series_files import series_years

_GEO = b"geo"


def build_series(
    entry: ReferenceEntry,
    store: Store,
    boundaries: gpd.GeoDataFrame,
    tolerance_km: float,
    writer: PartitionWriter,
) -> Outcome:
    """Write `polygons.parquet`, `polygon_country_area.parquet` and `series_summary.parquet` of a registered series.

    Each is sorted by year, and a row group holds rows of one year. What lies outside every country goes to the nearest
    one within `tolerance_km`. Raises `BadInputError` where a registered file went missing or changed.
    """
    if entry.series is None:
        raise BadInputError(f"{entry.name} is registered as {entry.kind}, not as a series; register it again")
    rules = SeriesRules(**entry.series.model_dump(exclude={"files"}))
    sources = series_years(entry, store)
    names = country_names(boundaries)
    frame = SeriesFrame(entry.name, Borders(boundaries, tolerance_km), names, rules, frozenset(sources))
    years: dict[str, dict[str, Any]] = {}
    parts: dict[str, list[Path]] = {spec.file: [] for spec in SERIES_TABLES}
    with workspace(store.staging()) as folder:

        def keep(found: SeriesYear) -> None:
            for spec, table in (
                (SERIES_POLYGONS, found.polygons),
                (SERIES_COUNTRY_AREA, found.country_area),
                (SERIES_SUMMARY, found.summary),
            ):
                path = folder / f"{spec.name}-{found.year}.parquet"
                write_table(table, spec, path)
                parts[spec.file].append(path)
            years[str(found.year)] = _told(found)
            pa.default_memory_pool().release_unused()

        postprocess(frame, sources, keep)
        for name, files in parts.items():
            stack_files(files, writer.path(name))
            writer.add(name)
    return Outcome(_summary(entry, rules, years))


def stack_files(files: Sequence[Path], target: Path) -> None:
    """Parquet files of the same columns below each other, one in memory at a time.

    Facts about geometries (bounds, types) are those of all rows.
    """
    schemas = [pq.read_schema(path) for path in files]
    metadata = dict(schemas[0].metadata or {})
    if _GEO in metadata:
        metadata[_GEO] = json.dumps(_united([json.loads(schema.metadata[_GEO]) for schema in schemas])).encode()
    schema = schemas[0].with_metadata(metadata)
    with pq.ParquetWriter(target, schema, compression="zstd") as writer:
        for path in files:
            # neither read ahead nor kept by threads and pools: one file in memory is one file
            table = pq.ParquetFile(path, pre_buffer=False).read(use_threads=False)
            if table.num_rows:
                writer.write_table(table.cast(schema))
            del table
            pa.default_memory_pool().release_unused()


def _united(facts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """GeoParquet's facts about several files as one."""
    name = facts[0]["primary_column"]
    columns = [one["columns"][name] for one in facts]
    boxes = [column["bbox"] for column in columns if _is_filled(column.get("bbox"))]
    united = {**columns[0], "geometry_types": sorted({kind for column in columns for kind in column["geometry_types"]})}
    if boxes:
        lows, highs = zip(*((box[:2], box[2:]) for box in boxes), strict=True)
        united["bbox"] = [*map(min, zip(*lows, strict=True)), *map(max, zip(*highs, strict=True))]
    return {**facts[0], "columns": {**facts[0]["columns"], name: united}}


def _is_filled(box: Sequence[float] | None) -> bool:
    return box is not None and not any(map(math.isnan, box))


def _told(found: SeriesYear) -> dict[str, Any]:
    return {
        "polygons_in_files": found.sources,
        "dropped_by_the_temporal_rule": found.dropped,
        "kept_without_evidence": found.unjudged,
        "polygons": len(found.polygons),
        "area_km2": round(float(found.polygons["area_km2"].sum()), 6),
    }


def _summary(entry: ReferenceEntry, rules: SeriesRules, years: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    made = sorted(map(int, years))
    return {
        "series": entry.name,
        "rows": sum(int(one["polygons"]) for one in years.values()),
        "temporal_rule": rules.name,
        "years": {year: dict(one) for year, one in sorted(years.items())},
        "years_without_polygons": sorted(set(range(made[0], made[-1] + 1)) - set(made)),
        "licence": entry.licence,
    }
