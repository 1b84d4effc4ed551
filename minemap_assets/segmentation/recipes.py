"""Recipes of the room segmentation: the model, its evaluation and promotion, and the masks it gives."""

from minemap_assets.chips.reader import ChipSet, open_chips
from minemap_assets.geo.vector import read_geoparquet
from minemap_assets.graph.recipes import Keys, Kitchen, Recipe
from minemap_assets.lake.manifests import Outcome, PartitionRef
from minemap_assets.project.project import Project

ROOM = "segmentation"
MODEL = PartitionRef(ROOM, "segmentation_model")
PROMOTED = PartitionRef(ROOM, "promoted_model")


def _training_chips(project: Project, _: Keys) -> list[PartitionRef]:
    products, regions = project.training_products(), project.training_regions()
    return [PartitionRef("chips", "training_chips", (p, r)) for r in sorted(regions) for p in sorted(products)]


def _chip_sets(kitchen: Kitchen) -> list[ChipSet]:
    refs = _training_chips(kitchen.project, kitchen.keys)
    return [open_chips(kitchen.inputs[ref]) for ref in refs]


def _build_model(kitchen: Kitchen) -> Outcome:
    from minemap_assets.segmentation.training import train_model

    refs = _training_chips(kitchen.project, kitchen.keys)
    inputs = {str(ref): kitchen.inputs[ref].manifest.content for ref in refs}
    config = kitchen.project.settings.segmentation
    return train_model(_chip_sets(kitchen), config, kitchen.writer, inputs, progress=kitchen.progress)


def _build_evaluation(kitchen: Kitchen) -> Outcome:
    from minemap_assets.segmentation.evaluation import evaluate_model

    config = kitchen.project.settings.segmentation
    return evaluate_model(kitchen.inputs[MODEL], _chip_sets(kitchen), config, kitchen.writer)


def _build_promotion(kitchen: Kitchen) -> Outcome:
    from minemap_assets.segmentation.promotion import promote_model

    return promote_model(kitchen.inputs[MODEL], kitchen.writer)


def _build_masks(kitchen: Kitchen, region: str, chips: ChipSet) -> Outcome:
    from minemap_assets.segmentation.masks import build_masks

    sites = read_geoparquet(kitchen.read("sites", "sites", region).file("sites.parquet"))
    config = kitchen.project.settings.segmentation
    return build_masks(sites, chips, kitchen.inputs[PROMOTED], config, kitchen.writer, progress=kitchen.progress)


def _build_raw_masks(kitchen: Kitchen) -> Outcome:
    region, year = kitchen.keys
    return _build_masks(kitchen, region, open_chips(kitchen.read("chips", "chips", region, year)))


def _build_reference_masks(kitchen: Kitchen) -> Outcome:
    product, region = kitchen.keys
    return _build_masks(kitchen, region, open_chips(kitchen.read("chips", "training_chips", product, region)))


SEGMENTATION_MODEL = Recipe(
    ROOM,
    "segmentation_model",
    "2",
    _build_model,
    needs=_training_chips,
    config=lambda project, _: project.settings.segmentation.training_settings(),
)
MODEL_EVALUATION = Recipe(
    ROOM,
    "model_evaluation",
    "1",
    _build_evaluation,
    needs=lambda project, keys: [MODEL, *_training_chips(project, keys)],
)
PROMOTED_MODEL = Recipe(ROOM, "promoted_model", "1", _build_promotion, needs=lambda _, __: [MODEL])
RAW_MASKS = Recipe(
    ROOM,
    "raw_masks",
    "1",
    _build_raw_masks,
    needs=lambda _, keys: [
        PartitionRef("chips", "chips", keys),
        PartitionRef("sites", "sites", keys[:1]),
        PROMOTED,
    ],
    config=lambda project, _: project.settings.segmentation.mask_settings(),
)
REFERENCE_MASKS = Recipe(
    ROOM,
    "reference_masks",
    "1",
    _build_reference_masks,
    needs=lambda _, keys: [
        PartitionRef("chips", "training_chips", keys),
        PartitionRef("sites", "sites", keys[1:]),
        PROMOTED,
    ],
    config=lambda project, _: project.settings.segmentation.mask_settings(),
)
