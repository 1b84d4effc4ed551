"""Joining across sites, filling holes and absorbing islands."""

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from minemap_assets.geo.antimeridian import to_wgs84
from minemap_assets.geo.grid import square_grid
from minemap_assets.geo.vector import areas_km2
from minemap_assets.polygons.holes import fill_holes
from minemap_assets.polygons.merge import Merged, absorb, merge_sites, merge_touching
from minemap_assets.polygons.outlines import outline

UTM = "EPSG:32630"


def raw_frame(parts, crs=UTM) -> gpd.GeoDataFrame:
    """Rows (site, polygon in UTM) in EPSG:4326."""
    frame = gpd.GeoDataFrame({"site_id": [s for s, _ in parts]}, geometry=[g for _, g in parts], crs=crs)
    return frame.to_crs("EPSG:4326")


def box(west: float, south: float, east: float, north: float):
    return shapely.box(600_000 + west, 700_000 + south, 600_000 + east, 700_000 + north)


def test_a_mine_cut_between_sites_is_one_again() -> None:
    raw = raw_frame([("a", box(0, 0, 50, 35)), ("b", box(50, 5, 90, 60)), ("a", box(500, 0, 510, 10))])
    merged = merge_sites(raw, {"a": UTM, "b": UTM})
    assert [m.tolist() for m in merged.members] == [[0, 1], [2]]
    back = gpd.GeoSeries(merged.polygons, crs="EPSG:4326").to_crs(UTM)
    assert back.area.tolist() == pytest.approx([50 * 35 + 40 * 55, 100], abs=1e-3)
    assert merged.polygons[1] == raw.geometry.iloc[2]


def test_corners_and_outlines_of_one_site_stay_apart() -> None:
    raw = raw_frame([("a", box(0, 0, 50, 50)), ("b", box(50, 50, 90, 90)), ("a", box(50, 0, 90, 50))])
    merged = merge_sites(raw.iloc[:2], {"a": UTM, "b": UTM})
    assert [m.tolist() for m in merged.members] == [[0], [1]]
    assert all(p.geom_type == "Polygon" for p in merged.polygons)


def test_across_a_zone_border() -> None:
    """At 6 degrees west, outlines of zones 29 and 30 overlap by slivers and join."""
    east = square_grid(166_500, 700_000, 64, 32630)
    west_shape = gpd.GeoSeries([shapely.box(*east.boundingbox.bbox)], crs=UTM).to_crs("EPSG:32629")
    x, y = west_shape.iloc[0].centroid.coords[0]
    west = square_grid(x - 200, y, 64, 32629)
    frames = [
        raw_frame([("e", shapely.box(*east.boundingbox.bbox))]),
        raw_frame([("w", shapely.box(*west.boundingbox.bbox))], "EPSG:32629"),
    ]
    raw = gpd.GeoDataFrame(gpd.pd.concat(frames, ignore_index=True), crs="EPSG:4326")
    merged = merge_sites(raw, {"e": UTM, "w": "EPSG:32629"})
    assert [m.tolist() for m in merged.members] == [[0, 1]]
    assert merged.polygons[0].is_valid


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(arrays(bool, (16, 24), elements=st.booleans()))
def test_two_windows_give_what_one_would(world, pattern: np.ndarray) -> None:
    """Outlines of two overlapping windows, joined, are the outlines of the whole scene."""
    scene = np.kron(pattern, np.ones((4, 4), dtype=bool))
    stored = np.where(scene, 254, 0).astype(np.uint8)
    world.masks(2019, {"a": stored[:, :64], "b": stored[:, 32:]})
    raw = world.outlined().polygons
    merged = merge_sites(raw, {"a": UTM, "b": UTM})
    whole = outline(scene, world.grids["a"])
    back = gpd.GeoSeries(merged.polygons, crs="EPSG:4326").to_crs(UTM)
    assert sorted(back.area.round(2)) == pytest.approx(sorted(shapely.area(whole.polygons)), abs=0.01)
    assert all(p.geom_type == "Polygon" and p.is_valid for p in merged.polygons)
    assert sorted(np.concatenate([np.zeros(0, int), *merged.members]).tolist()) == list(range(len(raw)))


def test_at_180_degrees_each_side_is_joined_and_no_ground_is_lost() -> None:
    """Two outlines over the antimeridian that share a side: a polygon on either side of it, with all of the ground."""
    zone = "EPSG:32660"
    middle = gpd.GeoSeries([shapely.Point(180.0, 10.0)], crs="EPSG:4326").to_crs(zone).iloc[0]
    x, y = 5 * round(middle.x / 5), 5 * round(middle.y / 5)
    boxes = [shapely.box(x - 300, y, x + 200, y + 100), shapely.box(x - 300, y + 100, x + 150, y + 250)]
    cut = gpd.GeoDataFrame({"site_id": ["a", "b"]}, geometry=to_wgs84(boxes, zone), crs="EPSG:4326")
    raw = cut.explode(index_parts=False, ignore_index=True)
    merged = merge_sites(raw, {"a": zone, "b": zone})
    assert len(raw) == 4
    assert sorted(sorted(raw["site_id"].iloc[rows]) for rows in merged.members) == [["a", "b"], ["a", "b"]]
    west, _, east, _ = shapely.bounds(merged.polygons).T
    assert sorted(np.sign(west + east)) == [-1.0, 1.0]
    assert np.allclose(np.abs(np.where(west < 0, west, east)), 180.0)
    joined = areas_km2(gpd.GeoSeries(merged.polygons, crs="EPSG:4326")).sum()
    assert areas_km2(raw.geometry).sum() <= joined * (1 + 1e-9)
    assert 0.997 < joined / (sum(shapely.area(boxes)) / 1e6) < 1.0


def test_polygons_of_a_year_that_touch_are_one() -> None:
    """The union of all, taken apart, with each polygon in exactly one part; what meets nothing is the same object."""
    random = np.random.default_rng(2)
    corners = random.integers(0, 60, (80, 2)) * 1e-3
    sizes = random.integers(1, 5, (80, 2)) * 1e-3
    polygons = shapely.box(*corners.T, *(corners + sizes).T)
    merged = merge_touching(polygons)
    whole = shapely.get_parts(shapely.union_all(polygons))
    assert 1 < len(whole) == len(merged.polygons) < 60
    assert sorted(np.concatenate(merged.members).tolist()) == list(range(80))
    assert [int(m[0]) for m in merged.members] == sorted(int(m[0]) for m in merged.members)
    for polygon, members in zip(merged.polygons, merged.members, strict=True):
        assert np.count_nonzero(shapely.equals(whole, polygon)) == 1
        assert shapely.intersects(polygon, shapely.point_on_surface(polygons[members])).all()
        assert len(members) > 1 or polygon is polygons[members[0]]
    corner = np.array([shapely.box(0, 0, 1, 1), shapely.box(1, 1, 2, 2)], dtype=object)
    assert [m.tolist() for m in merge_touching(corner).members] == [[0], [1]]
    assert len(merge_touching(corner[:0]).polygons) == 0


def test_of_two_that_are_the_same_one_stays() -> None:
    twins = np.array([shapely.box(0, 0, 1, 1), shapely.box(0, 0, 1, 1)], dtype=object)
    assert [m.tolist() for m in absorb(Merged(twins, (np.array([0]), np.array([1])))).members] == [[0, 1]]


def with_hole(side_km: float):
    """A 3 km square around 5 W, 0 N with a square hole of the given side, in degrees."""
    degree = 1 / 110.9
    ring = shapely.box(-5, 0, -5 + 3 * degree, 3 * degree)
    hole = shapely.box(-5 + degree, degree, -5 + degree + side_km * degree, degree + side_km * degree)
    return ring.difference(hole)


def test_holes_by_size() -> None:
    small, large = with_hole(0.09), with_hole(0.2)
    polygons = np.array([small, large], dtype=object)
    holes = {mode: [len(p.interiors) for p in fill_holes(polygons, mode, 0.01)] for mode in ("small", "all", "none")}
    assert holes == {"small": [0, 1], "all": [0, 0], "none": [1, 1]}
    assert polygons[0] == small


def test_islands_in_filled_holes_are_absorbed() -> None:
    ring = with_hole(0.2)
    island = shapely.box(*ring.interiors[0].bounds).buffer(-0.0005)
    merged = Merged(np.array([island, ring], dtype=object), (np.array([0]), np.array([1])))
    assert [m.tolist() for m in absorb(merged).members] == [[0], [1]]
    filled = absorb(merged.with_polygons(fill_holes(merged.polygons, "all", 0.0)))
    assert [m.tolist() for m in filled.members] == [[0, 1]]
    assert filled.polygons[0].contains(island)


def test_nothing_to_merge() -> None:
    empty = raw_frame([])
    assert len(merge_sites(empty, {}).polygons) == 0
    assert len(absorb(merge_sites(empty, {})).polygons) == 0
