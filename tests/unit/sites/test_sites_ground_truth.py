"""Ground truth: the union, what is removed and counted, and that regions agree."""

import os
from pathlib import Path

import geopandas as gpd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import Point, Polygon

from minemap_assets.geo.vector import areas_km2, geodesic_area_km2, read_geoparquet
from minemap_assets.lake.lake import Lake
from minemap_assets.lake.manifests import PartitionRef
from minemap_assets.project.regions import Region
from minemap_assets.reference.polygon_sets import polygon_table
from minemap_assets.sites.config import BADLY_DRAWN, SitesConfig
from minemap_assets.sites.ground_truth import COLUMNS, PolygonSet, build_ground_truth, unite_sets

REGION = Region("r", "R", shapely.box(9, -1, 11, 1))
CONFIG = SitesConfig()


def square(x, y, size=0.01):
    return shapely.box(x, y, x + size, y + size)


def polygon_set(name, geometries, role="labels", groups=None):
    frame = gpd.GeoDataFrame(
        {"polygon_id": [f"{n:05d}" for n in range(len(geometries))], "group": groups or [""] * len(geometries)},
        geometry=list(geometries),
        crs=4326,
    )
    return PolygonSet(name, role, frame)


def layer(truth, name):
    return truth.frame[truth.frame["layer"] == name].reset_index(drop=True)


def test_touching_polygons_of_all_sets_are_one():
    sets = [
        polygon_set("broad", [square(10, 0), square(10.5, 0)], groups=["7", ""]),
        polygon_set("precise", [square(10.005, 0.005), square(10.01, 0.015)], groups=["7", "8"]),
        polygon_set("scan", [square(10.51, 0), square(10.8, 0)], role="outlines"),
    ]
    truth = unite_sets(sets, REGION, CONFIG)
    assert list(truth.frame.columns) == COLUMNS
    labels, outlines = layer(truth, "labels"), layer(truth, "outlines")
    by_sets = {tuple(s): g for s, g in zip(labels["sets"], labels["group"], strict=True)}
    assert by_sets == {("broad", "precise"): "broad:7|precise:7|precise:8", ("broad",): ""}
    assert sorted(map(tuple, outlines["sets"])) == [("broad", "precise"), ("broad", "scan"), ("scan",)]
    assert truth.summary["polygons_in_region"] == {"broad": 2, "precise": 2, "scan": 2}
    assert (truth.summary["labels"], truth.summary["outlines"]) == (2, 3)
    whole = shapely.union_all([s for one in sets for s in one.frame.geometry])
    assert shapely.union_all(outlines.geometry.array).equals(whole)


def test_land_inside_a_ring_stays_land():
    ring = [shapely.box(10, 0, 10.1, 0.01), shapely.box(10, 0.09, 10.1, 0.1)]
    ring += [shapely.box(10, 0, 10.01, 0.1), shapely.box(10.09, 0, 10.1, 0.1)]
    one = layer(unite_sets([polygon_set("a", ring)], REGION, CONFIG), "labels")
    assert len(one) == 1
    assert not one.geometry.iloc[0].contains(Point(10.05, 0.05))


def test_the_badly_drawn_polygon_is_removed_and_counted():
    x, y = BADLY_DRAWN
    bad = shapely.box(x - 0.01, y - 0.01, x + 0.01, y + 0.01)
    region = Region("g", "G", shapely.box(-3, 5, -1, 7))
    truth = unite_sets([polygon_set("a", [bad, square(-2.5, 6)])], region, CONFIG)
    assert truth.summary["removed_known_bad"] == 1
    assert truth.summary["labels"] == 1
    kept = unite_sets([polygon_set("a", [bad])], region, SitesConfig(known_bad=()))
    assert (kept.summary["removed_known_bad"], kept.summary["labels"]) == (0, 1)
    assert unite_sets([polygon_set("a", [bad])], REGION, CONFIG).summary["removed_known_bad"] == 0


def test_slivers_are_dropped_and_counted():
    ten_metres = square(10, 0, 0.00009)
    over_the_border = shapely.box(11 - 1e-9, 0, 11.1, 0.1)
    truth = unite_sets([polygon_set("a", [ten_metres, over_the_border])], REGION, CONFIG)
    assert truth.summary["dropped_outlines_below_min_area"] == 2
    assert truth.summary["dropped_labels_below_min_area"] == 1
    assert len(layer(truth, "outlines")) == 0
    everything = unite_sets([polygon_set("a", [ten_metres])], REGION, SitesConfig(min_area_m2=0))
    assert everything.summary["outlines"] == 1


def test_geometry_is_whole_and_area_is_inside():
    crossing, outside = shapely.box(10.99, 0, 11.03, 0.01), square(11.04, 0.02)
    far = square(12, 0)
    truth = unite_sets([polygon_set("a", [crossing, outside, far])], REGION, CONFIG)
    outlines, labels = layer(truth, "outlines"), layer(truth, "labels")
    assert [g.equals(crossing) for g in outlines.geometry] == [True]
    assert outlines["area_km2"].iloc[0] == pytest.approx(geodesic_area_km2(shapely.box(10.99, 0, 11, 0.01)), rel=1e-3)
    context = labels[labels["area_km2"] == 0]
    assert [g.equals(outside) for g in context.geometry] == [True]
    assert truth.summary["labels_outside_region"] == 1


def test_nothing_there(tmp_path):
    lake = Lake.local(tmp_path / "home", tmp_path / "state")
    with lake.writer(PartitionRef("sites", "ground_truth", ("r",)), "print") as writer:
        outcome = build_ground_truth([polygon_set("a", [])], REGION, CONFIG, writer)
        manifest = writer.commit("1", {}, outcome)
    assert outcome.summary["outlines"] == 0
    frame = read_geoparquet(lake.open(manifest.ref).file("ground_truth.parquet"))
    assert list(frame.columns) == COLUMNS
    assert frame.empty


boxes = st.lists(
    st.builds(
        lambda x, y, w, h: shapely.box(10 + x / 100, y / 100, 10 + (x + w) / 100, (y + h) / 100),
        st.integers(0, 40),
        st.integers(0, 40),
        st.integers(1, 6),
        st.integers(1, 6),
    ),
    min_size=1,
    max_size=25,
)


@given(boxes, boxes)
@settings(max_examples=40)
def test_it_is_the_union_and_its_parts_do_not_touch(first, second):
    truth = unite_sets([polygon_set("a", first), polygon_set("b", second, role="outlines")], REGION, CONFIG)
    for name, geometries in (("labels", first), ("outlines", first + second)):
        parts = layer(truth, name)
        assert shapely.union_all(parts.geometry.array).equals(shapely.union_all(geometries))
        left, right = shapely.STRtree(parts.geometry.array).query(parts.geometry.array, predicate="intersects")
        assert (left == right).all()
        assert parts["truth_id"].is_unique
        assert parts["area_km2"].to_numpy() == pytest.approx(areas_km2(parts.geometry))


@given(boxes, st.randoms())
@settings(max_examples=20)
def test_overlapping_regions_and_other_orders_agree(geometries, random):
    west = Region("w", "W", shapely.box(9, -1, 10.25, 1))
    east = Region("e", "E", shapely.box(10.15, -1, 11, 1))
    shuffled = list(geometries)
    random.shuffle(shuffled)
    one = layer(unite_sets([polygon_set("a", geometries)], west, CONFIG), "outlines").set_index("truth_id")
    two = layer(unite_sets([polygon_set("a", shuffled)], east, CONFIG), "outlines").set_index("truth_id")
    both = one.index.intersection(two.index)
    assert all(one.geometry[i].equals(two.geometry[i]) for i in both)
    middle = shapely.box(10.15, -1, 10.25, 1)
    for frame in (one, two):
        shared = frame[[g.intersects(middle) and g.intersection(middle).area > 0 for g in frame.geometry]]
        assert set(shared.index) <= set(both)


def test_the_papers_polygons_and_the_annotated_tiles():
    folder = os.environ.get("MINEMAP_TEST_DATA")
    if not folder:
        pytest.skip("MINEMAP_TEST_DATA is not set")
    paper = gpd.read_file(Path(folder) / "p0017-paper-demo-polygons" / "mining_polygons_combined_demo.gpkg")
    tiles = gpd.read_file(
        Path(folder) / "mine-segmentation-test-annotations" / "mining_tiles_test_annotations.gpkg",
        layer="polygons_original",
    ).explode(ignore_index=True)
    sets = [
        PolygonSet("paper", "labels", polygon_table(paper, id_column="id")),
        PolygonSet("tiles", "outlines", polygon_table(tiles, id_column="tile_id", group_column="tile_id")),
    ]
    world = Region("world", "World", shapely.box(-179, -60, 179.99, 75))
    truth = unite_sets(sets, world, SitesConfig(min_area_m2=0))
    labels, outlines = layer(truth, "labels"), layer(truth, "outlines")
    assert labels.is_valid.all()
    assert outlines.is_valid.all()
    assert labels["area_km2"].sum() == pytest.approx(142.361876, rel=1e-6)
    union = shapely.union_all([*paper.geometry, *tiles.geometry])
    assert areas_km2(gpd.GeoSeries([union], crs=4326))[0] == pytest.approx(outlines["area_km2"].sum(), rel=1e-9)
    assert outlines["group"].str.startswith("tiles:").any()


def test_broken_input_is_repaired():
    bow = Polygon([(10, 0), (10.02, 0.02), (10.02, 0), (10, 0.02)])
    truth = unite_sets([polygon_set("a", [bow])], REGION, CONFIG)
    assert truth.frame.is_valid.all()
    assert truth.summary["labels_km2"] == pytest.approx(geodesic_area_km2(square(10, 0, 0.02)) / 2, rel=2e-2)
