"""The room snapshots: scans of one-off seasons, outside the series of years."""

from typing import Any

import dagster as dg
import geopandas as gpd

from minemap_assets.detection import schemas
from minemap_assets.detection.artefact import told_verdict
from minemap_assets.detection.checks import DETECTION_CHECKS, SCORE_CHECKS, TILE_CHECKS
from minemap_assets.detection.classifier_assets import PATCH_CLASSIFIER
from minemap_assets.detection.dependencies import (
    config_of,
    has_classifier,
    rule_settings,
    scan_bands,
    scan_product,
    score_settings,
)
from minemap_assets.geo.vector import read_geoparquet
from minemap_assets.graph.context import BuildContext, InputContext, Keys
from minemap_assets.graph.partitioning import Dimension, Partitioning, region_dimension
from minemap_assets.graph.statement import Asset, ColumnFacts, Dep, Job, Room
from minemap_assets.imagery.assets import FETCHING_POOL, build_composites, composites_request
from minemap_assets.imagery.reader import open_imagery
from minemap_assets.imagery.seasons import Season
from minemap_assets.lake.manifests import Outcome
from minemap_assets.lake.partitions import Partition
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


def _boundaries(context: BuildContext) -> gpd.GeoDataFrame:
    return read_geoparquet(context.input(COUNTRY_BOUNDARIES).file("boundaries.parquet"))


def _imagery_settings(project: Project, keys: Keys) -> Any:
    region, season = keys[0], _season(project, keys[1])
    product, bands = scan_product(project), scan_bands(project)
    request = composites_request(project, region, season.year, product, bands, once=season)
    return {"region": project.region(region).outline, "imagery": request}


def _build_imagery(context: BuildContext) -> Outcome:
    from minemap_assets.detection.tiles import land_tiles, tile_table

    project, region, season = context.project, context.keys[0], _season(context.project, context.keys[1])
    places = tile_table(land_tiles(project.region(region), _boundaries(context)))
    product, bands = scan_product(project), scan_bands(project)
    return build_composites(context, places, region, season.year, product, bands, unit="tile", once=season)


def _build_scores(context: BuildContext) -> Outcome:
    from minemap_assets.detection.artefact import load_classifier
    from minemap_assets.detection.patch_scores import build_patch_scores
    from minemap_assets.detection.tiles import land_tiles

    region = context.project.region(context.keys[0])
    return build_patch_scores(
        region.geometry,
        [tile.name for tile in land_tiles(region, _boundaries(context))],
        open_imagery(context.input(SNAPSHOT_IMAGERY)),
        load_classifier(context.input(PATCH_CLASSIFIER)),
        config_of(context.project),
        context.writer,
        progress=context.progress,
    )


def _build_detections(context: BuildContext) -> Outcome:
    from minemap_assets.detection.artefact import read_card
    from minemap_assets.detection.detections import build_detections

    return build_detections(
        context.project.region(context.keys[0]),
        _season(context.project, context.keys[1]).year,
        context.input(SNAPSHOT_SCORES),
        read_card(context.input(PATCH_CLASSIFIER)),
        _boundaries(context),
        config_of(context.project),
        context.writer,
    )


def _described(*specs: TableSpec) -> ColumnFacts:
    """Columns in words; where they come from is said of the yearly assets."""
    return ColumnFacts(column_facts(*specs).descriptions)


def _imagery_picture(partition: Partition, _: InputContext) -> bytes:
    from minemap_assets.imagery.drawing import imagery_picture

    return imagery_picture(partition, "tile")


def _scores_picture(partition: Partition, _: InputContext) -> bytes:
    from minemap_assets.detection.drawing import scores_picture

    return scores_picture(partition)


def _detections_picture(partition: Partition, context: InputContext) -> bytes:
    from minemap_assets.detection.drawing import detections_picture
    from minemap_assets.detection.ground import Ground

    images = context.inputs_of(SNAPSHOT_IMAGERY).values()
    return detections_picture(partition, next((Ground(open_imagery(one)) for one in images), None))


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
    picture=_imagery_picture,
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
    picture=_scores_picture,
    checks=SCORE_CHECKS,
    build=_build_scores,
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
    picture=_detections_picture,
    checks=DETECTION_CHECKS,
    build=_build_detections,
)

ROOM = Room(
    "snapshots",
    (SNAPSHOT_IMAGERY, SNAPSHOT_SCORES, SNAPSHOT_DETECTIONS),
    on_request=True,
    sections=(Section("snapshots", SnapshotsConfig),),
)
