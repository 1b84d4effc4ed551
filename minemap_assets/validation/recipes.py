"""Recipes of the room validation: points against maps, and product against product."""

from typing import Any

from minemap_assets.geo.vector import read_geoparquet
from minemap_assets.graph.recipes import Keys, Kitchen, Recipe
from minemap_assets.lake.manifests import Outcome, PartitionRef
from minemap_assets.project.project import Project

ROOM = "validation"
POINTS = PartitionRef("reference", "validation_points")


def _points(_: Project, __: Keys) -> list[PartitionRef]:
    return [POINTS]


def _maps(project: Project, _: Keys) -> list[PartitionRef]:
    return [m.ref for m in project.lake.manifests("tables", "polygons")]


def _truths(project: Project, _: Keys) -> list[PartitionRef]:
    return [PartitionRef("sites", "ground_truth", (slug,)) for slug in project.active_regions()]


def _build_reference_validation(kitchen: Kitchen) -> Outcome:
    import numpy as np

    from minemap_assets.validation.points import YearMap, build_reference_validation

    points = read_geoparquet(kitchen.inputs[POINTS].file("points.parquet"))
    maps = [
        YearMap("mapped", int(ref.keys[0]), _shapes(kitchen.inputs[ref].file("polygons.parquet")))
        for ref in _maps(kitchen.project, kitchen.keys)
        if ref in kitchen.inputs
    ]
    truths = [
        _labels(kitchen.inputs[ref].file("ground_truth.parquet"))
        for ref in _truths(kitchen.project, kitchen.keys)
        if ref in kitchen.inputs
    ]
    if truths:
        together = np.concatenate(truths)
        maps += [YearMap("ground truth", int(year), together) for year in sorted(set(points["year"]))]
    return build_reference_validation(points, maps, kitchen.writer)


def _shapes(path: Any) -> Any:
    return read_geoparquet(path).geometry.to_numpy()


def _labels(path: Any) -> Any:
    frame = read_geoparquet(path)
    return frame[frame["layer"] == "labels"].geometry.to_numpy()


def _masks(project: Project, _: Keys) -> list[PartitionRef]:
    products, regions = project.training_products(), project.training_regions()
    return [PartitionRef("segmentation", "reference_masks", (p, r)) for p in products for r in regions]


def _build_source_continuity(kitchen: Kitchen) -> Outcome:
    from minemap_assets.validation.continuity import build_source_continuity

    masks = {(ref.keys[0], ref.keys[1]): part for ref, part in kitchen.inputs.items()}
    return build_source_continuity(masks, kitchen.writer)


REFERENCE_VALIDATION = Recipe(
    ROOM,
    "reference_validation",
    "1",
    _build_reference_validation,
    needs=_points,
    reads=lambda project, keys: [*_maps(project, keys), *_truths(project, keys)],
)
SOURCE_CONTINUITY = Recipe(ROOM, "source_continuity", "1", _build_source_continuity, reads=_masks)
