"""Whose pixel: windows of neighbours divided by the nearest centre."""

import time

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import Point

from minemap_assets.geo.grid import square_grid, to_columns
from minemap_assets.sites.windows import ownership, window_outlines


def table(windows):
    """Sites with windows (easting, northing, pixels) in EPSG:32632."""
    grids = [square_grid(500_000 + x, 20_000 + y, pixels, 32632) for x, y, pixels in windows]
    columns = [to_columns(grid) for grid in grids]
    return gpd.GeoDataFrame(
        {
            "site_id": [f"m{n:03d}" for n in range(len(grids))],
            "crs": [c.crs for c in columns],
            "transform": [list(c.transform) for c in columns],
            "width": [c.width for c in columns],
            "height": [c.height for c in columns],
        },
        geometry=window_outlines(grids),
        crs=4326,
    )


def metres(cells):
    return gpd.GeoSeries(cells, crs=4326).to_crs(32632)


def test_a_lonely_site_owns_its_window():
    frame = table([(0, 0, 512), (10_000, 0, 512)])
    owned = ownership(frame)
    assert [owned[s].equals(g) for s, g in zip(frame["site_id"], frame.geometry, strict=True)] == [True, True]


def test_two_equal_windows_are_cut_in_the_middle():
    cells = metres(ownership(table([(0, 0, 512), (1000, 0, 512)])))
    assert cells.area.to_numpy() == pytest.approx([2560 * 1780] * 2, rel=1e-4)
    assert cells["m000"].bounds[2] == pytest.approx(500_500, abs=0.5)
    assert cells["m001"].bounds[0] == pytest.approx(500_500, abs=0.5)


def test_a_window_without_the_nearer_centre_does_not_cut():
    """The nearest centre counts only among windows that hold the point."""
    cells = metres(ownership(table([(0, 0, 2048), (3000, 0, 512)])))
    assert cells["m000"].contains(Point(503_000, 24_500))
    assert cells["m001"].contains(Point(503_000, 20_000))
    assert not cells["m000"].contains(Point(503_000, 20_000))


def test_equal_centres_go_to_the_smaller_id():
    owned = ownership(table([(0, 0, 512), (0, 0, 1024)]))
    cells = metres(owned)
    assert cells["m000"].area == pytest.approx(2560**2, rel=1e-4)
    assert cells["m001"].area == pytest.approx(5120**2 - 2560**2, rel=1e-4)
    assert ownership(table([(0, 0, 512), (0, 0, 512)]))["m001"].is_empty


def test_no_sites():
    assert ownership(table([])) == {}


windows = st.lists(
    st.tuples(st.integers(-400, 400), st.integers(-400, 400), st.sampled_from([256, 512, 700, 1500])).map(
        lambda w: (w[0] * 10, w[1] * 10, w[2])
    ),
    min_size=1,
    max_size=8,
)


@given(windows, st.integers(0, 2**31))
@settings(max_examples=60)
def test_cells_are_disjoint_cover_all_windows_and_follow_the_nearest_centre(given_windows, seed):
    frame = table(given_windows)
    owned = ownership(frame)
    assert list(owned) == frame["site_id"].tolist()
    cells, whole = metres(owned), frame.geometry.to_crs(32632)
    assert all(g.is_valid for g in owned.values())
    union = shapely.union_all(whole.array)
    # A centimetre along every side: strips that thin are rounding.
    tolerance = 0.01 * (union.length + sum(g.length for g in whole))
    assert abs(cells.area.sum() - union.area) < tolerance
    assert shapely.union_all(cells.array).symmetric_difference(union).area < tolerance
    centres = np.array([[g.centroid.x, g.centroid.y] for g in whole])
    random = np.random.default_rng(seed)
    west, south, east, north = union.bounds
    for x, y in random.uniform((west, south), (east, north), (50, 2)):
        point = Point(x, y)
        holders = [n for n, g in enumerate(whole) if g.buffer(-5).contains(point)]
        if not holders:
            continue
        distances = np.hypot(*(centres[holders] - (x, y)).T)
        order = np.argsort(distances)
        if len(order) > 1 and distances[order[1]] - distances[order[0]] < 10:
            continue
        on_an_edge = any(abs(g.exterior.distance(point)) < 5 for g in whole)
        if not on_an_edge:
            assert cells.iloc[holders[order[0]]].contains(point)


def test_a_crowded_district_takes_seconds():
    random = np.random.default_rng(0)
    places = [(int(x) * 10, int(y) * 10, 512) for x, y in random.integers(-2000, 2000, (1000, 2))]
    start = time.perf_counter()
    assert len(ownership(table(places))) == 1000
    assert time.perf_counter() - start < 30
