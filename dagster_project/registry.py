"""What a project is put together from: every room, in the order in which data flows, and every source of imagery.

A new room is a folder, a new source a package; each is imported here and named once in its tuple.
"""

from dataclasses import dataclass

from dagster_project.environment import Environment
from minemap_assets.chips import assets as chips
from minemap_assets.detection import assets as detection
from minemap_assets.graph.statement import Room
from minemap_assets.imagery import assets as imagery
from minemap_assets.imagery.source_kind import SourceKind
from minemap_assets.imagery.sources.archive.kind import ARCHIVE
from minemap_assets.imagery.sources.earth_engine.kind import EARTH_ENGINE
from minemap_assets.imagery.sources.planet.kind import PLANET_BASEMAPS
from minemap_assets.imagery.sources.stac.kind import STAC
from minemap_assets.polygons import assets as polygons
from minemap_assets.project.operations import OperationsConfig
from minemap_assets.project.project import Parts, ProjectHome
from minemap_assets.project.settings import Section
from minemap_assets.publication import assets as publication
from minemap_assets.reference import assets as reference
from minemap_assets.segmentation import assets as segmentation
from minemap_assets.simulation.kind import SIMULATED
from minemap_assets.sites import assets as sites
from minemap_assets.snapshots import assets as snapshots
from minemap_assets.tables import assets as tables
from minemap_assets.validation import assets as validation

ROOMS: tuple[Room, ...] = tuple(
    room.ROOM
    for room in (
        reference,
        sites,
        imagery,
        chips,
        segmentation,
        polygons,
        tables,
        validation,
        detection,
        snapshots,
        publication,
    )
)

SOURCES: tuple[SourceKind, ...] = (
    ARCHIVE,
    EARTH_ENGINE,
    PLANET_BASEMAPS,
    SIMULATED,
    STAC,
)


@dataclass(frozen=True)
class Registry:
    """Rooms and sources; tests add their own."""

    rooms: tuple[Room, ...] = ROOMS
    sources: tuple[SourceKind, ...] = SOURCES

    def parts(self) -> Parts:
        """What a project needs to know of them: settings sections, rules over settings, sources, and extensions."""
        sections = [Section("operations", OperationsConfig)]
        sections += [section for room in self.rooms for section in room.sections]
        sections += [
            Section(f"sources.{kind.section}", kind.config) for kind in self.sources if kind.config is not None
        ]
        rules = tuple(rule for room in self.rooms for rule in room.rules)
        extensions = (*self.sources, *(one for room in self.rooms for one in room.extensions))
        return Parts(tuple(sections), rules, extensions)


def home_of(environment: Environment, registry: Registry | None = None) -> ProjectHome:
    """The project that the environment names."""
    parts = (registry or Registry()).parts()
    cache_bytes = int(environment.cache_gb * 1e9)
    return ProjectHome.at(environment.home, environment.state, parts, environment.sample, cache_bytes)
