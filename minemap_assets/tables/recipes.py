"""Recipes of the room tables: one table a year each, and the DuckDB file over all years."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import geopandas as gpd

from minemap_assets.geo.vector import read_geoparquet
from minemap_assets.graph.recipes import Keys, Kitchen, Recipe
from minemap_assets.lake.manifests import Outcome, PartitionRef
from minemap_assets.lake.partitions import Partition
from minemap_assets.project.project import Project

if TYPE_CHECKING:
    from minemap_assets.tables.parts import RegionPart

ROOM = "tables"
BOUNDARIES = PartitionRef("reference", "country_boundaries")

Refs = Callable[[Project, Keys], Sequence[PartitionRef]]

CONTENTS = "contents.json"
"""What the database was built with; the DuckDB file itself belongs to this machine."""


def database_path(project: Project) -> Path:
    """Where the DuckDB file lies."""
    return project.lake.state / "minemap.duckdb"


def _of_regions(room: str, asset: str) -> Callable[[Project, Keys], list[PartitionRef]]:
    """The year's partition of every active region."""

    def refs(project: Project, keys: Keys) -> list[PartitionRef]:
        return [PartitionRef(room, asset, (slug, keys[0])) for slug in project.active_regions()]

    return refs


_MINING = _of_regions("polygons", "mining_polygons")
_IMAGERY = _of_regions("imagery", "imagery")


def _sites(project: Project, _: Keys) -> list[PartitionRef]:
    return [PartitionRef("sites", "sites", (slug,)) for slug in project.active_regions()]


def _mining_and_sites(project: Project, keys: Keys) -> list[PartitionRef]:
    return [*_MINING(project, keys), *_sites(project, keys)]


def _regions_config(project: Project, _: Keys) -> Any:
    return {slug: region.geometry.wkb_hex for slug, region in project.active_regions().items()}


def _borders_config(project: Project, keys: Keys) -> Any:
    return [_regions_config(project, keys), project.settings.polygons.border_tolerance_km]


def _partitions(kitchen: Kitchen, refs: list[PartitionRef]) -> dict[str, Partition]:
    return {ref.keys[0]: kitchen.inputs[ref] for ref in refs if ref in kitchen.inputs}


def _parts(kitchen: Kitchen) -> "list[RegionPart]":
    """Every active region that has sites, with its mining polygons of the year where they were made."""
    from minemap_assets.tables.parts import read_part

    project = kitchen.project
    sites = _partitions(kitchen, _sites(project, kitchen.keys))
    mining = _partitions(kitchen, _MINING(project, kitchen.keys))
    regions = project.active_regions()
    return [
        read_part(regions[slug], read_geoparquet(partition.file("sites.parquet")), mining.get(slug))
        for slug, partition in sorted(sites.items())
    ]


def _year(kitchen: Kitchen) -> int:
    return int(kitchen.keys[0])


def _boundaries(kitchen: Kitchen) -> gpd.GeoDataFrame:
    return read_geoparquet(kitchen.inputs[BOUNDARIES].file("boundaries.parquet"))


def _tolerance(kitchen: Kitchen) -> float:
    return kitchen.project.settings.polygons.border_tolerance_km


def _build_polygons(kitchen: Kitchen) -> Outcome:
    from minemap_assets.tables.build import build_polygons

    return build_polygons(_year(kitchen), _parts(kitchen), kitchen.writer)


def _build_site_panel(kitchen: Kitchen) -> Outcome:
    from minemap_assets.tables.build import build_site_panel

    return build_site_panel(_year(kitchen), _parts(kitchen), _boundaries(kitchen), kitchen.writer, _tolerance(kitchen))


def _build_country_summary(kitchen: Kitchen) -> Outcome:
    from minemap_assets.tables.build import build_country_summary

    return build_country_summary(
        _year(kitchen), _parts(kitchen), _boundaries(kitchen), kitchen.writer, _tolerance(kitchen)
    )


def _build_region_summary(kitchen: Kitchen) -> Outcome:
    from minemap_assets.tables.build import build_region_summary

    return build_region_summary(_year(kitchen), _parts(kitchen), kitchen.writer)


def _build_imagery_clarity(kitchen: Kitchen) -> Outcome:
    from minemap_assets.tables.build import build_imagery_clarity

    parts = _partitions(kitchen, _IMAGERY(kitchen.project, kitchen.keys))
    indexes = {slug: read_geoparquet(part.file("index.parquet")) for slug, part in parts.items()}
    return build_imagery_clarity(_year(kitchen), indexes, kitchen.writer)


def _no_needs(_: Project, __: Keys) -> list[PartitionRef]:
    return []


def _needs_boundaries(_: Project, __: Keys) -> list[PartitionRef]:
    return [BOUNDARIES]


def _table(
    name: str,
    build: Callable[[Kitchen], Outcome],
    *,
    reads: Refs = _mining_and_sites,
    needs: Refs | None = None,
    version: str = "1",
) -> Recipe:
    config = _regions_config if needs is None else _borders_config
    return Recipe(ROOM, name, version, build, needs=needs or _no_needs, reads=reads, config=config)


TABLES: Mapping[str, Recipe] = {
    "polygons": _table("polygons", _build_polygons),
    "site_panel": _table("site_panel", _build_site_panel, needs=_needs_boundaries),
    "country_summary": _table("country_summary", _build_country_summary, needs=_needs_boundaries),
    "region_summary": _table("region_summary", _build_region_summary),
    "imagery_clarity": _table("imagery_clarity", _build_imagery_clarity, reads=_IMAGERY, version="2"),
}


def _all_tables(project: Project, _: Keys) -> list[PartitionRef]:
    return [m.ref for name in TABLES for m in project.lake.manifests(ROOM, name)]


def _build_database(kitchen: Kitchen) -> Outcome:
    from minemap_assets.tables.database import build_database

    files: dict[str, list[Path]] = {}
    for ref, partition in kitchen.inputs.items():
        for name in partition.names():
            if name.endswith(".parquet"):
                files.setdefault(name.removesuffix(".parquet"), []).append(partition.file(name))
        files.setdefault(ref.asset, [])
    contents = {str(ref): partition.manifest.content for ref, partition in sorted(kitchen.inputs.items())}
    rows = build_database(files, database_path(kitchen.project), contents)
    kitchen.writer.path(CONTENTS).write_text(
        json.dumps({"rows": dict(rows), "inputs": contents}, indent=1, sort_keys=True)
    )
    kitchen.writer.add(CONTENTS)
    return Outcome(
        {
            "rows": sum(rows.values()),
            "tables": [{"table": name, "rows": count} for name, count in sorted(rows.items())],
            "file": str(database_path(kitchen.project)),
        }
    )


DATABASE = Recipe(
    ROOM,
    "database",
    "1",
    _build_database,
    reads=_all_tables,
    intact=lambda project, _: database_path(project).is_file(),
)
