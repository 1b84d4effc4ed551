"""The room chips: what the model eats."""

from minemap_assets.chips.checks import CHIP_CHECKS
from minemap_assets.chips.config import ChipsConfig
from minemap_assets.geo.vector import read_geoparquet
from minemap_assets.graph.context import BuildContext
from minemap_assets.graph.partitioning import by_region_and_year
from minemap_assets.graph.statement import Asset, Dep, Room
from minemap_assets.imagery.assets import (
    COMPOSITES,
    REFERENCE_COMPOSITES,
    REFERENCE_UPDATE,
    by_product_and_region,
)
from minemap_assets.lake.manifests import Outcome
from minemap_assets.project.settings import Section
from minemap_assets.sites.assets import GROUND_TRUTH, SITES, sites_of


def _build_chips(context: BuildContext) -> Outcome:
    from minemap_assets.chips.build import build_chips
    from minemap_assets.imagery.reader import open_imagery

    imagery = open_imagery(context.input(COMPOSITES))
    config = context.project.section(ChipsConfig)
    return build_chips(sites_of(context), imagery, config, context.writer, progress=context.progress)


def _build_training_chips(context: BuildContext) -> Outcome:
    from minemap_assets.chips.build import build_chips
    from minemap_assets.imagery.reader import open_imagery

    sites = sites_of(context)
    # A promoted site has no ground truth: cut for training, its mine would be taught as background.
    sites = sites[sites["origin"] == "reference"]
    truth = read_geoparquet(context.input(GROUND_TRUTH).file("ground_truth.parquet"))
    imagery = open_imagery(context.input(REFERENCE_COMPOSITES))
    config = context.project.section(ChipsConfig)
    return build_chips(sites, imagery, config, context.writer, ground_truth=truth, progress=context.progress)


_CUTTING = {"size", "overlap", "bands"}

CHIPS = Asset(
    room="chips",
    name="chips",
    description="Overlapping 512 px model inputs on the 5 m grid of every site of a region and year.",
    partitions=by_region_and_year,
    deps=(Dep(COMPOSITES), Dep(SITES, triggers=False)),
    settings=lambda project, _: project.section(ChipsConfig).model_dump(mode="json", include=_CUTTING),
    code_version="2",
    checks=CHIP_CHECKS,
    kinds=frozenset({"zarr"}),
    automated=True,
    build=_build_chips,
)

TRAINING_CHIPS = Asset(
    room="chips",
    name="training_chips",
    description="Labelled model inputs of the reference year, split into train, validation and test by spatial block.",
    partitions=by_product_and_region,
    deps=(Dep(REFERENCE_COMPOSITES), Dep(SITES, triggers=False), Dep(GROUND_TRUTH)),
    settings=lambda project, _: project.section(ChipsConfig).model_dump(mode="json"),
    code_version="3",
    checks=CHIP_CHECKS,
    kinds=frozenset({"zarr"}),
    automated=True,
    job=REFERENCE_UPDATE,
    build=_build_training_chips,
)

ROOM = Room("chips", (CHIPS, TRAINING_CHIPS), sections=(Section("chips", ChipsConfig),))
