"""Cells: owned ground as pixels of any grid over a site's window."""

import geopandas as gpd
import pytest

from minemap_assets.geo.grid import at_resolution, square_grid, to_columns
from minemap_assets.sites.cells import site_cells
from minemap_assets.sites.windows import window_outlines


def table(*eastings: float) -> gpd.GeoDataFrame:
    """Sites with windows of 512 pixels of 5 m in EPSG:32632."""
    grids = [square_grid(500_000 + x, 20_000, 512, 32632) for x in eastings]
    columns = [to_columns(grid) for grid in grids]
    facts = {name: [getattr(c, name) for c in columns] for name in ("crs", "transform", "width", "height")}
    names = [f"m{n:03d}" for n in range(len(grids))]
    return gpd.GeoDataFrame({"site_id": names, **facts}, geometry=window_outlines(grids), crs=4326)


def test_a_lonely_site_owns_every_pixel_at_any_resolution() -> None:
    cell = site_cells(table(0, 10_000))["m001"]
    assert cell.owned(cell.grid).all()
    assert cell.owned(at_resolution(cell.grid, 10.0)).shape == (256, 256)
    assert cell.owned(at_resolution(cell.grid, 10.0)).all()
    assert cell.crs == "EPSG:32632"


@pytest.mark.parametrize("resolution", [5.0, 10.0])
def test_neighbours_share_out_their_ground_without_a_gap(resolution: float) -> None:
    left, right = site_cells(table(0, 1000)).values()
    grids = [at_resolution(cell.grid, resolution) for cell in (left, right)]
    owned = [cell.owned(grid) for cell, grid in zip((left, right), grids, strict=True)]
    columns = round(1780 / resolution)  # half of what is shared, and what is not
    assert [int(o[0].sum()) for o in owned] == [columns, columns]
    assert owned[0][:, :columns].all()
    assert owned[1][:, -columns:].all()
