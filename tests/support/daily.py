"""A service that adds images day by day, in the place of the tiny world's source."""

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, replace

from dagster_project.registry import SOURCES, Registry
from gaps import GappedSource, Gaps
from minemap_assets.imagery.source import ImagerySource, Latest
from minemap_assets.project.project import Project
from minemap_assets.simulation.kind import SIMULATED
from minemap_assets.simulation.source import SimulatedSource
from tiny import WORLD


@dataclass
class Daily:
    """What the service says of some years; of the others what a source with gaps does."""

    gaps: Gaps
    states: MutableMapping[int, str]

    def registry(self) -> Registry:
        """In the place of the simulated source."""

        def opened(_: Project, product: str) -> ImagerySource:
            return DailySource(SimulatedSource(WORLD, product), self.gaps, self.states)

        return Registry(sources=tuple(replace(k, open=opened) if k is SIMULATED else k for k in SOURCES))


class DailySource(GappedSource):
    """The source with gaps, which says of some years until when it has images."""

    def __init__(self, inner: SimulatedSource, gaps: Gaps, states: Mapping[int, str]) -> None:
        super().__init__(inner, gaps)
        self.states = states

    def latest(self) -> Latest:
        """As of a service."""
        found = super().latest()
        return replace(found, revisions={**found.revisions, **self.states})
