"""The classifier's part of the room detection: pictures of sampling points, and what is learnt or imported."""

from typing import TYPE_CHECKING

from minemap_assets.detection.artefact import told_verdict
from minemap_assets.detection.dependencies import (
    classifier_settings,
    config_of,
    has_classifier,
    points_of,
    sampling_request,
    scan_bands,
    scan_product,
)
from minemap_assets.detection.published import WEIGHTS_PATH, imported_facts
from minemap_assets.detection.sampling_points import registered_points
from minemap_assets.errors import BadInputError
from minemap_assets.graph.context import BuildContext, InputContext
from minemap_assets.graph.partitioning import REGION, REGION_KEYS, Dimension, Partitioning
from minemap_assets.graph.statement import Asset, Dep, Job
from minemap_assets.imagery.assets import FETCHING_POOL, build_composites
from minemap_assets.imagery.reader import open_imagery
from minemap_assets.imagery.rules import reference_year_of
from minemap_assets.lake.manifests import Outcome
from minemap_assets.lake.partitions import Partition
from minemap_assets.segmentation.assets import ACCELERATED, GPU_POOL

if TYPE_CHECKING:
    from minemap_assets.detection.point_chips import PointChips

LEARN = Job("patch_training", "Fetch the sampling points of one region, or make the patch classifier.")


def _points_picture(partition: Partition, _: InputContext) -> bytes:
    from minemap_assets.imagery.drawing import imagery_picture

    return imagery_picture(partition, "point")


_sampling_region = Dimension(
    REGION, lambda project: list(points_of(project)), lambda _: REGION_KEYS, chosen=lambda _: True
)


def _build_sampling(context: BuildContext) -> Outcome:
    from minemap_assets.detection.point_chips import point_table

    (region,), project = context.keys, context.project
    points = points_of(project)
    if region not in points:
        raise BadInputError(f"the region {region} holds no sampling point; leave it out, or register points in it")
    return build_composites(
        context,
        point_table(points[region]),
        region,
        reference_year_of(project, project.region(region)),
        scan_product(project),
        scan_bands(project),
        unit="point",
    )


SAMPLING_IMAGERY = Asset(
    room="detection",
    name="sampling_imagery",
    description="What the reference year shows around each sampling point of a region, to learn from and to judge by.",
    partitions=Partitioning((_sampling_region,)),
    settings=sampling_request,
    kinds=frozenset({"geotiff"}),
    pool=FETCHING_POOL,
    job=LEARN,
    fetched=True,
    applies=has_classifier,
    picture=_points_picture,
    build=_build_sampling,
)


def _point_chips(context: BuildContext) -> "PointChips | None":
    from minemap_assets.detection.point_chips import read_chips

    points, project = registered_points(context.project), context.project
    found = [open_imagery(partition) for partition in context.inputs_of(SAMPLING_IMAGERY).values()]
    if points is None or not found:
        return None
    config = config_of(project)
    seen = config.min_observed_share, config.min_observations
    return read_chips(found, points, scan_product(project), scan_bands(project), *seen)


def _build_classifier(context: BuildContext) -> Outcome:
    from minemap_assets.detection.classifier import build_imported, build_trained

    project = context.project
    facts, weights, points = imported_facts(project), project.input(WEIGHTS_PATH), _point_chips(context)
    if facts is not None and weights is not None:
        return build_imported(weights, facts, points, context.writer)
    if points is None:
        raise BadInputError("the project has no classifier; import weights with `minemap scan weights FILE`")
    inputs = {str(ref): one.manifest.content for ref, one in context.inputs_of(SAMPLING_IMAGERY).items()}
    tell = project.listener.noticed
    return build_trained(points, inputs, config_of(project), context.writer, progress=context.progress, tell=tell)


PATCH_CLASSIFIER = Asset(
    room="detection",
    name="patch_classifier",
    description="The classifier that says of a square of 480 m whether it shows a mine, with its licence and verdict.",
    deps=(Dep(SAMPLING_IMAGERY),),
    settings=classifier_settings,
    kinds=frozenset({"safetensors"}),
    pool=GPU_POOL,
    op_tags=ACCELERATED,
    job=LEARN,
    applies=has_classifier,
    headline=told_verdict,
    build=_build_classifier,
)
