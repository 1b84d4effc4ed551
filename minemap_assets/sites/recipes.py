"""Recipes of the room sites: ground truth of a region, and the sites it gives."""

from typing import Any

from minemap_assets.geo.vector import read_geoparquet
from minemap_assets.graph.recipes import Keys, Kitchen, Recipe
from minemap_assets.lake.manifests import Outcome, PartitionRef
from minemap_assets.project.project import PROMOTED_SITES_PATH, Project

ROOM = "sites"


def _sets(project: Project, _: Keys) -> list[PartitionRef]:
    return [PartitionRef("reference", name) for name in project.polygon_sets()]


def _ground_truth_config(project: Project, keys: Keys) -> Any:
    return {
        "region": project.region(keys[0]).geometry.wkb_hex,
        "roles": {name: project.reference_entry(name).role for name in project.polygon_sets()},
        "sites": project.settings.sites.ground_truth_settings(),
    }


def _build_ground_truth(kitchen: Kitchen) -> Outcome:
    from minemap_assets.sites.ground_truth import PolygonSet, build_ground_truth

    project = kitchen.project
    sets = [
        PolygonSet(
            name,
            project.reference_entry(name).role,
            read_geoparquet(kitchen.read("reference", name).file("polygons.parquet")),
        )
        for name in project.polygon_sets()
    ]
    return build_ground_truth(sets, project.region(kitchen.keys[0]), project.settings.sites, kitchen.writer)


def _sites_config(project: Project, keys: Keys) -> Any:
    promoted = project.lake.store.size(PROMOTED_SITES_PATH) is not None
    return {
        "region": project.region(keys[0]).geometry.wkb_hex,
        "sites": project.settings.sites.site_settings(),
        "promoted": project.lake.store.read_bytes(PROMOTED_SITES_PATH).decode() if promoted else "",
    }


def _build_sites(kitchen: Kitchen) -> Outcome:
    from minemap_assets.sites.build import build_sites

    project, region = kitchen.project, kitchen.keys[0]
    truth = read_geoparquet(kitchen.read(ROOM, "ground_truth", region).file("ground_truth.parquet"))
    return build_sites(truth, project.promoted_sites(), project.region(region), project.settings.sites, kitchen.writer)


GROUND_TRUTH = Recipe(ROOM, "ground_truth", "1", _build_ground_truth, needs=_sets, config=_ground_truth_config)
SITES = Recipe(
    ROOM,
    "sites",
    "1",
    _build_sites,
    needs=lambda _, keys: [PartitionRef(ROOM, "ground_truth", keys)],
    config=_sites_config,
)
