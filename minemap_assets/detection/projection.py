"""What a scan would need, by source, before anything is fetched: every source of its product, as if it were the only
one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from minemap_assets.detection.patch_grid import PIXEL, STRIDE, TILE_PATCHES, Tile
from minemap_assets.imagery.cost_models import cost_models, costs_by_source
from minemap_assets.imagery.costs import Cost
from minemap_assets.imagery.seasons import Season
from minemap_assets.project.project import Project

STEP_KM2 = (STRIDE * PIXEL / 1000.0) ** 2
"""Ground for each patch: half of it on either side is its neighbours' too."""

PATCHES = TILE_PATCHES**2
"""Patches of a tile."""


@dataclass(frozen=True)
class Projection:
    """What one source would be asked for; `tiles` are those that it should have."""

    source: str
    tiles: int
    cost: Cost

    def __add__(self, other: "Projection") -> "Projection":
        return Projection(self.source, self.tiles + other.tiles, self.cost + other.cost)


def project_scan(
    project: Project, product: str, bands: tuple[str, ...], season: Season, tiles: Sequence[Tile]
) -> list[Projection]:
    """What each source of a product would need for all tiles; no service is asked.

    Raises `BadInputError` for a source that states no cost.
    """
    grids = [tile.grid for tile in tiles]
    found = []
    for model in cost_models(project, product):
        shared = costs_by_source([model], product, season, bands, grids)
        cost = shared.costs.get(model.name, Cost())
        found.append(Projection(model.name, len(grids) - shared.unserved, cost))
    return found
