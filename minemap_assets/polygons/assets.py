"""The room polygons: outlines of the masks, and mining polygons confirmed by neighbouring years."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from minemap_assets.geo.vector import read_geoparquet
from minemap_assets.graph.context import BuildContext, InputContext, Keys
from minemap_assets.graph.partitioning import by_region, by_region_and_year, years_around
from minemap_assets.graph.statement import Asset, AssetFamily, ColumnFacts, ColumnOrigin, Dep, Room
from minemap_assets.imagery.assets import COMPOSITES
from minemap_assets.lake.manifests import Outcome
from minemap_assets.lake.partitions import Partition
from minemap_assets.polygons import history_schemas, schemas
from minemap_assets.polygons.checks import POLYGON_CHECKS, RAW_CHECKS, SERIES_CHECKS
from minemap_assets.polygons.config import PolygonsConfig
from minemap_assets.polygons.correction_file import CORRECTIONS_PATH, Correction, parse_corrections
from minemap_assets.polygons.corrections import corrections_facts
from minemap_assets.polygons.schemas import TableSpec
from minemap_assets.polygons.series_tables import SERIES_TABLES
from minemap_assets.project.project import Project
from minemap_assets.project.settings import Section
from minemap_assets.reference.assets import COUNTRY_BOUNDARIES
from minemap_assets.reference.registered import reference_entry, series_asset, series_entries
from minemap_assets.segmentation.assets import PROMOTED_MODEL, RAW_MASKS, told_verdict
from minemap_assets.sites.assets import OWNED_GROUND, SITES, owned_of, sites_of

if TYPE_CHECKING:
    from minemap_assets.sites.cells import SiteCell


def _outline_settings(project: Project, keys: Keys) -> Any:
    """What decides where a mask's outline runs; everything else concerns what is made of the outlines."""
    names = {"operating_point", "threshold", "product_thresholds"}
    return {
        "region": project.region(keys[0]).outline,
        "polygons": project.section(PolygonsConfig).model_dump(mode="json", include=names),
    }


def _rule_settings(project: Project, keys: Keys) -> Any:
    settings = {
        "region": project.region(keys[0]).outline,
        "polygons": project.section(PolygonsConfig).model_dump(
            mode="json", exclude={"threshold", "product_thresholds"}
        ),
        "first_year": project.first_year,
        "corrections": corrections_facts(_corrections(project), project.region(keys[0]).geometry, int(keys[1])),
    }
    return settings if project.last_year is None else settings | {"last_year": project.last_year}


def _corrections(project: Project) -> tuple[Correction, ...]:
    return project.cached(_parsed_corrections)


def _parsed_corrections(project: Project) -> tuple[Correction, ...]:
    where = f"{project.lake.store.root}/{CORRECTIONS_PATH}"
    return project.parsed(CORRECTIONS_PATH, lambda data: parse_corrections(data, where))


def _cells(context: BuildContext) -> "Mapping[str, SiteCell]":
    from minemap_assets.sites.cells import site_cells

    return site_cells(sites_of(context), owned_of(context))


def _by_year(context: BuildContext, upstream: Asset) -> dict[int, Partition]:
    return {int(ref.keys[1]): partition for ref, partition in context.inputs_of(upstream).items()}


def _build_raw(context: BuildContext) -> Outcome:
    from minemap_assets.polygons.chosen_threshold import chosen_thresholds
    from minemap_assets.polygons.raw import build_raw_polygons
    from minemap_assets.segmentation.artefact import read_card

    region, year = context.keys
    project = context.project
    model = context.input(PROMOTED_MODEL)
    version = str(model.manifest.summary.get("version", ""))
    thresholds = chosen_thresholds(read_card(model), project.section(PolygonsConfig), version)
    return build_raw_polygons(
        project.region(region), int(year), _cells(context), context.input(RAW_MASKS), thresholds, context.writer
    )


def _build_mining(context: BuildContext) -> Outcome:
    from minemap_assets.polygons.mining import build_mining_polygons

    region, year = context.keys
    project = context.project
    return build_mining_polygons(
        project.region(region),
        int(year),
        cells=_cells(context),
        raw=_by_year(context, RAW_POLYGONS),
        masks=_by_year(context, RAW_MASKS),
        imagery_index=read_geoparquet(context.input(COMPOSITES).file("index.parquet")),
        boundaries=read_geoparquet(context.input(COUNTRY_BOUNDARIES).file("boundaries.parquet")),
        corrections=_corrections(project),
        first_year=project.first_year,
        last_year=project.last_year,
        config=project.section(PolygonsConfig),
        writer=context.writer,
    )


def _series_name(asset: str) -> str:
    return asset.removeprefix(series_asset(""))


def _series_settings(project: Project, asset: str) -> Any:
    return {
        "entry": reference_entry(project, _series_name(asset)).model_dump(mode="json"),
        "border_tolerance_km": project.section(PolygonsConfig).border_tolerance_km,
    }


def _build_series(context: BuildContext) -> Outcome:
    from minemap_assets.polygons.series_build import build_series

    return build_series(
        reference_entry(context.project, _series_name(context.ref.asset)),
        context.project.lake.store,
        read_geoparquet(context.input(COUNTRY_BOUNDARIES).file("boundaries.parquet")),
        context.project.section(PolygonsConfig).border_tolerance_km,
        context.writer,
    )


def _history_settings(project: Project, keys: Keys) -> Any:
    names = {"window", "appear", "disappear", "hmm_trust", "min_area_km2"}
    region, corrections = project.region(keys[0]), _corrections(project)
    by_year = {str(year): corrections_facts(corrections, region.geometry, year) for year in project.years()}
    return {
        "region": region.outline,
        "corrections": {year: facts for year, facts in by_year.items() if facts},
        "polygons": project.section(PolygonsConfig).model_dump(mode="json", include=names),
        "first_year": project.first_year,
        "last_year": project.last_year,
    }


def _build_history(context: BuildContext) -> Outcome:
    from minemap_assets.polygons.confirmation import OutlinedYear
    from minemap_assets.polygons.history import build_site_history

    project = context.project
    return build_site_history(
        project.region(context.keys[0]),
        _cells(context),
        _by_year(context, RAW_MASKS),
        {year: OutlinedYear(raw).observation for year, raw in _by_year(context, RAW_POLYGONS).items()},
        project.section(PolygonsConfig),
        context.writer,
        first_year=project.first_year,
        last_year=project.last_year,
        corrections=_corrections(project),
    )


def _history_picture(partition: Partition, context: InputContext) -> bytes:
    from minemap_assets.polygons.history_drawing import history_picture

    return history_picture(partition, read_geoparquet(context.input(SITES).file("sites.parquet")))


def _window(project: Project) -> int:
    return project.section(PolygonsConfig).window


def _raw_picture(partition: Partition, context: InputContext) -> bytes:
    from minemap_assets.polygons.drawing import raw_picture

    return raw_picture(partition, context.input(RAW_MASKS))


def _mining_picture(partition: Partition, context: InputContext) -> bytes:
    from minemap_assets.polygons.drawing import mining_picture

    return mining_picture(partition, context.input(COMPOSITES))


def column_facts(*specs: TableSpec) -> ColumnFacts:
    """What the schemas of an asset's tables say of their columns, in the words of a statement; the first one wins."""
    columns = [column for spec in reversed(specs) for column in spec.columns]
    return ColumnFacts(
        {column.name: column.description for column in columns},
        {c.name: tuple(ColumnOrigin(o.asset, o.column) for o in c.lineage) for c in columns if c.lineage},
    )


RAW_POLYGONS = Asset(
    room="polygons",
    name="raw_polygons",
    description="Outlines of one year's masks on pixel edges, each ground point counted for one site only.",
    partitions=by_region_and_year,
    deps=(
        Dep(RAW_MASKS),
        Dep(SITES, triggers=False),
        Dep(OWNED_GROUND, triggers=False),
        Dep(PROMOTED_MODEL, triggers=False),
    ),
    settings=_outline_settings,
    code_version="3",
    checks=RAW_CHECKS,
    columns=column_facts(
        schemas.RAW_POLYGONS, schemas.SITE_OBSERVATION, schemas.UNOBSERVED_GROUND, schemas.CLIPPED_GROUND
    ),
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
        Dep(RAW_POLYGONS, years_around(_window), optional=True),
        Dep(RAW_MASKS, years_around(_window), optional=True),
        Dep(COMPOSITES),
        Dep(SITES, triggers=False),
        Dep(OWNED_GROUND, triggers=False),
        Dep(COUNTRY_BOUNDARIES),
    ),
    settings=_rule_settings,
    code_version="3",
    checks=POLYGON_CHECKS,
    columns=column_facts(
        schemas.MINING_POLYGONS,
        schemas.POLYGON_COUNTRY_AREA,
        schemas.SITE_AREA,
        schemas.UNOBSERVED_GROUND,
        schemas.CLIPPED_GROUND,
    ),
    automated=True,
    headline=told_verdict,
    picture=_mining_picture,
    build=_build_mining,
)


SITE_HISTORY = Asset(
    room="polygons",
    name="site_history",
    description="Mines of a region through all years: one identity, first and last year with posterior, events.",
    partitions=by_region,
    deps=(
        Dep(RAW_MASKS, optional=True),
        Dep(RAW_POLYGONS, optional=True),
        Dep(SITES, triggers=False),
        Dep(OWNED_GROUND, triggers=False),
    ),
    settings=_history_settings,
    code_version="2",
    columns=column_facts(history_schemas.SITE_HISTORY, history_schemas.MINE_YEARS),
    automated=True,
    headline=told_verdict,
    picture=_history_picture,
    build=_build_history,
)


def _series(name: str) -> Asset:
    return Asset(
        room="polygons",
        name=name,
        description=f"Yearly polygons made elsewhere, the series `{name}`: confirmed in time, merged, by country.",
        deps=(Dep(COUNTRY_BOUNDARIES),),
        settings=lambda project, _: _series_settings(project, name),
        checks=SERIES_CHECKS,
        columns=column_facts(*SERIES_TABLES),
        automated=True,
        build=_build_series,
    )


SERIES = AssetFamily(
    room="polygons",
    names=lambda project: tuple(series_asset(entry.name) for entry in series_entries(project)),
    member=_series,
)

ROOM = Room(
    "polygons",
    (RAW_POLYGONS, MINING_POLYGONS, SITE_HISTORY, SERIES),
    sections=(Section("polygons", PolygonsConfig),),
)
