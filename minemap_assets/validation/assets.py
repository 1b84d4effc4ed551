"""The room validation: how far the maps can be trusted."""

from typing import Any

from minemap_assets.geo.vector import read_geoparquet
from minemap_assets.graph.context import BuildContext
from minemap_assets.graph.statement import Asset, ColumnFacts, Dep, Room
from minemap_assets.lake.manifests import Outcome
from minemap_assets.lake.partitions import Partition
from minemap_assets.reference.assets import VALIDATION_POINTS
from minemap_assets.segmentation.assets import REFERENCE_MASKS
from minemap_assets.sites.assets import GROUND_TRUTH
from minemap_assets.tables.assets import POLYGON_TABLE


def _build_reference_validation(context: BuildContext) -> Outcome:
    import numpy as np

    from minemap_assets.validation.points import YearMap, build_reference_validation

    points = read_geoparquet(context.input(VALIDATION_POINTS).file("points.parquet"))
    maps = [
        YearMap("mapped", int(ref.keys[0]), read_geoparquet(table.file("polygons.parquet")).geometry.to_numpy())
        for ref, table in context.inputs_of(POLYGON_TABLE).items()
    ]
    truths = [_labels(truth) for truth in context.inputs_of(GROUND_TRUTH).values()]
    if truths:
        together = np.concatenate(truths)
        maps += [YearMap("ground truth", int(year), together) for year in sorted(set(points["year"]))]
    return build_reference_validation(points, maps, context.writer)


def _labels(truth: Partition) -> Any:
    frame = read_geoparquet(truth.file("ground_truth.parquet"))
    return frame[frame["layer"] == "labels"].geometry.to_numpy()


def _build_source_continuity(context: BuildContext) -> Outcome:
    from minemap_assets.validation.continuity import build_source_continuity

    masks = {(ref.keys[0], ref.keys[1]): part for ref, part in context.inputs_of(REFERENCE_MASKS).items()}
    return build_source_continuity(masks, context.writer)


REFERENCE_VALIDATION = Asset(
    room="validation",
    name="reference_validation",
    description="Accuracy of every year's map and of the ground truth at labelled points, with intervals.",
    deps=(Dep(VALIDATION_POINTS), Dep(GROUND_TRUTH, optional=True), Dep(POLYGON_TABLE, optional=True)),
    automated=True,
    columns=ColumnFacts(
        {
            "map": "`mapped`, or `ground truth` for the outlines that the model learnt from",
            "accuracy_low": "Lower end of the 95 % interval of the accuracy",
            "accuracy_high": "Upper end of the 95 % interval of the accuracy",
            "matthews": "Matthews correlation coefficient, -1 to 1",
        }
    ),
    build=_build_reference_validation,
)

SOURCE_CONTINUITY = Asset(
    room="validation",
    name="source_continuity",
    description="Mapped area and overlap of the reference year between products, site by site on the same pixels.",
    deps=(Dep(REFERENCE_MASKS, optional=True),),
    automated=True,
    columns=ColumnFacts(
        {
            "other_product": "The product that is compared with it",
            "observed_km2": "Area that both products observed, in square kilometres",
            "area_km2": "Area of it that is mine in the first product, in square kilometres",
            "other_km2": "Area of it that is mine in the other product, in square kilometres",
            "both_km2": "Area of it that is mine in both, in square kilometres",
            "area_ratio": "Area in the other product divided by that in the first; null where that is zero",
            "iou": "Intersection over union of the two masks, 0 to 1",
        }
    ),
    build=_build_source_continuity,
)

ROOM = Room("validation", (REFERENCE_VALIDATION, SOURCE_CONTINUITY))
