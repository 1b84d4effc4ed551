"""Recipes of the room chips: model inputs of a year, and labelled ones of the reference year."""

from minemap_assets.geo.vector import read_geoparquet
from minemap_assets.graph.recipes import Kitchen, Recipe
from minemap_assets.lake.manifests import Outcome, PartitionRef

ROOM = "chips"


def _build_chips(kitchen: Kitchen) -> Outcome:
    from minemap_assets.chips.build import build_chips
    from minemap_assets.imagery.reader import open_imagery

    region, year = kitchen.keys
    sites = read_geoparquet(kitchen.read("sites", "sites", region).file("sites.parquet"))
    imagery = open_imagery(kitchen.read("imagery", "imagery", region, year))
    return build_chips(sites, imagery, kitchen.project.settings.chips, kitchen.writer, progress=kitchen.progress)


def _build_training_chips(kitchen: Kitchen) -> Outcome:
    from minemap_assets.chips.build import build_training_chips
    from minemap_assets.imagery.reader import open_imagery

    product, region = kitchen.keys
    sites = read_geoparquet(kitchen.read("sites", "sites", region).file("sites.parquet"))
    # A promoted site has no ground truth: cut for training, its mine would be taught as background.
    sites = sites[sites["origin"] == "reference"]
    truth = read_geoparquet(kitchen.read("sites", "ground_truth", region).file("ground_truth.parquet"))
    imagery = open_imagery(kitchen.read("imagery", "reference_imagery", product, region))
    config = kitchen.project.settings.chips
    return build_training_chips(sites, imagery, truth, config, kitchen.writer, progress=kitchen.progress)


CHIPS = Recipe(
    ROOM,
    "chips",
    "1",
    _build_chips,
    needs=lambda _, keys: [PartitionRef("imagery", "imagery", keys), PartitionRef("sites", "sites", keys[:1])],
    config=lambda project, _: project.settings.chips.model_dump(mode="json"),
)
TRAINING_CHIPS = Recipe(
    ROOM,
    "training_chips",
    "2",
    _build_training_chips,
    needs=lambda _, keys: [
        PartitionRef("imagery", "reference_imagery", keys),
        PartitionRef("sites", "sites", keys[1:]),
        PartitionRef("sites", "ground_truth", keys[1:]),
    ],
    config=lambda project, _: project.settings.chips.model_dump(mode="json"),
)
