"""Two sites side by side."""

from pathlib import Path

import pytest
import shapely

from mask_world import PIXELS, World
from minemap_assets.geo.grid import footprint_wgs84, square_grid
from minemap_assets.lake.lake import Lake
from minemap_assets.project.regions import Region


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Two sites side by side in UTM zone 30N whose 64-pixel windows overlap by half."""
    grids = {
        "a": square_grid(600_000, 700_000, PIXELS, 32630),
        "b": square_grid(600_000 + 160, 700_000, PIXELS, 32630),
    }
    area = shapely.union_all([footprint_wgs84(g) for g in grids.values()]).buffer(0.01)
    region = Region("testland", "Testland", shapely.box(*area.bounds))
    return World(Lake.local(tmp_path / "home", tmp_path / "state"), grids, region)
