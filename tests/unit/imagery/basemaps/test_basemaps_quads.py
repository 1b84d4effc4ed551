"""Quads of a mosaic: numbers, places, and which of them a grid touches."""

import json
from pathlib import Path

import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from pyproj import Transformer

from minemap_assets.errors import PermanentError
from minemap_assets.geo.grid import square_grid, utm_epsg
from minemap_assets.imagery.basemaps.quads import QuadGrid, QuadId, parse_quad, quad_grid

NICFI = QuadGrid(2048)
KNOWN = QuadId(680, 1018)
KNOWN_BOUNDS = (-6731350.457964594, -117407.27542346567, -6711782.578726307, -97839.39618517831)
"""Bounds of the real quad 680-1018 in EPSG:3857 (data/planet-nicfi-stac)."""


def test_known_quad_lies_where_it_lies() -> None:
    assert NICFI.box(KNOWN).bounds == pytest.approx(KNOWN_BOUNDS, abs=0.01)


def test_quads_of_real_metadata(test_data: Path) -> None:
    item = json.loads((test_data / "planet-nicfi-stac" / "item.json").read_text())
    stated = item["properties"]
    name = "-".join(item["id"].split("-")[-2:])
    height, _ = stated["proj:shape"]
    quads = quad_grid(height, stated["proj:transform"][0], "real")
    assert quads == NICFI
    assert quads.box(parse_quad(name)).bounds == pytest.approx(stated["proj:bbox"], abs=0.01)
    assert quads.box_wgs84(parse_quad(name)).bounds == pytest.approx(item["bbox"], abs=1e-6)
    middle = shapely.geometry.shape(item["geometry"]).centroid
    assert [str(q) for q in quads.touching_area(middle.buffer(0.01))] == [name]


def test_grid_over_four_quads() -> None:
    corner = Transformer.from_crs(3857, 32720, always_xy=True).transform(KNOWN_BOUNDS[2], KNOWN_BOUNDS[3])
    grid = square_grid(*corner, 100, 32720)
    assert NICFI.touching(grid) == (QuadId(680, 1018), QuadId(680, 1019), QuadId(681, 1018), QuadId(681, 1019))


def test_y_counts_from_the_south() -> None:
    equator = square_grid(500_000.0, 0.0, 100, 32631)
    assert {q.y for q in NICFI.touching(equator)} == {1023, 1024}
    south = square_grid(500_000.0, 9_000_000.0, 100, 32731)
    assert {q.y for q in NICFI.touching(south)} < set(range(1023))


def test_grid_across_the_antimeridian() -> None:
    grid = GeoBox((100, 100), Affine(0.001, 0, 179.95, 0, -0.001, -16.0), "EPSG:4326")
    assert {q.x for q in NICFI.touching(grid)} == {2047, 0}
    fiji = square_grid(*Transformer.from_crs(4326, 32760, always_xy=True).transform(179.999, -16.5), 200, 32760)
    assert {q.x for q in NICFI.touching(fiji)} == {2047, 0}


@given(longitude=st.floats(-179.9, 179.9), latitude=st.floats(-60, 60), pixels=st.integers(8, 600))
def test_quads_touched_cover_the_grid(longitude: float, latitude: float, pixels: int) -> None:
    epsg = utm_epsg(longitude, latitude)
    place = Transformer.from_crs(4326, epsg, always_xy=True).transform(longitude, latitude)
    grid = square_grid(*place, 2 * pixels, epsg)
    touched = set(NICFI.touching(grid))
    rows, columns = np.mgrid[: grid.shape[0] : 7, : grid.shape[1] : 7] + 0.5
    east, north = grid.affine.c + 5 * columns.ravel(), grid.affine.f - 5 * rows.ravel()
    x, y = Transformer.from_crs(epsg, 3857, always_xy=True).transform(east, north)
    half = NICFI.metres * NICFI.side / 2
    hit = {
        QuadId(int(i) % 2048, int(j))
        for i, j in zip((x + half) // NICFI.metres, (y + half) // NICFI.metres, strict=True)
    }
    assert hit <= touched
    assert len(touched) <= 4


@pytest.mark.parametrize(
    ("pixels", "resolution", "side"),
    [(4096, 4.77731426716, 2048), (512, 4.777314267823516, 16384), (4096, 9.5546285, 1024)],
)
def test_grid_of_any_mosaic(pixels: int, resolution: float, side: int) -> None:
    assert quad_grid(pixels, resolution, "m").side == side


@pytest.mark.parametrize(("pixels", "resolution"), [(4096, 5.0), (0, 4.77), (4096, -1.0), (4095, 4.77731426716)])
def test_quads_that_do_not_tile_the_world(pixels: int, resolution: float) -> None:
    with pytest.raises(PermanentError, match=r"the mosaic odd states quads of .* do not tile the world"):
        quad_grid(pixels, resolution, "odd")


@pytest.mark.parametrize("text", ["", "680", "680-", "-1-2", "680_1018", "680-1018-1"])
def test_what_is_no_quad(text: str) -> None:
    with pytest.raises(PermanentError):
        parse_quad(text)
    assert str(parse_quad("680-1018")) == "680-1018"
