"""Tiles of a mosaic: numbers, places, and which of them a grid needs."""

import json
from datetime import date
from pathlib import Path

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Transformer

from minemap_assets.errors import PermanentError
from minemap_assets.geo.grid import footprint, square_grid, utm_epsg
from minemap_assets.imagery.basemaps.mosaics import Mosaic
from minemap_assets.imagery.basemaps.quads import QuadGrid, parse_quad
from minemap_assets.imagery.basemaps.tiles import TileId, overview, under

RECORDED = Path(__file__).parents[3] / "support" / "recorded" / "planet"
NICFI = Mosaic(date(2020, 9, 1), date(2020, 10, 1), "m", "m", QuadGrid(2048), (-180, -34, 180, 30), True, "r")


def test_the_tile_of_a_quad_is_that_of_its_recorded_thumbnail() -> None:
    record = json.loads((RECORDED / "quad.json").read_text())
    tile = overview(NICFI, parse_quad(record["id"]))
    assert f"/gmap/{tile.zoom}/{tile.x}/{tile.y}.png" in record["_links"]["thumbnail"]


@given(longitude=st.floats(-179.99, 179.99), latitude=st.floats(-60, 60), pixels=st.integers(8, 600))
def test_tiles_cover_the_grid_within_its_quads(longitude: float, latitude: float, pixels: int) -> None:
    epsg = utm_epsg(longitude, latitude)
    place = Transformer.from_crs(4326, epsg, always_xy=True).transform(longitude, latitude)
    grid = square_grid(*place, 2 * pixels, epsg)
    blocks = [block for quad in NICFI.quads.touching(grid) if (block := under(NICFI, quad, grid)) is not None]
    boxes = [shapely.box(*block.grid.boundingbox.bbox) for block in blocks]
    assert sum(box.area for box in boxes) == pytest.approx(shapely.union_all(boxes).area), "each tile once"
    outline = shapely.transform(
        footprint(grid), Transformer.from_crs(epsg, 3857, always_xy=True).transform, interleaved=False
    )
    if outline.bounds[2] - outline.bounds[0] < 1e6:  # it does not cross the antimeridian
        assert shapely.union_all(boxes).buffer(1.0).covers(outline)
    assert sum(block.across * block.down for block in blocks) <= (pixels * 10 / 1223 / 0.5 + 3) ** 2


def test_tiles_of_a_block_follow_each_other() -> None:
    grid = square_grid(707_000.0, 175_000.0, 512, 32651)
    (block,) = [b for quad in NICFI.quads.touching(grid) if (b := under(NICFI, quad, grid)) is not None][:1]
    tiles = list(block.tiles)
    assert tiles[0][0] == block.first
    assert tiles[-1][0] == TileId(15, block.first.x + block.across - 1, block.first.y + block.down - 1)
    assert (tiles[-1][1].stop, tiles[-1][2].stop) == block.grid.shape


def test_pixels_of_no_zoom_level_have_no_tiles() -> None:
    odd = Mosaic(NICFI.start, NICFI.end, "odd", "o", QuadGrid(2000), NICFI.bbox, True, "r", 1000)
    with pytest.raises(PermanentError, match=r'pixels of odd are of no zoom level.*; set reads to "quads" under'):
        overview(odd, parse_quad("1-1"))
