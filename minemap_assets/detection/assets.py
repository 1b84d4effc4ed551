"""The room detection: the patch classifier, scans of whole regions, and candidates for new sites."""

from typing import Any

import geopandas as gpd

from minemap_assets.detection import schemas
from minemap_assets.detection.config import DetectionConfig
from minemap_assets.detection.published import WEIGHTS_PATH, imported_facts
from minemap_assets.geo.vector import read_geoparquet
from minemap_assets.graph.context import BuildContext, Keys
from minemap_assets.graph.partitioning import by_region, by_region_and_year
from minemap_assets.graph.statement import Asset, Dep, Job, Room
from minemap_assets.imagery.assets import FETCHING_POOL, build_composites, composites_request
from minemap_assets.imagery.reader import open_imagery
from minemap_assets.lake.manifests import Manifest, Outcome
from minemap_assets.lake.partitions import Partition
from minemap_assets.polygons.assets import column_facts
from minemap_assets.project.project import Project
from minemap_assets.project.settings import Section
from minemap_assets.reference.assets import COUNTRY_BOUNDARIES
from minemap_assets.segmentation.assets import ACCELERATED, GPU_POOL
from minemap_assets.sites.assets import SITES

SCAN = Job("scan", "Scan one region in one year for mines that nobody knows of.")


def has_classifier(project: Project) -> bool:
    """Whether a project can scan at all: until weights were imported, nothing of this room is made."""
    return project.input(WEIGHTS_PATH) is not None


def _config(project: Project) -> DetectionConfig:
    return project.section(DetectionConfig)


def _told_verdict(_: Project, manifest: Manifest) -> dict[str, str]:
    verdict = manifest.summary.get("verdict")
    return {} if verdict is None else {"verdict": str(verdict)}


def _classifier_settings(project: Project, _: Keys) -> Any:
    facts = imported_facts(project)
    return {} if facts is None else facts.model_dump(mode="json")


def _build_classifier(context: BuildContext) -> Outcome:
    from minemap_assets.detection.classifier import build_imported
    from minemap_assets.errors import BadInputError

    facts, weights = imported_facts(context.project), context.project.input(WEIGHTS_PATH)
    if facts is None or weights is None:
        raise BadInputError("the project has no classifier; import weights with `minemap scan weights FILE`")
    return build_imported(weights, facts, context.writer)


PATCH_CLASSIFIER = Asset(
    room="detection",
    name="patch_classifier",
    description="The classifier that says of a square of 480 m whether it shows a mine, with its licence and verdict.",
    settings=_classifier_settings,
    kinds=frozenset({"safetensors"}),
    pool=GPU_POOL,
    op_tags=ACCELERATED,
    automated=True,
    applies=has_classifier,
    headline=_told_verdict,
    build=_build_classifier,
)


def _scan_bands(project: Project) -> tuple[str, ...]:
    """Bands that a scan fetches: those that the classifier reads, or those that are set."""
    facts = imported_facts(project)
    config = _config(project)
    return config.bands or (facts.bands if facts is not None else ())


def _scan_product(project: Project) -> str:
    facts = imported_facts(project)
    return facts.product if facts is not None else _config(project).product


def _scan_settings(project: Project, keys: Keys) -> Any:
    region, year = keys
    return {
        "region": project.region(region).outline,
        "imagery": composites_request(project, region, int(year), _scan_product(project), _scan_bands(project)),
    }


def _boundaries(context: BuildContext) -> gpd.GeoDataFrame:
    return read_geoparquet(context.input(COUNTRY_BOUNDARIES).file("boundaries.parquet"))


def _build_scan(context: BuildContext) -> Outcome:
    from minemap_assets.detection.tiles import land_tiles, tile_table

    region, year = context.keys
    project = context.project
    return build_composites(
        context,
        tile_table(land_tiles(project.region(region), _boundaries(context))),
        region,
        int(year),
        _scan_product(project),
        _scan_bands(project),
        unit="tile",
    )


SCAN_IMAGERY = Asset(
    room="detection",
    name="scan_imagery",
    description="Composites of a whole region and year in tiles of one metric grid, with clear observations a pixel.",
    partitions=by_region_and_year,
    deps=(Dep(COUNTRY_BOUNDARIES, triggers=False),),
    settings=_scan_settings,
    kinds=frozenset({"geotiff"}),
    pool=FETCHING_POOL,
    job=SCAN,
    fetched=True,
    applies=has_classifier,
    build=_build_scan,
)


def _score_settings(project: Project, keys: Keys) -> Any:
    return {
        "region": project.region(keys[0]).outline,
        "detection": _config(project).model_dump(mode="json", include={"min_observed_share", "min_observations"}),
    }


def _build_scores(context: BuildContext) -> Outcome:
    from minemap_assets.detection.artefact import load_classifier
    from minemap_assets.detection.patch_scores import build_patch_scores
    from minemap_assets.detection.tiles import land_tiles

    region = context.project.region(context.keys[0])
    return build_patch_scores(
        region.geometry,
        [tile.name for tile in land_tiles(region, _boundaries(context))],
        open_imagery(context.input(SCAN_IMAGERY)),
        load_classifier(context.input(PATCH_CLASSIFIER)),
        _config(context.project),
        context.writer,
        progress=context.progress,
    )


PATCH_SCORES = Asset(
    room="detection",
    name="patch_scores",
    description="What each member of the classifier says of every patch of a region and year, or that it was not seen.",
    partitions=by_region_and_year,
    deps=(Dep(SCAN_IMAGERY), Dep(PATCH_CLASSIFIER), Dep(COUNTRY_BOUNDARIES, triggers=False)),
    settings=_score_settings,
    pool=GPU_POOL,
    op_tags=ACCELERATED,
    columns=column_facts(schemas.PATCH_SCORES),
    automated=True,
    job=SCAN,
    applies=has_classifier,
    build=_build_scores,
)


def _rule_settings(project: Project, keys: Keys) -> Any:
    names = {"preset", "threshold", "isolated"}
    return {
        "region": project.region(keys[0]).outline,
        "detection": _config(project).model_dump(mode="json", include=names, exclude_none=True),
    }


def _build_detections(context: BuildContext) -> Outcome:
    from minemap_assets.detection.artefact import read_card
    from minemap_assets.detection.detections import build_detections

    region, year = context.keys
    return build_detections(
        context.project.region(region),
        int(year),
        context.input(PATCH_SCORES),
        read_card(context.input(PATCH_CLASSIFIER)),
        _boundaries(context),
        _config(context.project),
        context.writer,
    )


DETECTIONS = Asset(
    room="detection",
    name="detections",
    description="Patches of a region and year that pass the rule, joined to outlines, and the ground not observed.",
    partitions=by_region_and_year,
    deps=(Dep(PATCH_SCORES), Dep(PATCH_CLASSIFIER, triggers=False), Dep(COUNTRY_BOUNDARIES)),
    settings=_rule_settings,
    columns=column_facts(schemas.DETECTIONS, schemas.PATCHES, schemas.UNSEEN),
    automated=True,
    job=SCAN,
    applies=has_classifier,
    headline=_told_verdict,
    build=_build_detections,
)


def _by_year(context: BuildContext) -> dict[int, Partition]:
    return {int(ref.keys[1]): partition for ref, partition in context.inputs_of(DETECTIONS).items()}


def _build_cumulative(context: BuildContext) -> Outcome:
    from minemap_assets.detection.artefact import read_card
    from minemap_assets.detection.cumulative import build_cumulative

    card = read_card(context.input(PATCH_CLASSIFIER))
    return build_cumulative(context.keys[0], _by_year(context), card, _config(context.project), context.writer)


CUMULATIVE_DETECTIONS = Asset(
    room="detection",
    name="cumulative_detections",
    description="All detections of a region through each year, and what each year adds to those before it.",
    partitions=by_region,
    deps=(Dep(DETECTIONS, optional=True), Dep(PATCH_CLASSIFIER, triggers=False)),
    settings=_rule_settings,
    columns=column_facts(schemas.CUMULATIVE, schemas.ADDED),
    automated=True,
    job=SCAN,
    applies=has_classifier,
    headline=_told_verdict,
    build=_build_cumulative,
)


def _build_candidates(context: BuildContext) -> Outcome:
    from minemap_assets.detection.artefact import read_card
    from minemap_assets.detection.candidates import build_candidates

    return build_candidates(
        context.keys[0],
        _by_year(context),
        read_geoparquet(context.input(SITES).file("sites.parquet")),
        _boundaries(context),
        read_card(context.input(PATCH_CLASSIFIER)),
        _config(context.project).far_metres,
        context.writer,
    )


CANDIDATE_SITES = Asset(
    room="detection",
    name="candidate_sites",
    description="Detections of any year outside the windows of all known sites, for a person or a rule to decide on.",
    partitions=by_region,
    deps=(Dep(DETECTIONS, optional=True), Dep(SITES), Dep(PATCH_CLASSIFIER, triggers=False), Dep(COUNTRY_BOUNDARIES)),
    settings=lambda project, _: {"far_metres": _config(project).far_metres},
    columns=column_facts(schemas.CANDIDATES),
    automated=True,
    job=SCAN,
    applies=has_classifier,
    headline=_told_verdict,
    build=_build_candidates,
)

ROOM = Room(
    "detection",
    (PATCH_CLASSIFIER, SCAN_IMAGERY, PATCH_SCORES, DETECTIONS, CUMULATIVE_DETECTIONS, CANDIDATE_SITES),
    sections=(Section("detection", DetectionConfig),),
)
