"""What simulated pixels need: only disk and time."""

from dataclasses import dataclass, replace

from odc.geo.geobox import GeoBox

from minemap_assets.imagery.costs import KNOWN, Cost, FetchRequest
from minemap_assets.imagery.seasons import Season
from minemap_assets.simulation.config import NAME

_SECONDS_PER_SITE = 1.0
"""Assumed time for a site and season."""


@dataclass(frozen=True)
class SimulatedCosts:
    """Pixels by formula."""

    name: str = NAME

    def serves(self, grid: GeoBox, season: Season) -> bool:  # noqa: ARG002
        """True everywhere."""
        return True

    def cost(self, request: FetchRequest) -> Cost:
        """Only disk and time."""
        return replace(Cost.of(request, KNOWN), seconds=len(request.grids) * _SECONDS_PER_SITE)
