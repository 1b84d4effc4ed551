"""The room sites: ground truth of a region, and every known mine of it with its own grid."""

from typing import Any

import geopandas as gpd

from minemap_assets.geo.vector import read_geoparquet
from minemap_assets.graph.context import BuildContext, Keys
from minemap_assets.graph.partitioning import by_region
from minemap_assets.graph.statement import Asset, Dep, Room
from minemap_assets.lake.manifests import Outcome
from minemap_assets.project.project import Project
from minemap_assets.project.settings import Section
from minemap_assets.reference.assets import POLYGON_SETS
from minemap_assets.reference.registered import PROMOTED_SITES_PATH, polygon_sets, reference_entry
from minemap_assets.sites.config import SitesConfig


def _ground_truth_settings(project: Project, keys: Keys) -> Any:
    return {
        "region": project.region(keys[0]).outline,
        "roles": {name: reference_entry(project, name).role for name in polygon_sets(project)},
        "sites": project.section(SitesConfig).model_dump(mode="json", include={"known_bad", "min_area_m2"}),
    }


def _build_ground_truth(context: BuildContext) -> Outcome:
    from minemap_assets.sites.ground_truth import PolygonSet, build_ground_truth

    project = context.project
    made = {ref.asset: partition for ref, partition in context.inputs_of(POLYGON_SETS).items()}
    sets = [
        PolygonSet(name, reference_entry(project, name).role, read_geoparquet(made[name].file("polygons.parquet")))
        for name in polygon_sets(project)
    ]
    return build_ground_truth(sets, project.region(context.keys[0]), project.section(SitesConfig), context.writer)


GROUND_TRUTH = Asset(
    room="sites",
    name="ground_truth",
    description="Union of the reference outlines inside a region: labels for training, and outlines that locate sites.",
    partitions=by_region,
    deps=(Dep(POLYGON_SETS),),
    settings=_ground_truth_settings,
    automated=True,
    build=_build_ground_truth,
)


def _sampled(project: Project) -> SitesConfig:
    """The room's settings; a pilot of the command line takes the place of the settings' own sample."""
    config = project.section(SitesConfig)
    return config if project.sample is None else config.model_copy(update={"sample": project.sample})


def _sites_settings(project: Project, keys: Keys) -> Any:
    promoted = project.input(PROMOTED_SITES_PATH)
    return {
        "region": project.region(keys[0]).outline,
        "sites": _sampled(project).model_dump(
            mode="json", include={"min_pixels", "window_factor", "large", "sample"}, exclude_none=True
        ),
        "promoted": "" if promoted is None else promoted.decode(errors="backslashreplace"),
    }


def _build_sites(context: BuildContext) -> Outcome:
    from minemap_assets.sites.build import build_sites
    from minemap_assets.sites.promotion import promoted_sites

    project = context.project
    truth = read_geoparquet(context.input(GROUND_TRUTH).file("ground_truth.parquet"))
    region = project.region(context.keys[0])
    return build_sites(truth, promoted_sites(project), region, _sampled(project), context.writer)


SITES = Asset(
    room="sites",
    name="sites",
    description="Every known mine of a region with its stable id and its own 5 m grid.",
    partitions=by_region,
    deps=(Dep(GROUND_TRUTH),),
    settings=_sites_settings,
    automated=True,
    build=_build_sites,
)


def _build_owned_ground(context: BuildContext) -> Outcome:
    from minemap_assets.sites.owned_ground import build_owned_ground

    return build_owned_ground(sites_of(context), context.writer)


OWNED_GROUND = Asset(
    room="sites",
    name="owned_ground",
    description="The ground that each site owns: where windows overlap, each point belongs to the nearest centre.",
    partitions=by_region,
    deps=(Dep(SITES),),
    automated=True,
    build=_build_owned_ground,
)


def sites_of(context: BuildContext) -> gpd.GeoDataFrame:
    """The sites that a partition is made for."""
    return read_geoparquet(context.input(SITES).file("sites.parquet"))


def owned_of(context: BuildContext) -> gpd.GeoDataFrame:
    """The ground that each of these sites owns."""
    return read_geoparquet(context.input(OWNED_GROUND).file("owned_ground.parquet"))


ROOM = Room("sites", (GROUND_TRUTH, SITES, OWNED_GROUND), sections=(Section("sites", SitesConfig),))
