"""What spans 180 degrees, on every path that reads, joins or names it: the same ground as anywhere else."""

import json
from io import BytesIO
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely
from PIL import Image
from shapely.geometry import MultiPolygon, Polygon

from minemap_assets.geo.antimeridian import short_way, sides, to_wgs84, within_a_turn
from minemap_assets.geo.vector import areas_km2
from minemap_assets.geo.vector_files import read_vector
from minemap_assets.lake.lake import Lake
from minemap_assets.polygons.countries import Borders
from minemap_assets.polygons.merge import merge_sites
from minemap_assets.polygons.preview import MINE, polygon_sheet
from minemap_assets.project.regions import Region
from minemap_assets.reference.polygon_sets import polygon_table
from minemap_assets.reference.registered import PROMOTED_SITES_PATH
from minemap_assets.sites.build import site_table
from minemap_assets.sites.cells import site_cells
from minemap_assets.sites.config import SitesConfig
from minemap_assets.sites.ground_truth import PolygonSet, unite_sets
from minemap_assets.sites.promotion import promote

HALVES = MultiPolygon([shapely.box(179.98, -17.0, 180.0, -16.98), shapely.box(-180.0, -17.0, -179.98, -16.98)])
WRAPPED = Polygon([(179.98, -17.0), (-179.98, -17.0), (-179.98, -16.98), (179.98, -16.98)])
BEYOND = shapely.box(179.98, -17.0, 180.02, -16.98)
BEFORE = shapely.box(-180.02, -17.0, -179.98, -16.98)
KM2 = 9.428
"""Of each of these: 0.04 by 0.02 degrees at 17 degrees south."""


def areas(geometries) -> np.ndarray:
    return areas_km2(gpd.GeoSeries(list(geometries), crs="EPSG:4326"))


def array(*geometries) -> np.ndarray:
    return np.array(geometries, dtype=object)


def file_of(folder: Path, *geometries) -> Path:
    path = folder / "drawn.geojson"
    features = [{"type": "Feature", "properties": {}, "geometry": shapely.geometry.mapping(g)} for g in geometries]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


@pytest.mark.parametrize("drawn", [WRAPPED, BEYOND, BEFORE, HALVES], ids=["wrapped", "beyond", "before", "halves"])
def test_a_polygon_of_a_set_is_cut_and_keeps_its_area(drawn, tmp_path: Path) -> None:
    table = polygon_table(read_vector(file_of(tmp_path, drawn, shapely.box(0, 0, 0.01, 0.01))))
    assert len(table) == 3
    assert areas(table.geometry).sum() == pytest.approx(KM2 + 1.2309, rel=1e-3)
    assert (table.bounds["maxx"] - table.bounds["minx"]).max() < 0.03


def test_points_and_lines_beyond_a_turn_come_back() -> None:
    line = shapely.LineString([(-181, 0), (-179, 0)])
    found = within_a_turn(array(shapely.Point(181, 5), shapely.Point(-200, 5), line, shapely.Point(3, 4)))
    assert [shapely.get_coordinates(found[n]).tolist() for n in (0, 1, 3)] == [[[-179, 5]], [[160, 5]], [[3, 4]]]
    assert found[2].bounds == (-180, 0, 180, 0)
    assert found[2].length == pytest.approx(2.0)


def test_what_is_drawn_as_it_is_meant_stays_the_very_same() -> None:
    world = shapely.box(-180, -90, 180, 90)
    wide = Polygon([(-170, -5), (0, -5), (170, -5), (170, 5), (0, 5), (-170, 5)])
    for geometry in (HALVES, world, wide, shapely.box(0, 0, 1, 1)):
        assert short_way(array(geometry))[0] is geometry


def test_holes_and_poles_are_kept_where_sides_go_the_short_way() -> None:
    hole = [(179.99, -16.995), (-179.99, -16.995), (-179.99, -16.985), (179.99, -16.985)]
    (cut,) = short_way(array(Polygon(WRAPPED.exterior.coords, [hole])))
    assert areas([cut])[0] == pytest.approx(KM2 * 0.75, rel=1e-3)
    longitudes = np.arange(-180.0, 180.0, 30.0)
    (cap,) = short_way(array(Polygon([(x, -80.0) for x in longitudes])))
    assert cap.bounds == (-180, -90, 180, -80)
    assert cap.area == pytest.approx(3600.0)


@pytest.mark.parametrize("epsg", [32760, 32701])
@pytest.mark.parametrize("latitude", [-17.0, -52.0, -0.5])
def test_what_was_cut_projected_and_rounded_comes_back_to_the_line(epsg: int, latitude: float) -> None:
    """Two outlines that share a side across the line, joined: as much ground as before, and no sliver beyond it."""
    middle = gpd.GeoSeries([shapely.Point(180.0, latitude)], crs="EPSG:4326").to_crs(epsg).iloc[0]
    x, y = round(middle.x / 5) * 5, round(middle.y / 5) * 5
    pixels = [shapely.box(x - 1000, y - 500, x - 5, y + 500), shapely.box(x - 5, y - 500, x + 1000, y + 500)]
    raw = gpd.GeoDataFrame({"site_id": ["a", "b"]}, geometry=to_wgs84(pixels, f"EPSG:{epsg}"), crs="EPSG:4326")
    raw = raw.explode(index_parts=False, ignore_index=True)
    merged = merge_sites(raw, dict.fromkeys(("a", "b"), f"EPSG:{epsg}")).polygons
    assert len(merged) == 2
    west, _, east, _ = shapely.bounds(merged).T
    assert sorted(np.where(west < 0, west, east)) == [-180.0, 180.0]
    assert areas(merged).sum() == pytest.approx(areas(raw.geometry).sum(), rel=3e-7)


def test_a_mine_of_a_set_has_a_site_on_either_side(tmp_path: Path) -> None:
    table = polygon_table(read_vector(file_of(tmp_path, WRAPPED)))
    for west, east in ((178.0, 180.0), (-180.0, -178.0)):
        region = Region("fiji", "Fiji", shapely.box(west, -18, east, -16))
        truth = unite_sets([PolygonSet("a", "labels", table)], region, SitesConfig()).frame
        sites = site_table(truth, None, region, SitesConfig())
        assert sites["outline_km2"].tolist() == pytest.approx([KM2 / 2], rel=1e-3)
        assert sites["longitude"].tolist() == pytest.approx([179.99 if west > 0 else -179.99])


@pytest.mark.parametrize("drawn", [WRAPPED, BEYOND, HALVES], ids=["wrapped", "beyond", "halves"])
def test_a_promoted_outline_has_a_site_on_either_side(drawn, tmp_path: Path) -> None:
    store = Lake.local(tmp_path / "home", tmp_path / "state").store
    assert promote(store, file_of(tmp_path, drawn), "drawn by hand") == 1
    path = tmp_path / "back.geojson"
    path.write_bytes(store.read_bytes(PROMOTED_SITES_PATH))
    region = Region("fiji", "Fiji", shapely.box(178, -18, 180, -16))
    nothing = unite_sets([], region, SitesConfig()).frame
    sites = site_table(nothing, read_vector(path), region, SitesConfig())
    assert sites["longitude"].tolist() == pytest.approx([179.99])
    assert sites["crs"].tolist() == ["EPSG:32760"]
    assert sites["outline_km2"].tolist() == pytest.approx([KM2 / 2], rel=1e-3)


def test_a_picture_of_a_window_across_the_line_shows_both_sides(tmp_path: Path) -> None:
    table = polygon_table(read_vector(file_of(tmp_path, WRAPPED)))
    region = Region("fiji", "Fiji", shapely.box(178, -18, 180, -16))
    truth = unite_sets([PolygonSet("a", "labels", table)], region, SitesConfig()).frame
    sites = site_table(truth, None, region, SitesConfig())
    sheet = Image.open(BytesIO(polygon_sheet(np.asarray(table.geometry, dtype=object), site_cells(sites))))
    shown = (np.asarray(sheet.convert("RGB")) == MINE).all(axis=-1)
    rows, columns = np.nonzero(shown)
    # the mine goes on over the line, to the side of the window
    assert shown.mean() == pytest.approx(0.375, abs=0.04)
    assert columns.max() == shown.shape[1] - 1
    assert rows.min() > 0.2 * shown.shape[0]


def test_countries_of_what_lies_on_both_sides() -> None:
    west, east = shapely.box(-180, -18, -179, -16), shapely.box(179, -18, 180, -16)
    two = gpd.GeoDataFrame({"iso3": ["XEA", "XWA"], "name": "", "continent": ""}, geometry=[east, west], crs=4326)
    one = gpd.GeoDataFrame(
        {"iso3": ["XBO"], "name": "", "continent": ""}, geometry=[shapely.union(east, west)], crs=4326
    )
    for frame, expected in ((two, [("XEA", 0.5), ("XWA", 0.5)]), (one, [("XBO", 1.0)])):
        split = Borders(frame).split(array(HALVES))
        assert list(zip(split["iso3"], split["share"].round(6), strict=True)) == expected


def test_land_behind_the_line_is_near_and_the_sea_on_both_sides_is_not() -> None:
    land = gpd.GeoDataFrame(
        {"iso3": ["XWA"], "name": "", "continent": ""}, geometry=[shapely.box(-179.99, -18, -179, -16)], crs=4326
    )
    borders = Borders(land)
    assert borders.of_points(array(shapely.Point(179.99, -17), shapely.Point(179.9, -17))) == ["XWA", ""]
    # half of it 1 to 3 km off the coast, half of it across the line
    assert borders.split(array(HALVES))["iso3"].tolist() == ["XWA"]
    assert borders.split(array(shapely.transform(HALVES, lambda xy: xy + np.array([0.0, 20.0]))))["iso3"].tolist() == [
        ""
    ]


def test_sides_are_told_apart_only_where_they_are() -> None:
    alone = shapely.box(0, 0, 1, 1)
    found = sides(array(alone, HALVES))
    assert found[0] is alone
    assert [g.bounds[0] for g in found[1:]] == [-180.0, 179.98]
    assert sides(array(alone)).tolist() == [alone]
