"""The room tables: yearly tables as Parquet, and one DuckDB file built from them."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import geopandas as gpd

from minemap_assets.geo.vector import read_geoparquet
from minemap_assets.graph.context import BuildContext, Keys
from minemap_assets.graph.partitioning import by_year
from minemap_assets.graph.statement import Asset, Dep, Room
from minemap_assets.imagery.assets import COMPOSITES
from minemap_assets.lake.manifests import Outcome
from minemap_assets.lake.partitions import Partition
from minemap_assets.polygons.assets import MINING_POLYGONS, column_facts
from minemap_assets.polygons.config import PolygonsConfig
from minemap_assets.polygons.schemas import TableSpec
from minemap_assets.project.project import Project
from minemap_assets.reference.assets import COUNTRY_BOUNDARIES
from minemap_assets.segmentation.assets import told_verdict
from minemap_assets.sites.assets import SITES
from minemap_assets.tables import schemas
from minemap_assets.tables.checks import AREA_CHECKS

if TYPE_CHECKING:
    from minemap_assets.tables.parts import RegionPart

DATABASE_POOL = "database"
"""One writer at a time builds the DuckDB file."""

CONTENTS = "contents.json"
"""What the database was built with; the DuckDB file itself belongs to this machine."""


def database_path(project: Project) -> Path:
    """Where the DuckDB file lies."""
    return project.lake.state / "minemap.duckdb"


def _regions(project: Project, _: Keys) -> Any:
    return {slug: region.geometry.wkb_hex for slug, region in project.active_regions().items()}


def _verdict(project: Project) -> str:
    from minemap_assets.segmentation.promotion import mark_of

    return mark_of(project)


def _regions_and_verdict(project: Project, keys: Keys) -> Any:
    return [_regions(project, keys), _verdict(project)]


def _regions_verdict_and_borders(project: Project, keys: Keys) -> Any:
    return [*_regions_and_verdict(project, keys), project.section(PolygonsConfig).border_tolerance_km]


_VERDICT = "the verdict on the model in use"
_REGIONS_AND_VERDICT = ("regions", _VERDICT)
_REGIONS_VERDICT_AND_BORDERS = (*_REGIONS_AND_VERDICT, "polygons.border_tolerance_km")


def _model_in_use(project: Project, _: Keys) -> dict[str, str]:
    """What the database says of the model."""
    from minemap_assets.segmentation.promotion import in_use

    decision = in_use(project)
    known = {} if decision is None else {"model_version": decision.version, "model_verdict_reason": decision.sentence}
    return known | {"model_verdict": _verdict(project)}


def _by_region(context: BuildContext, upstream: Asset) -> dict[str, Partition]:
    return {ref.keys[0]: partition for ref, partition in context.inputs_of(upstream).items()}


def _parts(context: BuildContext) -> "list[RegionPart]":
    """Every active region that has sites, with its mining polygons of the year where they were made."""
    from minemap_assets.tables.parts import read_part

    mining = _by_region(context, MINING_POLYGONS)
    return [
        read_part(context.project.region(slug), read_geoparquet(sites.file("sites.parquet")), mining.get(slug))
        for slug, sites in _by_region(context, SITES).items()
    ]


def _year(context: BuildContext) -> int:
    return int(context.keys[0])


def _boundaries(context: BuildContext) -> gpd.GeoDataFrame:
    return read_geoparquet(context.input(COUNTRY_BOUNDARIES).file("boundaries.parquet"))


def _tolerance(context: BuildContext) -> float:
    return context.project.section(PolygonsConfig).border_tolerance_km


def _build_polygons(context: BuildContext) -> Outcome:
    from minemap_assets.tables.build import build_polygons

    return build_polygons(_year(context), _parts(context), context.writer, _verdict(context.project))


def _build_site_panel(context: BuildContext) -> Outcome:
    from minemap_assets.tables.build import build_site_panel

    parts, verdict = _parts(context), _verdict(context.project)
    return build_site_panel(_year(context), parts, _boundaries(context), context.writer, verdict, _tolerance(context))


def _build_country_summary(context: BuildContext) -> Outcome:
    from minemap_assets.tables.build import build_country_summary

    parts, verdict = _parts(context), _verdict(context.project)
    return build_country_summary(
        _year(context), parts, _boundaries(context), context.writer, verdict, _tolerance(context)
    )


def _build_region_summary(context: BuildContext) -> Outcome:
    from minemap_assets.tables.build import build_region_summary

    return build_region_summary(_year(context), _parts(context), context.writer, _verdict(context.project))


def _build_imagery_clarity(context: BuildContext) -> Outcome:
    from minemap_assets.tables.build import build_imagery_clarity

    parts = _by_region(context, COMPOSITES)
    indexes = {slug: read_geoparquet(part.file("index.parquet")) for slug, part in parts.items()}
    return build_imagery_clarity(_year(context), indexes, context.writer)


def _build_database(context: BuildContext) -> Outcome:
    from minemap_assets.tables.database import build_database

    files: dict[str, list[Path]] = {}
    for ref, partition in context.inputs.items():
        for name in partition.names():
            if name.endswith(".parquet"):
                files.setdefault(name.removesuffix(".parquet"), []).append(partition.file(name))
        files.setdefault(ref.asset, [])
    contents = {str(ref): partition.manifest.content for ref, partition in sorted(context.inputs.items())}
    model = _model_in_use(context.project, context.keys)
    rows = build_database(files, database_path(context.project), contents | model)
    context.writer.path(CONTENTS).write_text(
        json.dumps({"rows": dict(rows), "inputs": contents, "model": model}, indent=1, sort_keys=True)
    )
    context.writer.add(CONTENTS)
    tables = [{"table": name, "rows": count} for name, count in sorted(rows.items())]
    return Outcome({"rows": sum(rows.values()), "tables": tables})


def _has_database(project: Project, _: Keys) -> bool:
    from minemap_assets.tables.database import is_database

    return is_database(database_path(project))


_OF_REGIONS = (Dep(MINING_POLYGONS, optional=True), Dep(SITES, optional=True, triggers=False))
"""A region whose polygons or sites were not made holds no other up: its rows say that it was not observed."""


def _table(spec: TableSpec, description: str, build: Callable[[BuildContext], Outcome], **more: Any) -> Asset:
    """What all yearly tables have in common."""
    return Asset(
        room="tables",
        name=spec.name,
        description=description,
        partitions=by_year,
        kinds=frozenset({"parquet", "table"}),
        columns=replace(column_facts(spec), in_database=True),
        automated=True,
        build=build,
        **more,
    )


POLYGON_TABLE = _table(
    schemas.POLYGONS,
    "All mining polygons of a year, over all regions.",
    _build_polygons,
    deps=_OF_REGIONS,
    settings=_regions_and_verdict,
    setting_names=_REGIONS_AND_VERDICT,
    code_version="2",
    checks=AREA_CHECKS,
    headline=told_verdict,
)
SITE_PANEL = _table(
    schemas.SITE_PANEL,
    "A row for every site and year: mapped area, zero, or null where it was not observed.",
    _build_site_panel,
    deps=(*_OF_REGIONS, Dep(COUNTRY_BOUNDARIES)),
    settings=_regions_verdict_and_borders,
    setting_names=_REGIONS_VERDICT_AND_BORDERS,
    code_version="2",
    checks=AREA_CHECKS,
    headline=told_verdict,
)
COUNTRY_SUMMARY = _table(
    schemas.COUNTRY_SUMMARY,
    "Mapped area and polygons of a year by country, with the share of sites that was observed.",
    _build_country_summary,
    deps=(*_OF_REGIONS, Dep(COUNTRY_BOUNDARIES)),
    settings=_regions_verdict_and_borders,
    setting_names=_REGIONS_VERDICT_AND_BORDERS,
    code_version="2",
    checks=AREA_CHECKS,
    headline=told_verdict,
)
REGION_SUMMARY = _table(
    schemas.REGION_SUMMARY,
    "Mapped area and polygons of a year by region, with the share of sites that was observed.",
    _build_region_summary,
    deps=_OF_REGIONS,
    settings=_regions_and_verdict,
    setting_names=_REGIONS_AND_VERDICT,
    code_version="2",
    checks=AREA_CHECKS,
    headline=told_verdict,
)
IMAGERY_CLARITY = _table(
    schemas.IMAGERY_CLARITY,
    "How clear the imagery of a year was, by region and product.",
    _build_imagery_clarity,
    deps=(Dep(COMPOSITES, optional=True),),
    settings=_regions,
    code_version="2",
)

YEARLY = (POLYGON_TABLE, SITE_PANEL, COUNTRY_SUMMARY, REGION_SUMMARY, IMAGERY_CLARITY)

DATABASE = Asset(
    room="tables",
    name="database",
    description="One DuckDB file with every table and year, built fresh and renamed into place.",
    deps=tuple(Dep(table, optional=True) for table in YEARLY),
    settings=_model_in_use,
    kinds=frozenset({"duckdb"}),
    pool=DATABASE_POOL,
    automated=True,
    intact=_has_database,
    headline=told_verdict,
    build=_build_database,
)

ROOM = Room("tables", (*YEARLY, DATABASE))
