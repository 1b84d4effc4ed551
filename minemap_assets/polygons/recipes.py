"""Recipes of the room polygons: outlines of a year's masks, and mining polygons confirmed by neighbouring years."""

from typing import Any

from minemap_assets.geo.vector import read_geoparquet
from minemap_assets.graph.recipes import Keys, Kitchen, Recipe
from minemap_assets.lake.manifests import Outcome, PartitionRef
from minemap_assets.lake.partitions import Partition
from minemap_assets.project.project import FIRST_YEAR, Project

ROOM = "polygons"


def _config(project: Project, keys: Keys) -> Any:
    return {
        "region": project.region(keys[0]).geometry.wkb_hex,
        "polygons": project.settings.polygons.model_dump(mode="json"),
    }


def _masks(region: str, year: int) -> PartitionRef:
    return PartitionRef("segmentation", "raw_masks", (region, str(year)))


def _window(project: Project, keys: Keys) -> list[PartitionRef]:
    """Masks of the years around, as far as the rule looks."""
    reach, year = project.settings.polygons.window, int(keys[1])
    years = range(max(FIRST_YEAR, year - reach), year + reach + 1)
    return [_masks(keys[0], y) for y in years if y != year]


def _build_raw(kitchen: Kitchen) -> Outcome:
    from minemap_assets.polygons.raw import build_raw_polygons

    region, year = kitchen.keys
    sites = read_geoparquet(kitchen.read("sites", "sites", region).file("sites.parquet"))
    masks = kitchen.inputs[_masks(region, int(year))]
    project = kitchen.project
    return build_raw_polygons(
        project.region(region), int(year), sites, masks, project.settings.polygons, kitchen.writer
    )


def _build_mining(kitchen: Kitchen) -> Outcome:
    from minemap_assets.polygons.mining import build_mining_polygons

    region, year = kitchen.keys[0], int(kitchen.keys[1])
    project = kitchen.project
    window: dict[int, Partition] = {year: kitchen.inputs[_masks(region, year)]}
    for ref in _window(project, kitchen.keys):
        if ref in kitchen.inputs:
            window[int(ref.keys[1])] = kitchen.inputs[ref]
    return build_mining_polygons(
        project.region(region),
        year,
        sites=read_geoparquet(kitchen.read("sites", "sites", region).file("sites.parquet")),
        masks=window,
        raw=read_geoparquet(kitchen.read(ROOM, "raw_polygons", *kitchen.keys).file("raw_polygons.parquet")),
        imagery_index=read_geoparquet(kitchen.read("imagery", "imagery", *kitchen.keys).file("index.parquet")),
        boundaries=read_geoparquet(kitchen.read("reference", "country_boundaries").file("boundaries.parquet")),
        first_year=FIRST_YEAR,
        config=project.settings.polygons,
        writer=kitchen.writer,
    )


RAW_POLYGONS = Recipe(
    ROOM,
    "raw_polygons",
    "2",
    _build_raw,
    needs=lambda _, keys: [_masks(keys[0], int(keys[1])), PartitionRef("sites", "sites", keys[:1])],
    config=_config,
)
MINING_POLYGONS = Recipe(
    ROOM,
    "mining_polygons",
    "2",
    _build_mining,
    needs=lambda _, keys: [
        PartitionRef(ROOM, "raw_polygons", keys),
        _masks(keys[0], int(keys[1])),
        PartitionRef("imagery", "imagery", keys),
        PartitionRef("sites", "sites", keys[:1]),
        PartitionRef("reference", "country_boundaries"),
    ],
    reads=_window,
    config=_config,
)
