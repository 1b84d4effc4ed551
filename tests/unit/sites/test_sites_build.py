"""Sites: ids that neighbours never change, windows by the published rule, blocks, promoted sites."""

import os
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import Point

from minemap_assets.errors import BadInputError
from minemap_assets.geo.grid import at_resolution
from minemap_assets.geo.vector import read_geoparquet
from minemap_assets.lake.lake import Lake
from minemap_assets.lake.manifests import PartitionRef
from minemap_assets.project.regions import Region, validate_geometry
from minemap_assets.reference.polygon_sets import polygon_table
from minemap_assets.sites.build import build_sites, site_table
from minemap_assets.sites.config import SitesConfig
from minemap_assets.sites.ground_truth import PolygonSet, unite_sets
from minemap_assets.sites.spatial_blocks import split_groups
from minemap_assets.sites.windows import iter_sites, site_grid

REGION = Region("r", "R", shapely.box(9, -1, 11, 1))
CONFIG = SitesConfig()
PARITY = SitesConfig(large="squeeze")


def square(x, y, size=0.01):
    return shapely.box(x, y, x + size, y + size)


def truth_of(geometries, region=REGION, config=CONFIG, groups=None):
    frame = polygon_table(
        gpd.GeoDataFrame({"g": groups or [""] * len(geometries)}, geometry=list(geometries), crs=4326), group_column="g"
    )
    return unite_sets([PolygonSet("a", "labels", frame)], region, config).frame


def sites_of(geometries, promoted=None, region=REGION, config=CONFIG, groups=None):
    return site_table(truth_of(geometries, region, config, groups), promoted, region, config)


def test_a_small_mine_gets_the_smallest_window_in_its_zone():
    frame = sites_of([square(10, 0.5)])
    row = frame.iloc[0]
    assert (row["width"], row["height"], row["ground_resolution"], row["crs"]) == (512, 512, 5.0, "EPSG:32632")
    assert (row["longitude"], row["latitude"]) == pytest.approx((10.005, 0.505))
    assert row["site_id"].startswith("m")
    assert len(row["site_id"]) == 11
    assert (row["origin"], row["region"], row["split_group"]) == ("reference", "r", row["site_id"])
    grid = site_grid(row)
    centre = gpd.GeoSeries([Point(10.005, 0.505)], crs=4326).to_crs(32632).iloc[0]
    box = grid.boundingbox
    assert abs((box.left + box.right) / 2 - centre.x) <= 5
    assert abs((box.bottom + box.top) / 2 - centre.y) <= 5
    assert box.left % 10 == 0
    assert box.top % 10 == 0


@pytest.mark.parametrize("size", [0.02, 0.1, 0.3])
def test_a_large_mine_gets_twice_its_longest_side(size):
    outline = shapely.box(10, 0.2, 10 + size, 0.21)
    longest = np.ptp(gpd.GeoSeries([outline], crs=4326).to_crs(32632).bounds.to_numpy()[0][[0, 2]])
    tiled = sites_of([outline]).iloc[0]
    assert tiled["width"] == tiled["height"]
    assert tiled["width"] % 2 == 0
    assert 0 <= tiled["width"] * 5 - max(2 * longest, 2560) < 10
    squeezed = sites_of([outline], config=PARITY).iloc[0]
    assert (squeezed["width"], squeezed["height"]) == (512, 512)
    assert squeezed["ground_resolution"] * 512 == tiled["width"] * 5
    assert squeezed["site_id"] == tiled["site_id"]
    for row in (tiled, squeezed):
        grid = site_grid(row)
        assert at_resolution(grid, 10.0).boundingbox == grid.boundingbox
        assert at_resolution(grid, 5.0).boundingbox == grid.boundingbox
        assert row["geometry"].contains(outline)


def test_windows_that_are_no_even_number_are_refused():
    with pytest.raises(ValueError, match="must be even"):
        SitesConfig(min_pixels=511)


outlines = st.builds(
    lambda x, y, w, h: shapely.box(9.5 + x, y, 9.5 + x + w, y + h),
    st.floats(0, 0.5),
    st.floats(-0.3, 0.3),
    st.floats(0.002, 0.05),
    st.floats(0.002, 0.05),
)


@given(st.lists(outlines, min_size=1, max_size=6), st.lists(outlines, max_size=6), outlines)
@settings(max_examples=40)
def test_neighbours_never_change_an_id_or_a_grid(known, added, promoted):
    before = sites_of(known).set_index("site_id")
    whole = shapely.union_all(known).buffer(1e-6)
    added = [g for g in added if not g.intersects(whole)]
    scan = gpd.GeoDataFrame(geometry=[promoted], crs=4326)
    after = sites_of(known + added, promoted=scan).set_index("site_id")
    columns = ["longitude", "latitude", "crs", "width", "height", "outline_km2"]
    assert set(before.index) <= set(after.index)
    assert after.loc[before.index, columns].equals(before[columns])
    assert after.loc[before.index, "transform"].tolist() == before["transform"].tolist()
    assert after.index.is_unique
    assert after.index.is_monotonic_increasing
    assert all(
        before.index[before["split_group"] == group].isin(after.index[after["split_group"] == new]).all()
        for group, new in zip(before["split_group"], after.loc[before.index, "split_group"], strict=True)
    )


def test_overlapping_regions_agree_on_a_mine_across_their_border():
    mine = shapely.box(9.98, 0, 10.03, 0.01)
    west = Region("w", "W", shapely.box(9, -1, 10, 1))
    east = Region("e", "E", shapely.box(10, -1, 11, 1))
    one, two = sites_of([mine], region=west).iloc[0], sites_of([mine], region=east).iloc[0]
    assert one["site_id"] == two["site_id"]
    assert site_grid(one) == site_grid(two)


def test_promoted_sites_that_meet_a_known_outline_add_nothing():
    known = square(10, 0)
    promoted = gpd.GeoDataFrame(
        {"note": list("abcdefg")},
        geometry=[
            square(10.005, 0.005),
            Point(10.005, 0.002),
            Point(10.5, 0.5),
            Point(10.5, 0.5),
            square(10.6, 0.5),
            square(10.609, 0.505),
            square(20, 0),
        ],
        crs=4326,
    )
    frame = sites_of([known], promoted=promoted)
    assert sorted(frame["origin"]) == ["promoted", "promoted", "reference"]
    added = frame[frame["origin"] == "promoted"].sort_values("longitude")
    assert added["longitude"].tolist() == pytest.approx([10.5, 10.6095])
    assert added["outline_km2"].iloc[0] == 0
    assert added["width"].iloc[0] == 512
    metres = promoted.to_crs(3857)
    assert sites_of([known], promoted=metres.iloc[::-1])["site_id"].tolist() == frame["site_id"].tolist()
    assert sites_of([known], promoted=promoted.iloc[:0])["site_id"].tolist() == sites_of([known])["site_id"].tolist()
    only = sites_of([], promoted=promoted)
    assert len(only) == 4


def test_blocks_join_overlapping_windows_and_equal_groups():
    geometries = [square(10, 0), square(10.02, 0), square(10.5, 0), square(10.8, 0.5), square(9.5, 0.5)]
    frame = sites_of(geometries, groups=["", "", "x", "x", "y"]).sort_values("longitude")
    by_place = dict(zip(frame["longitude"].round(3), frame["split_group"], strict=True))
    assert by_place[10.005] == by_place[10.025]
    assert by_place[10.505] == by_place[10.805]
    assert len(set(by_place.values())) == 3
    for group, ids in frame.groupby("split_group")["site_id"]:
        assert group == min(ids)


def test_blocks_of_nothing():
    assert split_groups([], np.zeros(0, dtype=object), []) == []


def test_no_mines(tmp_path):
    lake = Lake.local(tmp_path / "home", tmp_path / "state")
    with lake.writer(PartitionRef("sites", "sites", ("r",)), "print") as writer:
        outcome = build_sites(truth_of([]), None, REGION, CONFIG, writer)
        manifest = writer.commit("1", {}, outcome)
    frame = read_geoparquet(lake.open(manifest.ref).file("sites.parquet"))
    assert frame.empty
    assert outcome.summary["sites"] == 0
    assert list(iter_sites(frame)) == []


def test_a_window_on_the_antimeridian_is_cut_there():
    region = Region("fiji", "Fiji", shapely.box(178, -18, 180, -16))
    row = sites_of([square(179.99, -17, 0.005)], region=region).iloc[0]
    assert row["geometry"].geom_type == "MultiPolygon"
    assert row["geometry"].is_valid
    assert {round(b) for b in row["geometry"].bounds[::2]} == {-180, 180}
    assert row["geometry"].area < 0.01
    with pytest.raises(BadInputError, match="antimeridian"):
        validate_geometry(row["geometry"], "window")


def test_the_papers_polygons(tmp_path):
    folder = os.environ.get("MINEMAP_TEST_DATA")
    if not folder:
        pytest.skip("MINEMAP_TEST_DATA is not set")
    paper = gpd.read_file(Path(folder) / "p0017-paper-demo-polygons" / "mining_polygons_combined_demo.gpkg")
    world = Region("world", "World", shapely.box(-179, -60, 179.99, 75))
    truth = unite_sets([PolygonSet("paper", "labels", polygon_table(paper, id_column="id"))], world, CONFIG).frame
    lake = Lake.local(tmp_path / "home", tmp_path / "state")
    contents = []
    for _ in range(2):
        with lake.writer(PartitionRef("sites", "sites", ("world",)), "print") as writer:
            outcome = build_sites(truth, None, world, CONFIG, writer)
            manifest = writer.commit("1", {}, outcome)
        contents.append(manifest.content)
    assert contents[0] == contents[1]
    frame = read_geoparquet(lake.open(manifest.ref).file("sites.parquet"))
    assert outcome.summary["sites"] == len(frame) == (truth["layer"] == "outlines").sum() <= 100
    sites = list(iter_sites(frame))
    assert [s.site_id for s in sites] == frame["site_id"].tolist()
    held = gpd.GeoSeries(truth[truth["layer"] == "outlines"].geometry.array, crs=4326)
    windows = shapely.STRtree(frame.geometry.array)
    assert set(windows.query(held.array, predicate="covered_by")[0]) == set(range(len(held)))
    for site in sites:
        assert site.grid.shape[0] >= 512
        assert site.outline.contains(Point(site.longitude, site.latitude))
