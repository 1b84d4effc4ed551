"""The room snapshots: scans of one-off seasons, outside the series of years."""

from typing import Any

import dagster as dg

from minemap_assets.detection import schemas
from minemap_assets.detection.artefact import told_verdict
from minemap_assets.detection.checks import DETECTION_CHECKS, SCORE_CHECKS, TILE_CHECKS
from minemap_assets.detection.classifier_assets import PATCH_CLASSIFIER
from minemap_assets.detection.dependencies import (
    has_classifier,
    rule_settings,
    scan_bands,
    scan_product,
    score_settings,
)
from minemap_assets.detection.scans import (
    build_found,
    build_scores,
    build_tiles,
    found_picture,
    scores_picture,
    tiles_picture,
)
from minemap_assets.graph.context import BuildContext, Keys
from minemap_assets.graph.partitioning import Dimension, Partitioning, region_dimension
from minemap_assets.graph.statement import Asset, ColumnFacts, Dep, Job, Room
from minemap_assets.imagery.assets import FETCHING_POOL, composites_request
from minemap_assets.imagery.seasons import Season
from minemap_assets.lake.manifests import Outcome
from minemap_assets.polygons.assets import column_facts
from minemap_assets.polygons.schemas import TableSpec
from minemap_assets.project.project import Project
from minemap_assets.project.settings import Section
from minemap_assets.reference.assets import COUNTRY_BOUNDARIES
from minemap_assets.segmentation.assets import ACCELERATED, GPU_POOL
from minemap_assets.snapshots.config import SnapshotsConfig

SNAPSHOT = Job("snapshot", "Scan one region in a season that belongs to no series.")


def _names(project: Project) -> list[str]:
    return sorted(project.section(SnapshotsConfig).seasons)


def _season(project: Project, name: str) -> Season:
    return project.section(SnapshotsConfig).seasons[name].season


def has_snapshots(project: Project) -> bool:
    """Whether there is something to scan, and something to scan with."""
    return bool(_names(project)) and has_classifier(project)


_snapshot = Dimension("snapshot", _names, lambda project: dg.StaticPartitionsDefinition(_names(project)))
_by_region_and_snapshot = Partitioning((region_dimension, _snapshot))


def _imagery_settings(project: Project, keys: Keys) -> Any:
    region, season = keys[0], _season(project, keys[1])
    product, bands = scan_product(project), scan_bands(project)
    request = composites_request(project, region, season.year, product, bands, once=season)
    return {"region": project.region(region).outline, "imagery": request}


def _build_imagery(context: BuildContext) -> Outcome:
    season = _season(context.project, context.keys[1])
    return build_tiles(context, season.year, once=season)


def _build_detections(context: BuildContext) -> Outcome:
    return build_found(context, _season(context.project, context.keys[1]).year, SNAPSHOT_SCORES)


def _described(*specs: TableSpec) -> ColumnFacts:
    """Columns in words; where they come from is said of the yearly assets."""
    return ColumnFacts(column_facts(*specs).descriptions)


SNAPSHOT_IMAGERY = Asset(
    room="snapshots",
    name="snapshot_imagery",
    description="Composites of a whole region in a one-off season, in tiles of the metric grid of scans.",
    partitions=_by_region_and_snapshot,
    deps=(Dep(COUNTRY_BOUNDARIES, triggers=False),),
    settings=_imagery_settings,
    kinds=frozenset({"geotiff"}),
    pool=FETCHING_POOL,
    job=SNAPSHOT,
    fetched=True,
    applies=has_snapshots,
    picture=tiles_picture,
    checks=TILE_CHECKS,
    build=_build_imagery,
)

SNAPSHOT_SCORES = Asset(
    room="snapshots",
    name="snapshot_scores",
    description="What each member of the classifier says of every patch in a one-off season, or that it was not seen.",
    partitions=_by_region_and_snapshot,
    deps=(Dep(SNAPSHOT_IMAGERY), Dep(PATCH_CLASSIFIER), Dep(COUNTRY_BOUNDARIES, triggers=False)),
    settings=score_settings,
    pool=GPU_POOL,
    op_tags=ACCELERATED,
    columns=_described(schemas.PATCH_SCORES),
    job=SNAPSHOT,
    applies=has_snapshots,
    picture=scores_picture,
    checks=SCORE_CHECKS,
    build=lambda context: build_scores(context, SNAPSHOT_IMAGERY),
)

SNAPSHOT_DETECTIONS = Asset(
    room="snapshots",
    name="snapshot_detections",
    description="Patches that pass the rule in a one-off season, joined to outlines; they enter no series.",
    partitions=_by_region_and_snapshot,
    deps=(
        Dep(SNAPSHOT_SCORES),
        Dep(SNAPSHOT_IMAGERY, optional=True, triggers=False),
        Dep(PATCH_CLASSIFIER, triggers=False),
        Dep(COUNTRY_BOUNDARIES),
    ),
    settings=rule_settings,
    columns=_described(schemas.DETECTIONS, schemas.PATCHES, schemas.UNSEEN),
    job=SNAPSHOT,
    applies=has_snapshots,
    headline=told_verdict,
    picture=lambda partition, context: found_picture(partition, context, SNAPSHOT_IMAGERY),
    checks=DETECTION_CHECKS,
    build=_build_detections,
)

ROOM = Room(
    "snapshots",
    (SNAPSHOT_IMAGERY, SNAPSHOT_SCORES, SNAPSHOT_DETECTIONS),
    on_request=True,
    sections=(Section("snapshots", SnapshotsConfig),),
)
