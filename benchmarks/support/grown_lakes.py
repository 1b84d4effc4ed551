"""A finished project of a few regions, grown to hundreds: every partition of every asset is there and current.

The files of a partition are those of one of the finished project, other names of the same bytes (hard links to a copy
of its own in `pool`), so that a lake of thousands of region-years takes minutes and next to no disk. Manifests are
written as the project writes them, with the fingerprint that the grown project's settings and inputs give.
"""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import shapely

from dagster_project.environment import Environment
from dagster_project.registry import Registry, home_of
from minemap_assets.graph.context import Keys
from minemap_assets.graph.graph import Graph, Scope
from minemap_assets.graph.setting_texts import setting_texts
from minemap_assets.graph.statement import Asset
from minemap_assets.lake.manifests import Manifest, PartitionRef, fingerprint, manifest_bytes
from minemap_assets.lake.partitions import MANIFEST
from minemap_assets.project.project import Project
from minemap_assets.project.regions import REGIONS_PATH, Region, write_regions
from minemap_assets.project.settings import SETTINGS_PATH

FIRST_YEAR, LAST_YEAR = 2015, 2025
YEARS = range(FIRST_YEAR, LAST_YEAR + 1)

_CORNERS = 64
"""Corners of a quarter of a region's outline; the boundary of a country has as many and more."""


@dataclass(frozen=True)
class Grown:
    """A grown project: its folder, and how many partitions it has."""

    folder: Path
    partitions: int

    @property
    def environment(self) -> dict[str, str]:
        """What commands find it by."""
        return {"MINEMAP_HOME": str(self.folder / "lake"), "MINEMAP_STATE": str(self.folder / "state")}


def grow(finished: Path, folder: Path, regions: int) -> Grown:
    """A project in `folder` with so many regions and every year, all current, from one in `finished`."""
    slugs = [f"region-{number:03}" for number in range(regions)]
    environment = Environment(home=str(folder / "lake"), state=folder / "state")
    templates = _templates(home_of(Environment(home=str(finished / "lake"), state=finished / "state")).open())
    shutil.copytree(finished / "lake", folder / "pool")
    _copy_inputs(finished, folder, slugs)
    project = home_of(environment).open()
    graph = Graph(Registry().rooms, project)
    manifests: dict[PartitionRef, Manifest] = {}
    for asset, keys in _every(graph, project):
        chosen = templates[asset.room, asset.name]
        template = chosen[len(manifests) % len(chosen)]
        manifests[asset.ref(keys)] = _manifest(project, graph, asset, keys, template, manifests)
        _link(folder / "pool" / template.ref.prefix, folder / "lake" / asset.ref(keys).prefix, template)
    # last of all: a link changes the time of the file, and what changed after its manifest is read again
    for ref, manifest in manifests.items():
        (folder / "lake" / ref.prefix / MANIFEST).write_bytes(manifest_bytes(manifest))
    return Grown(folder, len(manifests))


def _templates(project: Project) -> dict[tuple[str, str], list[Manifest]]:
    """Manifests of the finished project by asset."""
    graph = Graph(Registry().rooms, project)
    return {(a.room, a.name): list(project.lake.manifests(a.room, a.name)) for a in graph.assets}


def _copy_inputs(finished: Path, folder: Path, slugs: list[str]) -> None:
    shutil.copytree(finished / "lake" / "inputs", folder / "lake" / "inputs")
    shutil.copy(finished / "lake" / "lake.json", folder / "lake" / "lake.json")
    (folder / "state").mkdir(parents=True)
    shutil.copy(finished / "state" / "minemap.duckdb", folder / "state" / "minemap.duckdb")
    across = 30
    squares = [shapely.Point(-60 + 2 * (n % across), 2 * (n // across)) for n in range(len(slugs))]
    drawn = [square.buffer(0.9, quad_segs=_CORNERS) for square in squares]
    regions = [Region(slug, slug, outline) for slug, outline in zip(slugs, drawn, strict=True)]
    (folder / "lake" / REGIONS_PATH).write_bytes(write_regions(regions))
    settings = folder / "lake" / SETTINGS_PATH
    settings.write_text(f"first_year = {FIRST_YEAR}\nlast_year = {LAST_YEAR}\n\n{settings.read_text()}")


def _every(graph: Graph, project: Project) -> list[tuple[Asset, Keys]]:
    """Every partition, inputs first."""
    scope = Scope(frozenset(graph.assets), tuple(project.active_regions()), tuple(YEARS))
    return [(asset, step.keys) for step in graph.steps(scope) for asset in step.assets]


def _manifest(
    project: Project, graph: Graph, asset: Asset, keys: Keys, template: Manifest, made: dict[PartitionRef, Manifest]
) -> Manifest:
    config = asset.settings(project, keys)
    inputs = {str(ref): made[ref].content for ref in graph.reads(asset, keys)}
    return template.model_copy(
        update={
            "keys": keys,
            "fingerprint": fingerprint(asset.code_version, config, inputs),
            "inputs": inputs,
            "settings": setting_texts(project, asset, keys, config),
        }
    )


def _link(source: Path, target: Path, template: Manifest) -> None:
    for stored in template.files:
        path = target / stored.path
        path.parent.mkdir(parents=True, exist_ok=True)
        os.link(source / stored.path, path)
