"""The room detection: the patch classifier, scans of whole regions, and candidates for new sites."""

from typing import TYPE_CHECKING

from minemap_assets.detection import schemas
from minemap_assets.detection.artefact import told_verdict
from minemap_assets.detection.checks import DETECTION_CHECKS, SCORE_CHECKS, TILE_CHECKS
from minemap_assets.detection.classifier_assets import PATCH_CLASSIFIER, SAMPLING_IMAGERY
from minemap_assets.detection.config import DetectionConfig
from minemap_assets.detection.dependencies import (
    config_of,
    has_classifier,
    overlay_settings,
    rule_settings,
    sample_settings,
    scan_settings,
    score_settings,
)
from minemap_assets.detection.overlays import registered_overlays
from minemap_assets.detection.scans import (
    boundaries_of,
    build_found,
    build_scores,
    build_tiles,
    found_picture,
    scores_picture,
    tiles_picture,
)
from minemap_assets.geo.vector import read_geoparquet
from minemap_assets.graph.context import BuildContext, InputContext
from minemap_assets.graph.partitioning import (
    by_region,
    by_region_and_year,
    by_year,
)
from minemap_assets.graph.statement import Asset, Dep, Job, Room
from minemap_assets.imagery.assets import FETCHING_POOL
from minemap_assets.imagery.reader import open_imagery
from minemap_assets.lake.manifests import Outcome
from minemap_assets.lake.partitions import Partition
from minemap_assets.polygons.assets import MINING_POLYGONS, column_facts
from minemap_assets.project.settings import Section
from minemap_assets.reference.assets import COUNTRY_BOUNDARIES
from minemap_assets.segmentation.assets import ACCELERATED, GPU_POOL
from minemap_assets.sites.assets import SITES

if TYPE_CHECKING:
    from minemap_assets.detection.ground import Ground

SCAN = Job("scan", "Scan one region in one year for mines that nobody knows of.")
SCAN_SERIES = Job("scan_series", "Put the scanned years of one region together, and look for candidates for new sites.")
SCAN_REPORT = Job("scan_report", "Sum up all detections, or draw a sample of a year's patches for labelling.")


SCAN_IMAGERY = Asset(
    room="detection",
    name="scan_imagery",
    description="Composites of a whole region and year in tiles of one metric grid, with clear observations a pixel.",
    partitions=by_region_and_year,
    deps=(Dep(COUNTRY_BOUNDARIES, triggers=False),),
    settings=scan_settings,
    kinds=frozenset({"geotiff"}),
    pool=FETCHING_POOL,
    job=SCAN,
    fetched=True,
    applies=has_classifier,
    picture=tiles_picture,
    checks=TILE_CHECKS,
    build=lambda context: build_tiles(context, int(context.keys[1])),
)


PATCH_SCORES = Asset(
    room="detection",
    name="patch_scores",
    description="What each member of the classifier says of every patch of a region and year, or that it was not seen.",
    partitions=by_region_and_year,
    deps=(Dep(SCAN_IMAGERY), Dep(PATCH_CLASSIFIER), Dep(COUNTRY_BOUNDARIES, triggers=False)),
    settings=score_settings,
    pool=GPU_POOL,
    op_tags=ACCELERATED,
    columns=column_facts(schemas.PATCH_SCORES),
    automated=True,
    job=SCAN,
    applies=has_classifier,
    picture=scores_picture,
    checks=SCORE_CHECKS,
    build=lambda context: build_scores(context, SCAN_IMAGERY),
)


DETECTIONS = Asset(
    room="detection",
    name="detections",
    description="Patches of a region and year that pass the rule, joined to outlines, and the ground not observed.",
    partitions=by_region_and_year,
    deps=(
        Dep(PATCH_SCORES),
        Dep(SCAN_IMAGERY, optional=True, triggers=False),
        Dep(PATCH_CLASSIFIER, triggers=False),
        Dep(COUNTRY_BOUNDARIES),
    ),
    settings=rule_settings,
    columns=column_facts(schemas.DETECTIONS, schemas.PATCHES, schemas.UNSEEN),
    automated=True,
    job=SCAN,
    applies=has_classifier,
    headline=told_verdict,
    picture=lambda partition, context: found_picture(partition, context, SCAN_IMAGERY),
    checks=DETECTION_CHECKS,
    build=lambda context: build_found(context, int(context.keys[1]), PATCH_SCORES),
)


def _years(context: BuildContext) -> dict[int, Partition]:
    return {int(ref.keys[1]): partition for ref, partition in context.inputs_of(DETECTIONS).items()}


def _build_cumulative(context: BuildContext) -> Outcome:
    from minemap_assets.detection.artefact import read_card
    from minemap_assets.detection.cumulative import build_cumulative

    card = read_card(context.input(PATCH_CLASSIFIER))
    return build_cumulative(context.keys[0], _years(context), card, config_of(context.project), context.writer)


CUMULATIVE_DETECTIONS = Asset(
    room="detection",
    name="cumulative_detections",
    description="All detections of a region through each year, and what each year adds to those before it.",
    partitions=by_region,
    deps=(Dep(DETECTIONS, optional=True), Dep(PATCH_CLASSIFIER, triggers=False)),
    settings=rule_settings,
    columns=column_facts(schemas.CUMULATIVE, schemas.ADDED),
    automated=True,
    job=SCAN_SERIES,
    applies=has_classifier,
    headline=told_verdict,
    build=_build_cumulative,
)


def _build_candidates(context: BuildContext) -> Outcome:
    from minemap_assets.detection.artefact import read_card
    from minemap_assets.detection.candidates import build_candidates

    return build_candidates(
        context.keys[0],
        _years(context),
        read_geoparquet(context.input(SITES).file("sites.parquet")),
        boundaries_of(context),
        read_card(context.input(PATCH_CLASSIFIER)),
        config_of(context.project).far_metres,
        context.writer,
    )


def _grounds(context: InputContext) -> dict[int, "Ground"]:
    """What a region looked like in each scanned year."""
    from minemap_assets.detection.ground import Ground

    images = context.inputs_of(SCAN_IMAGERY)
    return {int(ref.keys[1]): Ground(open_imagery(partition)) for ref, partition in images.items()}


def _candidates_picture(partition: Partition, context: InputContext) -> bytes:
    from minemap_assets.detection.drawing import candidate_sheet

    return candidate_sheet(partition, _grounds(context))


CANDIDATE_SITES = Asset(
    room="detection",
    name="candidate_sites",
    description="Detections of any year outside the windows of all known sites, for a person or a rule to decide on.",
    partitions=by_region,
    deps=(
        Dep(DETECTIONS, optional=True),
        Dep(SCAN_IMAGERY, optional=True, triggers=False),
        Dep(SITES),
        Dep(PATCH_CLASSIFIER, triggers=False),
        Dep(COUNTRY_BOUNDARIES),
    ),
    settings=lambda project, _: {"far_metres": config_of(project).far_metres},
    columns=column_facts(schemas.CANDIDATES),
    automated=True,
    job=SCAN_SERIES,
    applies=has_classifier,
    headline=told_verdict,
    picture=_candidates_picture,
    build=_build_candidates,
)


def _build_sample(context: BuildContext) -> Outcome:
    from minemap_assets.detection.sampling import ScannedRegion, build_sample

    scores, images = (
        {ref.keys: one for ref, one in context.inputs_of(asset).items()} for asset in (PATCH_SCORES, SCAN_IMAGERY)
    )
    regions = [
        ScannedRegion(ref.keys[0], scores[ref.keys], detections, images.get(ref.keys))
        for ref, detections in context.inputs_of(DETECTIONS).items()
        if ref.keys in scores
    ]
    year, config = int(context.keys[0]), config_of(context.project)
    return build_sample(year, regions, config, context.writer, progress=context.progress)


DETECTION_SAMPLE = Asset(
    room="detection",
    name="detection_sample",
    description="Patches of a year drawn for labelling, detected and not, with a picture of each.",
    partitions=by_year,
    deps=(Dep(DETECTIONS, optional=True), Dep(PATCH_SCORES, optional=True), Dep(SCAN_IMAGERY, optional=True)),
    settings=sample_settings,
    kinds=frozenset({"geojson"}),
    job=SCAN_REPORT,
    applies=has_classifier,
    build=_build_sample,
)


def _build_summary(context: BuildContext) -> Outcome:
    from minemap_assets.detection.artefact import read_card
    from minemap_assets.detection.summing_up import build_summary, years_of

    detections, polygons = (
        {ref.keys: one for ref, one in context.inputs_of(asset).items()} for asset in (DETECTIONS, MINING_POLYGONS)
    )
    overlays, card = registered_overlays(context.project), read_card(context.input(PATCH_CLASSIFIER))
    return build_summary(years_of(detections, polygons), overlays, card, context.writer)


DETECTION_SUMMARY = Asset(
    room="detection",
    name="detection_summary",
    description="Detections of every region and year, by country, inside areas of one's own, and by distance to them.",
    deps=(
        Dep(DETECTIONS, optional=True),
        Dep(MINING_POLYGONS, optional=True),
        Dep(PATCH_CLASSIFIER, triggers=False),
    ),
    settings=overlay_settings,
    columns=column_facts(schemas.SUMMARY),
    automated=True,
    job=SCAN_REPORT,
    applies=has_classifier,
    headline=told_verdict,
    build=_build_summary,
)

ROOM = Room(
    "detection",
    (
        SAMPLING_IMAGERY,
        PATCH_CLASSIFIER,
        SCAN_IMAGERY,
        PATCH_SCORES,
        DETECTIONS,
        CUMULATIVE_DETECTIONS,
        CANDIDATE_SITES,
        DETECTION_SAMPLE,
        DETECTION_SUMMARY,
    ),
    on_request=True,
    sections=(Section("detection", DetectionConfig),),
)
