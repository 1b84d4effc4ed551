"""The asset `map`: a folder with a page on which people look at the maps."""

from typing import Any

from minemap_assets.graph.context import BuildContext, InputContext, Keys
from minemap_assets.graph.statement import Asset, Dep, Job
from minemap_assets.lake.manifests import Outcome
from minemap_assets.lake.partitions import Partition
from minemap_assets.project.project import Project
from minemap_assets.publication.map.config import MapConfig
from minemap_assets.publication.published import PUBLISHED, told_of
from minemap_assets.publication.review_assets import RELEASE_REVIEW
from minemap_assets.segmentation.assets import told_verdict

MAP_PAGE = Job("map_page", "Make the page on which people look at the maps.")


def _settings(project: Project, _: Keys) -> Any:
    return {"map": project.section(MapConfig).model_dump(mode="json"), **told_of(project)}


def _build(context: BuildContext) -> Outcome:
    from minemap_assets.publication.map.building import build_map

    return build_map(context)


def _picture(partition: Partition, _: InputContext) -> bytes:
    from minemap_assets.publication.map.first_view import first_view

    return first_view(partition)


MAP = Asset(
    room="publication",
    name="map",
    description="A page with the maps of all years: outlines by first year and by change, pictures of sites with a "
    "swipe between two years, series and provenance of each site, countries with intervals, and the verdict first.",
    deps=(*PUBLISHED, Dep(RELEASE_REVIEW, optional=True)),
    settings=_settings,
    kinds=frozenset({"javascript"}),
    job=MAP_PAGE,
    on_request=True,
    code_version="3",
    headline=told_verdict,
    picture=_picture,
    build=_build,
)
