"""What assets are given: the project, with the sources that exist.

What belongs here: which source names there are and how each is opened. What does not: how a source reads.
"""

from dagster_project.environment import Environment
from minemap_assets.imagery.source import ImagerySource
from minemap_assets.project.project import Project, SourceFactory, SourceRequest, open_project


def _simulated(request: SourceRequest) -> ImagerySource:
    from minemap_assets.simulation.source import SimulatedSource
    from minemap_assets.simulation.world import load_world

    return SimulatedSource(load_world(request.settings.sources.simulated.world), request.product)


def _archive(request: SourceRequest) -> ImagerySource:
    from minemap_assets.imagery.sources.archive.catalogue import open_archive

    return open_archive(request.product, request.lake.store)


def _earth_engine(request: SourceRequest) -> ImagerySource:
    from minemap_assets.imagery.sources.earth_engine.source import open_earth_engine

    return open_earth_engine(request.product, request.settings.sources.earth_engine)


def _planet(request: SourceRequest) -> ImagerySource:
    from minemap_assets.imagery.sources.planet.source import open_planet

    return open_planet(request.product, request.settings.sources.planet_basemaps, request.lake.state)


def _stac(request: SourceRequest) -> ImagerySource:
    from minemap_assets.imagery.sources.stac.source import StacSource

    return StacSource(request.product, request.settings.sources.stac, request.lake.state / "stac-cache")


SOURCES: dict[str, SourceFactory] = {
    "archive": _archive,
    "earth-engine": _earth_engine,
    "planet-basemaps": _planet,
    "simulated": _simulated,
    "stac": _stac,
}
"""Every source by its name in `[imagery.sources]`."""


def project_from(environment: Environment) -> Project:
    """The project the environment names."""
    project = open_project(environment.home, environment.state, SOURCES)
    project.sample = environment.sample
    return project
