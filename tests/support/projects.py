"""Projects and settings in tests: opened as the command line opens them, with every room and source."""

from pathlib import Path

from dagster_project.registry import ROOMS, Registry
from minemap_assets.graph.graph import Graph
from minemap_assets.graph.partition_states import Made, PartitionState, PartitionStates
from minemap_assets.graph.statement import Asset
from minemap_assets.project.project import Project, ProjectHome
from minemap_assets.project.settings import Section, Settings, parse_settings

SECTIONS: tuple[Section, ...] = Registry().parts().sections


def settings_of(text: str | bytes = "") -> Settings:
    """Settings from TOML."""
    return parse_settings(text, SECTIONS)


def home_at(lake: Path, state: Path, registry: Registry | None = None) -> ProjectHome:
    """A project in two folders."""
    return ProjectHome.at(str(lake), state, (registry or Registry()).parts())


def project_at(lake: Path, state: Path, registry: Registry | None = None) -> Project:
    """A snapshot of a project in two folders."""
    return home_at(lake, state, registry).open()


def make(project: Project, asset: Asset, *keys: str) -> Made:
    """Make one partition, as a materialisation does."""
    return _states(project).make(asset, keys)


def is_current(project: Project, asset: Asset, *keys: str) -> bool:
    """Whether a run would keep the partition."""
    return _states(project).state(asset, keys) is PartitionState.CURRENT


def _states(project: Project) -> PartitionStates:
    return PartitionStates(Graph(ROOMS, project), project)
