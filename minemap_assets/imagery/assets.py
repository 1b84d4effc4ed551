"""The room imagery: composites of a region's sites in one year, and of the reference year in every product."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import geopandas as gpd

from minemap_assets.graph.context import BuildContext, InputContext, Keys
from minemap_assets.graph.partitioning import (
    REGION,
    REGION_KEYS,
    Dimension,
    Partitioning,
    RunningYear,
    by_region_and_year,
)
from minemap_assets.graph.statement import Asset, Dep, Job, Room
from minemap_assets.imagery.arrivals import corrections, note_revisions
from minemap_assets.imagery.checks import COVERAGE_CHECKS
from minemap_assets.imagery.config import ImageryConfig
from minemap_assets.imagery.rules import (
    Made,
    TrainingConfig,
    check_defaults,
    product_of,
    reference_year_of,
    season_of,
    training_products,
    training_regions,
)
from minemap_assets.imagery.seasons import Season
from minemap_assets.imagery.source_kind import check_sources, open_sources, revisions
from minemap_assets.lake.manifests import Outcome
from minemap_assets.lake.partitions import Partition
from minemap_assets.project.operations import OperationsConfig
from minemap_assets.project.project import Project
from minemap_assets.project.settings import EARLIEST_YEAR, Section
from minemap_assets.reference.registered import has_labels
from minemap_assets.sites.assets import SITES, sites_of

FETCHING_POOL = "imagery"
"""Assets of this pool run one at a time by default, so that processes do not add up their limits at one service."""

_ASKED_AT_ONCE = 16

IMAGERY_UPDATE = Job("imagery_update", "Fetch the composites of one region and year.")
REFERENCE_UPDATE = Job(
    "reference_update", "Fetch the reference year of one region in one product, and cut its labelled chips."
)

product_dimension = Dimension(
    "product", training_products, lambda project: dg.StaticPartitionsDefinition(list(training_products(project)))
)
training_region_dimension = Dimension(
    REGION,
    training_regions,
    lambda _: REGION_KEYS,
    chosen=lambda project: bool(project.section(TrainingConfig).regions),
)
by_product_and_region = Partitioning((product_dimension, training_region_dimension))
"""Every product and region that enters training."""


def composites_request(
    project: Project, slug: str, year: int, product: str, bands: Sequence[str], once: Season | None = None
) -> Any:
    """What composites of a region and year depend on, beside where they are; `once` is as in `build_composites`."""
    region, config = project.region(slug), project.section(ImageryConfig)
    season = once or season_of(region, year)
    corrected = {} if once else corrections(project, region, year, product)
    known = {"corrections": corrected} if corrected else {}
    return known | {
        "product": product,
        "season": [season.start.isoformat(), season.end.isoformat()],
        "bands": bands,
        "sources": revisions(project, product, season),
        "min_clear_fraction": config.min_clear_fraction,
        "max_unobserved_share": config.max_unobserved_share,
    }


def build_composites(
    context: BuildContext,
    places: gpd.GeoDataFrame,
    slug: str,
    year: int,
    product: str,
    bands: Sequence[str],
    unit: str = "site",
    once: Season | None = None,
) -> Outcome:
    """Composites of places [site_id, crs, transform, width, height] in a region's season, within the budget; `unit` is
    what people call such a place. `once` is a season that belongs to no series: nobody looks for corrections of it.
    """
    from minemap_assets.imagery.budget import hold_to_budget
    from minemap_assets.imagery.build import build_imagery
    from minemap_assets.net.usage import metered, run_usage

    project = context.project
    region, config = project.region(slug), project.section(ImageryConfig)
    season = once or season_of(region, year)
    hold_to_budget(project, slug, season, product, bands, places)
    with run_usage(config.budget), metered():
        sources = open_sources(project, product)
        if once is None:
            note_revisions(project, region, year, sources)
        return build_imagery(
            places,
            sources,
            season,
            bands,
            config.min_clear_fraction,
            context.writer,
            corrections={} if once else corrections(project, region, year, product),
            max_unobserved_share=config.max_unobserved_share,
            progress=context.progress,
            workers=config.workers,
            unit=unit,
        )


def _request(project: Project, slug: str, year: int, product: str) -> Any:
    return composites_request(project, slug, year, product, project.section(ImageryConfig).bands_for(product))


def _build(context: BuildContext, slug: str, year: int, product: str) -> Outcome:
    bands = context.project.section(ImageryConfig).bands_for(product)
    return build_composites(context, sites_of(context), slug, year, product, bands)


def _build_year(context: BuildContext) -> Outcome:
    slug, year, product = _year_and_product(context.project, context.keys)
    project = context.project
    refs = [COMPOSITES.ref((slug, str(one))) for one in range(EARLIEST_YEAR, datetime.now(UTC).year + 1)]
    summaries = [manifest.summary for manifest in map(project.lake.manifest, refs) if manifest is not None]
    held = [
        Made(str(one["product"]), frozenset(one["sources"])) for one in summaries if {"product", "sources"} <= set(one)
    ]
    check_defaults(project, project.region(slug), product, held)
    return _build(context, slug, year, product)


def _year_and_product(project: Project, keys: Keys) -> tuple[str, int, str]:
    region, year = keys
    return region, int(year), product_of(project, project.region(region), int(year))


def _reference_year_and_product(project: Project, keys: Keys) -> tuple[str, int, str]:
    product, region = keys
    return region, reference_year_of(project, project.region(region)), product


def _picture(partition: Partition, _: InputContext) -> bytes:
    from minemap_assets.imagery.drawing import imagery_picture

    return imagery_picture(partition)


COMPOSITES = Asset(
    room="imagery",
    name="imagery",
    description="One cloud-free composite for each site of a region and year, on its own grid, with its provenance.",
    partitions=by_region_and_year,
    deps=(Dep(SITES),),
    settings=lambda project, keys: _request(project, *_year_and_product(project, keys)),
    code_version="3",
    checks=COVERAGE_CHECKS,
    kinds=frozenset({"geotiff"}),
    pool=FETCHING_POOL,
    job=IMAGERY_UPDATE,
    fetched=True,
    picture=_picture,
    build=_build_year,
)

REFERENCE_COMPOSITES = Asset(
    room="imagery",
    name="reference_imagery",
    description="The reference year of every site as each configured product shows it, for training and continuity.",
    partitions=by_product_and_region,
    deps=(Dep(SITES),),
    settings=lambda project, keys: _request(project, *_reference_year_and_product(project, keys)),
    code_version="3",
    checks=COVERAGE_CHECKS,
    kinds=frozenset({"geotiff"}),
    pool=FETCHING_POOL,
    job=REFERENCE_UPDATE,
    fetched=True,
    applies=has_labels,
    picture=_picture,
    build=lambda context: _build(context, *_reference_year_and_product(context.project, context.keys)),
)


def has_imagery(project: Project, year: int) -> bool:
    """Whether a running year can be mapped: the season of a region has ended, or the lake holds images of it."""
    regions, today = project.active_regions(), datetime.now(UTC).date()
    if any(season_of(region, year).end <= today for region in regions.values()):
        return True
    refs = [COMPOSITES.ref((slug, str(year))) for slug in regions]
    with ThreadPoolExecutor(_ASKED_AT_ONCE) as pool:  # an object store takes its time for each
        return any(manifest is not None for manifest in pool.map(project.lake.manifest, refs))


def maps_running_year(project: Project, _: int) -> bool:
    """Whether images of a season that goes on are asked for by themselves, so that its year has to be a partition."""
    config = project.section(OperationsConfig)
    return config.automatic and config.open_year_observations > 0


ROOM = Room(
    "imagery",
    (COMPOSITES, REFERENCE_COMPOSITES),
    sections=(Section("imagery", ImageryConfig), Section("training", TrainingConfig)),
    rules=(check_sources,),
    extensions=(RunningYear(has_imagery), RunningYear(maps_running_year)),
)
