"""The room validation: how far the maps can be trusted."""

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from minemap_assets.chips.assets import TRAINING_CHIPS
from minemap_assets.errors import BadInputError
from minemap_assets.geo.vector import read_geoparquet
from minemap_assets.graph.context import BuildContext, InputContext, Keys
from minemap_assets.graph.statement import Asset, ColumnFacts, Dep, Room
from minemap_assets.imagery.assets import COMPOSITES, REFERENCE_COMPOSITES
from minemap_assets.imagery.rules import product_of
from minemap_assets.lake.manifests import Manifest, Outcome
from minemap_assets.lake.partitions import Partition
from minemap_assets.polygons.assets import MINING_POLYGONS, SERIES
from minemap_assets.polygons.config import PolygonsConfig
from minemap_assets.project.project import Project
from minemap_assets.reference.assets import COUNTRY_BOUNDARIES, POLYGON_SETS, VALIDATION_POINTS
from minemap_assets.reference.registered import series_asset
from minemap_assets.segmentation.assets import PROMOTED_MODEL, RAW_MASKS, REFERENCE_MASKS
from minemap_assets.sites.assets import GROUND_TRUTH, OWNED_GROUND, SITES
from minemap_assets.tables.assets import COUNTRY_SUMMARY
from minemap_assets.validation.accuracy_columns import AREA_COLUMNS, REFERENCE_VALIDATION_COLUMNS
from minemap_assets.validation.column_facts import BREAK_COLUMNS, CONTINUITY_COLUMNS

if TYPE_CHECKING:
    from minemap_assets.validation.region_masks import Published


def _build_reference_validation(context: BuildContext) -> Outcome:
    from minemap_assets.validation import accuracy_inputs as read
    from minemap_assets.validation.points import build_reference_validation

    points = read.labelled_points(context)
    maps = list(read.yearly_maps(context, points))
    return build_reference_validation(points, maps, read.yearly_masks(context, points), context.writer)


def _build_area_estimates(context: BuildContext) -> Outcome:
    from minemap_assets.validation import accuracy_inputs as read
    from minemap_assets.validation.area_estimation import build_area_estimates

    samples = list(read.labelled_samples(context))
    return build_area_estimates(samples, read.names_of_countries(context), read.mapped_now(context), context.writer)


def _sample_settings(project: Project, _: Keys) -> Any:
    from minemap_assets.validation.sample_files import sample_contents

    return {"samples": sample_contents(project), "regions": _outlines_of_regions(project)}


def _point_settings(project: Project, _: Keys) -> Any:
    return {"regions": _outlines_of_regions(project), "years": [project.first_year, project.last_year]}


def _outlines_of_regions(project: Project) -> dict[str, str]:
    return {slug: region.outline for slug, region in project.active_regions().items()}


def _has_samples(project: Project) -> bool:
    from minemap_assets.validation.sample_files import sample_names

    return bool(sample_names(project))


def _build_source_continuity(context: BuildContext) -> Outcome:
    from minemap_assets.polygons.chosen_threshold import chosen_thresholds
    from minemap_assets.segmentation.artefact import read_card
    from minemap_assets.validation.continuity import build_source_continuity
    from minemap_assets.validation.region_masks import region_masks

    project = context.project
    config = project.section(PolygonsConfig)
    models = list(context.inputs_of(PROMOTED_MODEL).values())
    version = str(models[0].manifest.summary.get("version", "")) if models else ""
    rule = chosen_thresholds(read_card(models[0]) if models else None, config, version)

    def threshold_of(row: Mapping[str, Any]) -> float:
        facts = (str(row["product"]), str(row["operating_point"]), float(row["threshold"]), str(row["model_version"]))
        return rule.of(*facts)

    return build_source_continuity(
        region_masks(project.active_regions(), _reference_year(context)),
        _product_order(project),
        threshold_of,
        config.product_thresholds,
        context.writer,
    )


def _reference_year(context: BuildContext) -> "Published":
    """What was made of the reference year, of all regions and products."""
    from minemap_assets.polygons.countries import Borders
    from minemap_assets.validation.region_masks import Published

    def by_product(upstream: Asset) -> dict[tuple[str, str], Partition]:
        return {(ref.keys[0], ref.keys[1]): part for ref, part in context.inputs_of(upstream).items()}

    def by_region(upstream: Asset) -> dict[str, Partition]:
        return {ref.keys[0]: part for ref, part in context.inputs_of(upstream).items()}

    known = list(context.inputs_of(COUNTRY_BOUNDARIES).values())
    tolerance = context.project.section(PolygonsConfig).border_tolerance_km
    return Published(
        sites=by_region(SITES),
        owned=by_region(OWNED_GROUND),
        masks=by_product(REFERENCE_MASKS),
        chips=by_product(TRAINING_CHIPS),
        imagery=by_product(REFERENCE_COMPOSITES),
        borders=Borders(read_geoparquet(known[0].file("boundaries.parquet")), tolerance) if known else None,
    )


def _product_order(project: Project) -> list[str]:
    """Products as they follow each other in the project's years; a year without one has none to tell of."""
    found: dict[str, None] = {}
    for year in project.years():
        for region in project.active_regions().values():
            with suppress(BadInputError):
                found[product_of(project, region, year)] = None
    return list(found)


def _continuity_settings(project: Project, _: Keys) -> Any:
    names = {"operating_point", "threshold", "product_thresholds", "border_tolerance_km"}
    return {
        "order": _product_order(project),
        "regions": _outlines_of_regions(project),
        "polygons": project.section(PolygonsConfig).model_dump(mode="json", include=names),
    }


def _effect_of_swaps(_: Project, manifest: Manifest) -> dict[str, str]:
    return {"effect_of_a_swap": " ".join(manifest.summary.get("effect_of_a_swap", ())) or "no two products overlap"}


def _build_series_break(context: BuildContext) -> Outcome:
    import pandas as pd

    from minemap_assets.validation.continuity import SUMMARY
    from minemap_assets.validation.series_breaks import build_series_breaks
    from minemap_assets.validation.series_overlap import series_changes

    imagery = {(ref.keys[0], int(ref.keys[1])): part for ref, part in context.inputs_of(COMPOSITES).items()}
    known = [part for part in context.inputs_of(SOURCE_CONTINUITY).values() if SUMMARY in part.names()]
    continuity = pd.read_parquet(known[0].file(SUMMARY)) if known else None
    series = {ref.asset.removeprefix(series_asset("")): part for ref, part in context.inputs_of(SERIES).items()}
    ours = {int(ref.keys[0]): part for ref, part in context.inputs_of(COUNTRY_SUMMARY).items()}
    regions = [region.geometry for region in context.project.active_regions().values()]
    return build_series_breaks(imagery, continuity, series_changes(series, ours, regions), context.writer)


def _breaks_in_words(_: Project, manifest: Manifest) -> dict[str, str]:
    rows, unmeasured = int(manifest.summary.get("rows", 0)), int(manifest.summary.get("unmeasured", 0))
    return {"breaks_in_the_series": f"{rows}, of which {unmeasured} unmeasured" if rows else "none"}


def _step_picture(partition: Partition, _: InputContext) -> bytes:
    from minemap_assets.validation.step_drawing import step_picture

    return step_picture(partition)


REFERENCE_VALIDATION = Asset(
    room="validation",
    name="reference_validation",
    description="Accuracy of every year's map, of the ground truth and of every polygon set at labelled points, with "
    "intervals, and of the masks at any threshold.",
    deps=(
        Dep(VALIDATION_POINTS),
        Dep(OWNED_GROUND, optional=True, triggers=False),
        Dep(MINING_POLYGONS, optional=True),
        Dep(RAW_MASKS, optional=True),
        Dep(GROUND_TRUTH, optional=True),
        Dep(POLYGON_SETS, optional=True),
        Dep(SERIES, optional=True),
    ),
    settings=_point_settings,
    code_version="2",
    automated=True,
    columns=ColumnFacts(REFERENCE_VALIDATION_COLUMNS),
    build=_build_reference_validation,
)

AREA_ESTIMATES = Asset(
    room="validation",
    name="area_estimates",
    description="Mining area and its change on the ground of known sites, estimated from labelled points of samples "
    "drawn from the maps, with 95 % intervals by country and year; mines elsewhere are unmeasured.",
    deps=(
        Dep(MINING_POLYGONS, optional=True),
        Dep(OWNED_GROUND, optional=True, triggers=False),
        Dep(SITES, optional=True, triggers=False),
        Dep(TRAINING_CHIPS, optional=True, triggers=False),
        Dep(COUNTRY_SUMMARY, optional=True),
        Dep(COUNTRY_BOUNDARIES, optional=True, triggers=False),
    ),
    settings=_sample_settings,
    automated=True,
    columns=ColumnFacts(AREA_COLUMNS),
    applies=_has_samples,
    build=_build_area_estimates,
)

SOURCE_CONTINUITY = Asset(
    room="validation",
    name="source_continuity",
    description="Mapped area and overlap of the reference year between products, on the same pixels, each ground once.",
    deps=(
        Dep(REFERENCE_MASKS, optional=True),
        Dep(SITES, optional=True, triggers=False),
        Dep(OWNED_GROUND, optional=True, triggers=False),
        Dep(TRAINING_CHIPS, optional=True, triggers=False),
        Dep(REFERENCE_COMPOSITES, optional=True, triggers=False),
        Dep(COUNTRY_BOUNDARIES, optional=True, triggers=False),
        Dep(PROMOTED_MODEL, optional=True, triggers=False),
    ),
    settings=_continuity_settings,
    code_version="2",
    automated=True,
    columns=ColumnFacts(CONTINUITY_COLUMNS),
    headline=_effect_of_swaps,
    picture=_step_picture,
    build=_build_source_continuity,
)

SERIES_BREAK = Asset(
    room="validation",
    name="series_break",
    description="Every change of source, product, season or series from year to year, with the step that it makes.",
    deps=(
        Dep(COMPOSITES, optional=True),
        Dep(SOURCE_CONTINUITY, optional=True),
        Dep(SERIES, optional=True),
        Dep(COUNTRY_SUMMARY, optional=True),
    ),
    settings=lambda project, _: {"regions": _outlines_of_regions(project)},
    automated=True,
    columns=ColumnFacts(BREAK_COLUMNS),
    headline=_breaks_in_words,
    build=_build_series_break,
)

ROOM = Room("validation", (REFERENCE_VALIDATION, AREA_ESTIMATES, SOURCE_CONTINUITY, SERIES_BREAK))
