"""Labels follow the pixel-centre rule exactly."""

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import Polygon, box

from minemap_assets.chips.labels import LabelSource, burn
from minemap_assets.errors import BadInputError
from minemap_assets.geo.grid import square_grid
from minemap_assets.geo.vector import WGS84

GRID = square_grid(500_000.0, 9_300_000.0, 32, 32721)


def in_degrees(shape: Polygon) -> Polygon:
    return gpd.GeoSeries([shape], crs="EPSG:32721").to_crs(WGS84).iloc[0]


def centres_inside(shape: Polygon) -> np.ndarray:
    left, top = GRID.boundingbox.left, GRID.boundingbox.top
    x, y = np.meshgrid(left + 5 * (np.arange(32) + 0.5), top - 5 * (np.arange(32) + 0.5))
    return shapely.contains_xy(shape, x, y)


def test_a_rectangle_of_whole_pixels_is_those_pixels() -> None:
    left, top = GRID.boundingbox.left, GRID.boundingbox.top
    shape = box(left + 10, top - 40, left + 30, top - 20)
    expected = np.zeros((32, 32), dtype=np.uint8)
    expected[4:8, 2:6] = 1
    np.testing.assert_array_equal(burn(np.array([in_degrees(shape)], dtype=object), GRID), expected)


@settings(max_examples=60)
@given(st.lists(st.tuples(st.floats(-30, 190), st.floats(-30, 190)), min_size=3, max_size=7))
def test_a_pixel_is_mine_where_its_centre_is_inside(points: list[tuple[float, float]]) -> None:
    left, bottom = GRID.boundingbox.left, GRID.boundingbox.bottom
    shape = Polygon([(left + x, bottom + y) for x, y in points]).convex_hull
    if not isinstance(shape, Polygon) or shape.area < 1.0:
        return
    burnt = burn(np.array([in_degrees(shape)], dtype=object), GRID) == 1
    # A centre within a millimetre of the outline may fall on either side after the journey through degrees.
    sure = ~centres_inside(shape.boundary.buffer(0.001))
    np.testing.assert_array_equal(burnt[sure], centres_inside(shape)[sure])


def test_only_the_layer_labels_counts() -> None:
    shape = in_degrees(box(*GRID.boundingbox.bbox))
    frame = gpd.GeoDataFrame({"layer": ["outlines"]}, geometry=[shape], crs=WGS84)
    assert LabelSource(frame).rasterize(GRID).sum() == 0
    assert LabelSource(frame.assign(layer="labels")).rasterize(GRID).all()


def test_a_table_without_layers_is_refused() -> None:
    with pytest.raises(BadInputError, match="no column 'layer'"):
        LabelSource(gpd.GeoDataFrame(geometry=[], crs=WGS84))
