"""The room tables: yearly tables as Parquet, and one DuckDB file built from them."""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minemap_assets.errors import MinemapError
from minemap_assets.geo.vector import read_geoparquet
from minemap_assets.graph.context import BuildContext, Check, Keys
from minemap_assets.graph.partitioning import Partitioning, by_year, unpartitioned
from minemap_assets.graph.statement import Asset, Dep, Freshness, Room
from minemap_assets.imagery.assets import COMPOSITES
from minemap_assets.lake.manifests import Outcome
from minemap_assets.lake.partitions import Partition
from minemap_assets.polygons.assets import MINING_POLYGONS, SERIES, SITE_HISTORY, column_facts
from minemap_assets.polygons.config import PolygonsConfig
from minemap_assets.polygons.schemas import TableSpec
from minemap_assets.project.project import Project
from minemap_assets.reference.assets import COUNTRY_BOUNDARIES
from minemap_assets.segmentation.assets import told_verdict
from minemap_assets.sites.assets import OWNED_GROUND, SITES
from minemap_assets.tables import schemas
from minemap_assets.tables.checks import AREA_CHECKS, latest_year

if TYPE_CHECKING:
    import pandas as pd

    from minemap_assets.polygons.countries import Borders
    from minemap_assets.tables.parts import RegionPart

DATABASE_POOL = "database"
"""One writer at a time builds the DuckDB file."""

CONTENTS = "contents.json"
"""What the database was built with; the DuckDB file itself belongs to this machine."""


def database_path(project: Project) -> Path:
    """Where the DuckDB file lies."""
    return project.lake.state / "minemap.duckdb"


def _regions(project: Project, _: Keys) -> Any:
    return {slug: region.outline for slug, region in project.active_regions().items()}


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

    mining, owned = _by_region(context, MINING_POLYGONS), _by_region(context, OWNED_GROUND)
    return [
        read_part(context.project.region(slug), sites, owned.get(slug), mining.get(slug))
        for slug, sites in _by_region(context, SITES).items()
    ]


def _year(context: BuildContext) -> int:
    return int(context.keys[0])


def _borders(context: BuildContext) -> "Borders":
    from minemap_assets.polygons.countries import Borders

    boundaries = read_geoparquet(context.input(COUNTRY_BOUNDARIES).file("boundaries.parquet"))
    return Borders(boundaries, context.project.section(PolygonsConfig).border_tolerance_km)


def _countries(context: BuildContext) -> "pd.DataFrame":
    """The boundaries without their geometry."""
    import pyarrow.parquet as pq

    path = context.input(COUNTRY_BOUNDARIES).file("boundaries.parquet")
    columns = ["iso3", "name", "continent", "sovereign_iso3", "sovereign_name"]
    countries: pd.DataFrame = pq.read_table(path, columns=columns).to_pandas()
    return countries


def _build_polygons(context: BuildContext) -> Outcome:
    from minemap_assets.tables.build import build_polygons

    return build_polygons(_year(context), _parts(context), context.writer, _verdict(context.project))


def _build_site_panel(context: BuildContext) -> Outcome:
    from minemap_assets.tables.build import build_site_panel

    parts, verdict = _parts(context), _verdict(context.project)
    return build_site_panel(_year(context), parts, _borders(context), context.writer, verdict)


def _build_country_summary(context: BuildContext) -> Outcome:
    from minemap_assets.polygons.schemas import read_table
    from minemap_assets.tables.build import build_country_summary

    panel = read_table(context.input(SITE_PANEL).file(schemas.SITE_PANEL.file), schemas.SITE_PANEL)
    return build_country_summary(
        _year(context),
        _parts(context),
        panel,
        _countries(context),
        context.writer,
        _verdict(context.project),
        cache(lambda: _borders(context)),
    )


def _build_region_summary(context: BuildContext) -> Outcome:
    from minemap_assets.tables.build import build_region_summary

    return build_region_summary(_year(context), _parts(context), context.writer, _verdict(context.project))


def _build_change_grid(context: BuildContext) -> Outcome:
    from minemap_assets.tables.change import build_change_grid

    panels = list(context.inputs_of(SITE_PANEL).values())
    grids = [panel.file(schemas.SITE_GRID.file) for panel in panels]
    return build_change_grid([panel.file(schemas.SITE_PANEL.file) for panel in panels], grids, context.writer)


def _build_published(context: BuildContext) -> Outcome:
    from minemap_assets.tables.published import build_published

    return build_published(context.writer)


def _build_imagery_clarity(context: BuildContext) -> Outcome:
    from minemap_assets.tables.build import build_imagery_clarity

    parts = _by_region(context, COMPOSITES)
    indexes = {slug: read_geoparquet(part.file("index.parquet")) for slug, part in parts.items()}
    return build_imagery_clarity(_year(context), indexes, context.writer)


def _build_database(context: BuildContext) -> Outcome:
    from minemap_assets.tables.database import build_database

    files: dict[str, list[Path]] = {}
    series = context.inputs_of(SERIES)
    for ref, partition in context.inputs.items():
        # a series has polygons too, which are not ours
        names = (schemas.SERIES_SUMMARY.file,) if ref in series else partition.names()
        for name in names:
            if name.endswith(".parquet"):
                files.setdefault(name.removesuffix(".parquet"), []).append(partition.file(name))
    contents = {str(ref): partition.manifest.content for ref, partition in sorted(context.inputs.items())}
    model = _model_in_use(context.project, context.keys)
    rows = build_database(files, database_path(context.project), contents | model)
    context.writer.path(CONTENTS).write_text(
        json.dumps({"rows": dict(rows), "inputs": contents, "model": model}, indent=1, sort_keys=True)
    )
    context.writer.add(CONTENTS)
    tables = [{"table": name, "rows": count} for name, count in sorted(rows.items())]
    return Outcome({"rows": sum(rows.values()), "tables": tables})


def _has_database(project: Project, keys: Keys) -> bool:
    """Whether this machine's file is a database, and of what the lake says that it was made from last."""
    from minemap_assets.tables.database import as_texts, is_database, made_from

    path = database_path(project)
    if not is_database(path):
        return False
    told, partition = made_from(path), project.lake.find(DATABASE.ref(keys))
    if told is None or partition is None:
        return True
    try:
        contents = json.loads(partition.file(CONTENTS).read_text(encoding="utf-8"))
    except MinemapError:
        # whether the partition itself is whole is looked at elsewhere
        return True
    return told == as_texts(contents["inputs"] | contents["model"])


_OF_REGIONS = (
    Dep(MINING_POLYGONS, optional=True),
    Dep(SITES, optional=True, triggers=False),
    Dep(OWNED_GROUND, optional=True, triggers=False),
)
"""A region whose polygons or sites were not made holds no other up: its rows say that it was not observed."""


FRESH_BY_MARCH = Freshness("0 0 1 3 *", 30)
"""The annual update of January has reached every yearly table by the first of March."""


def _table(
    spec: TableSpec,
    description: str,
    build: Callable[[BuildContext], Outcome],
    partitions: Partitioning = by_year,
    kinds: frozenset[str] = frozenset({"parquet", "table"}),
    **more: Any,
) -> Asset:
    """What all tables have in common."""
    beside = (other for other in schemas.TABLES.values() if other.asset == spec.asset and other is not spec)
    return Asset(
        room="tables",
        name=spec.name,
        description=description,
        partitions=partitions,
        kinds=kinds,
        columns=replace(column_facts(spec, *beside), in_database=True),
        automated=True,
        freshness=FRESH_BY_MARCH if partitions is by_year else None,
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
    code_version="3",
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
    code_version="3",
    checks=AREA_CHECKS,
    headline=told_verdict,
)
COUNTRY_SUMMARY = _table(
    schemas.COUNTRY_SUMMARY,
    "Mapped area and polygons of a year by country, with the share of sites that was observed.",
    _build_country_summary,
    deps=(*_OF_REGIONS, Dep(SITE_PANEL), Dep(COUNTRY_BOUNDARIES)),
    settings=_regions_verdict_and_borders,
    setting_names=_REGIONS_VERDICT_AND_BORDERS,
    code_version="3",
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
    code_version="3",
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

CHANGE_GRID = _table(
    schemas.CHANGE_GRID,
    "Change of the mapped area from year to year by cell of a 10 km equal-area grid, as a table and as rasters.",
    _build_change_grid,
    partitions=unpartitioned,
    kinds=frozenset({"parquet", "table", "geotiff"}),
    deps=(Dep(SITE_PANEL, optional=True),),
)
PUBLISHED_COUNTRY_AREA = _table(
    schemas.PUBLISHED_COUNTRY_AREA,
    "Mining area by country and year as the paper published it, with the ground that it covers.",
    _build_published,
    partitions=unpartitioned,
)

YEARLY = (POLYGON_TABLE, SITE_PANEL, COUNTRY_SUMMARY, REGION_SUMMARY, IMAGERY_CLARITY)

DATABASE = Asset(
    room="tables",
    name="database",
    description="One DuckDB file with every table, year and series, built fresh and renamed into place.",
    deps=tuple(
        Dep(table, optional=True) for table in (*YEARLY, CHANGE_GRID, PUBLISHED_COUNTRY_AREA, SITE_HISTORY, SERIES)
    ),
    settings=_model_in_use,
    code_version="2",
    kinds=frozenset({"duckdb"}),
    pool=DATABASE_POOL,
    automated=True,
    intact=_has_database,
    headline=told_verdict,
    checks=(
        Check(
            "latest_year_complete",
            "The latest year that is over has tables with every region; a warning, which holds nothing up.",
            lambda _, context: latest_year(context, COUNTRY_SUMMARY),
        ),
    ),
    build=_build_database,
)

ROOM = Room("tables", (*YEARLY, CHANGE_GRID, PUBLISHED_COUNTRY_AREA, DATABASE))
