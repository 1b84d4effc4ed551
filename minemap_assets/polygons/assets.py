"""The room polygons: outlines of the masks, and mining polygons confirmed by neighbouring years."""

from typing import Any

from minemap_assets.geo.vector import read_geoparquet
from minemap_assets.graph.context import BuildContext, InputContext, Keys
from minemap_assets.graph.partitioning import by_region_and_year, years_around
from minemap_assets.graph.statement import Asset, ColumnFacts, ColumnOrigin, Dep, Room
from minemap_assets.imagery.assets import COMPOSITES
from minemap_assets.lake.manifests import Outcome
from minemap_assets.lake.partitions import Partition
from minemap_assets.polygons import schemas
from minemap_assets.polygons.checks import POLYGON_CHECKS, RAW_CHECKS
from minemap_assets.polygons.config import PolygonsConfig
from minemap_assets.polygons.schemas import TableSpec
from minemap_assets.project.project import Project
from minemap_assets.project.settings import Section
from minemap_assets.reference.assets import COUNTRY_BOUNDARIES
from minemap_assets.segmentation.assets import RAW_MASKS, told_verdict
from minemap_assets.sites.assets import SITES, sites_of


def _outline_settings(project: Project, keys: Keys) -> Any:
    """What decides where a mask's outline runs; everything else concerns what is made of the outlines."""
    return {
        "region": project.region(keys[0]).geometry.wkb_hex,
        "polygons": project.section(PolygonsConfig).model_dump(mode="json", include={"operating_point", "threshold"}),
    }


def _rule_settings(project: Project, keys: Keys) -> Any:
    settings = {
        "region": project.region(keys[0]).geometry.wkb_hex,
        "polygons": project.section(PolygonsConfig).model_dump(mode="json"),
        "first_year": project.first_year,
    }
    return settings if project.last_year is None else settings | {"last_year": project.last_year}


def _build_raw(context: BuildContext) -> Outcome:
    from minemap_assets.polygons.raw import build_raw_polygons

    region, year = context.keys
    project = context.project
    return build_raw_polygons(
        project.region(region),
        int(year),
        sites_of(context),
        context.input(RAW_MASKS),
        project.section(PolygonsConfig),
        context.writer,
    )


def _build_mining(context: BuildContext) -> Outcome:
    from minemap_assets.polygons.mining import build_mining_polygons

    region, year = context.keys
    project = context.project
    return build_mining_polygons(
        project.region(region),
        int(year),
        sites=sites_of(context),
        masks={int(ref.keys[1]): masks for ref, masks in context.inputs_of(RAW_MASKS).items()},
        raw=read_geoparquet(context.input(RAW_POLYGONS).file("raw_polygons.parquet")),
        imagery_index=read_geoparquet(context.input(COMPOSITES).file("index.parquet")),
        boundaries=read_geoparquet(context.input(COUNTRY_BOUNDARIES).file("boundaries.parquet")),
        first_year=project.first_year,
        last_year=project.last_year,
        config=project.section(PolygonsConfig),
        writer=context.writer,
    )


def _raw_picture(partition: Partition, context: InputContext) -> bytes:
    from minemap_assets.polygons.drawing import raw_picture

    return raw_picture(partition, context.input(RAW_MASKS))


def _mining_picture(partition: Partition, context: InputContext) -> bytes:
    from minemap_assets.polygons.drawing import mining_picture

    return mining_picture(partition, context.input(COMPOSITES))


def column_facts(spec: TableSpec) -> ColumnFacts:
    """What a table's schema says of its columns, in the words of a statement."""
    return ColumnFacts(
        {column.name: column.description for column in spec.columns},
        {c.name: tuple(ColumnOrigin(o.asset, o.column) for o in c.lineage) for c in spec.columns if c.lineage},
    )


RAW_POLYGONS = Asset(
    room="polygons",
    name="raw_polygons",
    description="Outlines of one year's masks on pixel edges, each ground point counted for one site only.",
    partitions=by_region_and_year,
    deps=(Dep(RAW_MASKS), Dep(SITES, triggers=False)),
    settings=_outline_settings,
    code_version="2",
    checks=RAW_CHECKS,
    columns=column_facts(schemas.RAW_POLYGONS),
    automated=True,
    headline=told_verdict,
    picture=_raw_picture,
    build=_build_raw,
)

MINING_POLYGONS = Asset(
    room="polygons",
    name="mining_polygons",
    description="Mining polygons of a region and year, confirmed by neighbouring years, merged, with their country.",
    partitions=by_region_and_year,
    deps=(
        Dep(RAW_POLYGONS),
        Dep(RAW_MASKS, years_around(lambda project: project.section(PolygonsConfig).window), optional=True),
        Dep(COMPOSITES),
        Dep(SITES, triggers=False),
        Dep(COUNTRY_BOUNDARIES),
    ),
    settings=_rule_settings,
    code_version="2",
    checks=POLYGON_CHECKS,
    columns=column_facts(schemas.MINING_POLYGONS),
    automated=True,
    headline=told_verdict,
    picture=_mining_picture,
    build=_build_mining,
)

ROOM = Room("polygons", (RAW_POLYGONS, MINING_POLYGONS), sections=(Section("polygons", PolygonsConfig),))
