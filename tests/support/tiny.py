"""The tiny world in tests: a project on it, driven in this process."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import geopandas as gpd
import pandas as pd

from dagster_project.definitions import build_definitions
from dagster_project.environment import Environment
from dagster_project.first_promotion import Gate
from dagster_project.instance import open_instance, sync_regions
from dagster_project.registry import Registry, home_of
from dagster_project.runner import Recorder, Report, Runner, State
from dagster_project.selection import parse_selection
from minemap_assets.geo.vector import read_geoparquet
from minemap_assets.graph.graph import Graph, Scope
from minemap_assets.graph.partition_states import PartitionStates
from minemap_assets.lake.manifests import Manifest, PartitionRef
from minemap_assets.lake.partitions import Partition
from minemap_assets.project.project import Project, ProjectHome
from minemap_assets.project.settings import SETTINGS_PATH
from minemap_assets.segmentation.artefact import load_model
from minemap_assets.segmentation.promotion import promote
from minemap_assets.simulation.built_in_worlds import load_world
from minemap_assets.simulation.demo import prepare
from minemap_assets.simulation.world import World

WORLD: World = load_world("tiny")
YEARS = tuple(WORLD.years)


@dataclass(frozen=True)
class Chain:
    """A project on the tiny world, in a folder (or with its lake elsewhere)."""

    folder: Path
    registry: Registry = field(default_factory=Registry)
    home: str = ""

    @property
    def environment(self) -> Environment:
        return Environment(home=self.home or str(self.folder / "lake"), state=self.folder / "state")

    @property
    def project_home(self) -> ProjectHome:
        return home_of(self.environment, self.registry)

    @property
    def project(self) -> Project:
        """A snapshot of now."""
        return self.project_home.open()

    def prepared(self) -> "Chain":
        """With the inputs of the demo."""
        prepare(self.project, WORLD)
        return self

    def copied(self, folder: Path, registry: Registry | None = None) -> "Chain":
        """A copy to change at will."""
        shutil.copytree(self.folder, folder)
        return Chain(folder, registry or self.registry)

    def run(
        self,
        select: str | None = None,
        years: tuple[int, ...] = YEARS,
        accepts_losses: bool = False,
        forced: frozenset[PartitionRef] = frozenset(),
    ) -> Report:
        recorder = Recorder()
        project = replace(self.project.told(recorder), accepts_losses=accepts_losses, forced=forced)
        project.record_inputs()
        definitions = build_definitions(self.environment, self.project_home.pinned(project), self.registry)
        graph = Graph(self.registry.rooms, project)
        with open_instance(self.environment.dagster_home) as instance:
            sync_regions(instance, project)
            scope = Scope(parse_selection(select, graph), tuple(project.active_regions()), years)
            states = PartitionStates(graph, project)
            runner = Runner(definitions, graph, states, instance, recorder)
            # four mines are too few for a model to be judged by
            gate = Gate(states, graph, scope.assets, anyway=True)
            return runner.run(graph.steps(scope), begins=gate.reached, holds=gate.holds)

    def promote(self) -> None:
        """Put the newest trained model in use, as `minemap promote` does."""
        promote(self.project, load_model(self.open("segmentation", "segmentation_model")), "a test")

    def manifests(self) -> list[Manifest]:
        """All partitions."""
        project = self.project
        assets = Graph(self.registry.rooms, project).assets
        return [m for a in assets for m in project.lake.manifests(a.room, a.name)]

    def contents(self) -> dict[str, tuple[str, tuple[tuple[str, str], ...]]]:
        """Content hash and inputs of every partition."""
        return {str(m.ref): (m.content, tuple(sorted(m.inputs.items()))) for m in self.manifests()}

    def open(self, room: str, asset: str, *keys: str) -> Partition:
        return self.project.lake.open(PartitionRef(room, asset, keys))

    def frame(self, room: str, asset: str, *keys: str, file: str = "index.parquet") -> gpd.GeoDataFrame:
        return read_geoparquet(self.open(room, asset, *keys).file(file))

    def table(self, name: str, year: int) -> pd.DataFrame:
        return pd.read_parquet(self.open("tables", name, str(year)).file(f"{name}.parquet"))

    def change(self, old: str, new: str) -> None:
        """Replace a piece of the settings."""
        store = self.project.lake.store
        text = store.read_bytes(SETTINGS_PATH).decode()
        assert old in text
        store.write_bytes(SETTINGS_PATH, text.replace(old, new).encode())


def assets(report: Report, state: State) -> set[str]:
    """Names of the assets with partitions in a state."""
    return {r.ref.asset for r in report.results if r.state is state}


def at_work(chain: Chain) -> Sequence[str]:
    """Partitions that are being made in a local lake, as `room~asset~keys`."""
    folder = chain.folder / "lake" / ".staging"
    return sorted(p.name for p in folder.glob("*~*") if p.suffix != ".lock")
