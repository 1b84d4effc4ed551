"""Polygon sets, boundaries and points: from registered files to tables."""

import os
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from shapely.geometry import GeometryCollection, LineString, MultiPolygon, Point, Polygon

from minemap_assets.errors import BadInputError
from minemap_assets.geo.vector import geodesic_area_km2, read_geoparquet
from minemap_assets.lake.lake import Lake
from minemap_assets.lake.manifests import PartitionRef
from minemap_assets.reference.boundaries import build_boundaries, country_table
from minemap_assets.reference.points import build_points, point_table
from minemap_assets.reference.polygon_sets import build_polygon_set, polygon_table
from minemap_assets.reference.registration import register


@pytest.fixture
def data():
    folder = os.environ.get("MINEMAP_TEST_DATA")
    if not folder:
        pytest.skip("MINEMAP_TEST_DATA is not set")
    return Path(folder)


@pytest.fixture
def lake(tmp_path):
    return Lake.local(tmp_path / "home", tmp_path / "state")


def _built(lake, build, path, **entry):
    registered = register(lake.store, path, licence="test", **entry).entry
    with lake.writer(PartitionRef("reference", entry["name"]), "print") as writer:
        outcome = build(registered, lake.store, writer)
        manifest = writer.commit("1", {}, outcome)
    partition = lake.open(manifest.ref)
    return read_geoparquet(partition.file(partition.names()[0])), outcome.summary


BEIHAI = Point(109.545, 21.567)
"""Open pits on the coast of China, which 1:50m draws through the sea."""

BOW = Polygon([(0, 0), (2, 2), (2, 0), (0, 2)])


def _frame(geometries, crs=4326, **columns):
    return gpd.GeoDataFrame(columns, geometry=list(geometries), crs=crs)


def test_every_polygon_is_single_valid_and_flat():
    mixed = GeometryCollection([shapely.box(5, 5, 6, 6), LineString([(0, 0), (1, 1)])])
    two = MultiPolygon([shapely.box(10, 0, 11, 1), shapely.box(12, 0, 13, 1)])
    source = _frame([BOW, mixed, shapely.force_3d(two), None, Polygon(), Point(0, 0)], key=[1.0, 2, 3, 4, 5, 6])
    table = polygon_table(source, id_column="key")
    assert table["polygon_id"].tolist() == ["1-1", "1-2", "2", "3-1", "3-2"]
    assert set(table.geom_type) == {"Polygon"}
    assert table.is_valid.all()
    assert not table.has_z.any()
    assert shapely.area(table.geometry.array).sum() == pytest.approx(2 + 1 + 2)


def test_ids_depend_on_nothing_but_the_outline():
    boxes = [shapely.box(n, 0, n + 0.5, 0.5) for n in range(5)]
    turned = [Polygon(np.roll(shapely.get_coordinates(b)[:-1], 2, axis=0)) for b in reversed(boxes)]
    one, other = polygon_table(_frame(boxes)), polygon_table(_frame(turned))
    assert one["polygon_id"].tolist() == other["polygon_id"].tolist()
    assert all(a.equals(b) for a, b in zip(one.geometry, other.geometry, strict=True))
    alone = polygon_table(_frame(boxes[:1]))["polygon_id"].iloc[0]
    assert alone in set(one["polygon_id"])


def test_ids_are_unique_whatever_the_file_says():
    box = shapely.box(0, 0, 1, 1)
    table = polygon_table(_frame([box, box, box, box], key=["1", "1", "1-1", None]), id_column="key")
    assert table["polygon_id"].is_unique
    assert "row-4" in set(table["polygon_id"])
    assert polygon_table(_frame([box, box]))["polygon_id"].is_unique


def test_groups_follow_their_row():
    two = MultiPolygon([shapely.box(10, 0, 11, 1), shapely.box(12, 0, 13, 1)])
    table = polygon_table(_frame([two, BOW, shapely.box(5, 5, 6, 6)], g=[7, 8.0, np.nan]), group_column="g")
    by_group = table.set_crs(6933, allow_override=True).dissolve("group").area
    assert by_group.round(9).to_dict() == {"": 1.0, "7": 2.0, "8": 2.0}


def test_nothing_usable_gives_an_empty_table():
    table = polygon_table(_frame([Point(0, 0)]))
    assert list(table.columns) == ["polygon_id", "group", "geometry"]
    assert table.empty


def test_build_counts_what_it_did(lake, tmp_path):
    path = tmp_path / "a.gpkg"
    boxes = gpd.GeoSeries([BOW, shapely.box(5, 5, 6, 6), None], crs=4326)
    _frame(boxes.to_crs(3857), crs=3857).to_file(path)
    table, summary = _built(lake, build_polygon_set, path, name="own", kind="polygons")
    assert table.crs == "EPSG:4326"
    assert len(table) == 3
    assert {k: summary[k] for k in ("features", "polygons", "repaired", "empty", "without_area")} == {
        "features": 3,
        "polygons": 3,
        "repaired": 1,
        "empty": 1,
        "without_area": 0,
    }


def test_paper_polygons(lake, data):
    path = data / "p0017-paper-demo-polygons" / "mining_polygons_combined_demo.gpkg"
    table, summary = _built(lake, build_polygon_set, path, name="paper", kind="polygons", columns={"id": "id"})
    assert len(table) == summary["polygons"] == 100
    assert {"81737", "23438"} <= set(table["polygon_id"])
    homolosine = table.to_crs("+proj=igh").area
    assert homolosine.sum() / 1e6 == pytest.approx(143.104, abs=5e-4)
    assert homolosine.min() == pytest.approx(4066.856, abs=5e-4)
    geodesic = sum(geodesic_area_km2(g) for g in table.geometry)
    assert summary["area_km2"] == pytest.approx(geodesic, rel=1e-4)


@pytest.mark.parametrize(("layer", "polygons"), [("polygons_original", 1086), ("polygons_annotated", 1197)])
def test_multipolygon_layers(lake, data, layer, polygons):
    path = data / "mine-segmentation-test-annotations" / "mining_tiles_test_annotations.gpkg"
    columns = {"id": "tile_id", "group": "tile_id"}
    table, summary = _built(lake, build_polygon_set, path, name="tiles", kind="polygons", layer=layer, columns=columns)
    assert len(table) == polygons
    assert summary["groups"] == 116
    assert (table["polygon_id"].str.split("-").str[0] == table["group"]).all()


def test_shapefile_countries(lake, data):
    path = data / "natural-earth" / "ne_50m" / "ne_50m_admin_0_countries.shp"
    table, summary = _built(lake, build_boundaries, path, name="country_boundaries", kind="boundaries")
    assert table["iso3"].is_unique
    assert table["iso3"].is_monotonic_increasing
    assert table.is_valid.all()
    named = table.set_index("iso3")
    assert {"FRA", "NOR", "SSD", "ESH", "PSE"} <= set(named.index)
    assert not {"-99", "SDS", "IOA"} & set(named.index)
    assert named.loc["AUS", "name"] == "Australia"
    assert named.loc["PER", "continent"] == "South America"
    assert summary["without_code"] == []
    assert table["iso3"].iloc[shapely.distance(table.geometry.array, BEIHAI).argmin()] == "CHN"
    assert summary["area_km2"] == pytest.approx(147_000_000, rel=0.02)


def test_topojson_countries(lake, data):
    path = data / "natural-earth" / "countries-50m.json"
    table, summary = _built(lake, build_boundaries, path, name="country_boundaries", kind="boundaries", crs="EPSG:4326")
    assert table.is_valid.all()
    assert (table["iso3"].str.fullmatch("[A-Z]{3}")).all()
    assert table["iso3"].iloc[shapely.distance(table.geometry.array, BEIHAI).argmin()] == "CHN"
    assert (summary["features"], summary["countries"], summary["territories"]) == (239, len(table), 48)
    assert (summary["without_continent"], summary["without_code"], summary["codes_unknown"]) == (0, [], [])
    assert "KAS (Siachen Glacier) as XSG" in summary["coded_by_rule"]
    assert {"GUF from FRA", "SJM from NOR"} <= set(summary["territories_split"])
    assert {"Kosovo in SRB", "Somaliland in SOM"} <= set(summary["held_in_another"])
    assert (summary["standard_codes_absent"], summary["of_no_country"]) == (["BVT", "GIB", "UMI"], [])


def test_parts_of_one_country_are_united_and_named_after_the_largest():
    source = _frame(
        [shapely.box(0, 0, 1, 1), shapely.box(1, 0, 5, 5), BOW],
        ISO_A3=["-99", "AAA", "BBB"],
        ADM0_A3=["AAA", "XXX", "BBB"],
        NAME=["Small", "Large", "Bow"],
    )
    table = country_table(source)
    assert table[["iso3", "name", "continent"]].values.tolist() == [["AAA", "Large", ""], ["BBB", "Bow", ""]]
    assert table.geometry.iloc[0].geom_type == "Polygon"
    with pytest.raises(BadInputError, match="no column holds ISO 3166 codes"):
        country_table(source, columns={"iso3": "NAME"})


def test_points_one_row_a_year(lake, tmp_path):
    path = tmp_path / "points.csv"
    path.write_text("lon,lat,id,when,mine\n10,0,a,2019,1\n10,0,a,2020,not mine\n11,0,b,2019,\n11,0,b,2020,TRUE\n")
    columns = {"point_id": "id", "year": "when", "label": "mine"}
    table, summary = _built(lake, build_points, path, name="validation_points", kind="points", columns=columns)
    assert table[["point_id", "year", "label"]].values.tolist() == [
        ["a", 2019, True],
        ["a", 2020, False],
        ["b", 2020, True],
    ]
    assert table["label"].dtype == bool
    assert (summary["unlabelled"], summary["mines"], summary["years"]) == (1, 2, [2019, 2020])


def test_points_one_column_a_year():
    source = _frame([Point(0, 0), Point(1, 1)], mine_2016=[0, 1], mine_2017=[1, None], note=["x", "y"])
    table = point_table(source)
    assert table[["point_id", "year", "label"]].values.tolist() == [
        ["p1", 2016, False],
        ["p1", 2017, True],
        ["p2", 2016, True],
    ]
    assert table.geometry.iloc[2].equals(Point(1, 1))


def test_points_that_cannot_be_read():
    point = [Point(0, 0)]
    with pytest.raises(BadInputError, match="label 'perhaps'"):
        point_table(_frame(point, label=["perhaps"], year=[2019]))
    with pytest.raises(BadInputError, match="have no year"):
        point_table(_frame(point, label=[1]))
    assert point_table(_frame(point, label=[1]), reference_year=2019)["year"].tolist() == [2019]
    with pytest.raises(BadInputError, match="year '19'"):
        point_table(_frame(point, label=[1], year=[19]))
    with pytest.raises(BadInputError, match="two labels for 2019"):
        point_table(_frame(point * 2, point_id=["a", "a"], label=[1, 0], year=[2019, 2019]))
    with pytest.raises(BadInputError, match="none that ends in a year"):
        point_table(_frame(point, truth=[1]))
    with pytest.raises(BadInputError, match="must all be points"):
        point_table(_frame([BOW], label=[1], year=[2019]))


def test_the_same_rows_give_the_same_bytes(lake, tmp_path, data):
    path = data / "p0017-paper-demo-polygons" / "mining_polygons_combined_demo.gpkg"
    shuffled = tmp_path / "mining_polygons_combined_demo.gpkg"
    gpd.read_file(path).sample(frac=1, random_state=0).to_file(shuffled)
    contents = []
    for n, source in enumerate((path, shuffled)):
        _built(lake, build_polygon_set, source, name=f"set_{n}", kind="polygons", columns={"id": "id"})
        contents.append(lake.manifest(PartitionRef("reference", f"set_{n}")).content)
    assert contents[0] == contents[1]


def test_numbers_of_pandas_are_read(data):
    frame = gpd.read_file(data / "earth-genome-mining-footprints" / "mining_201800_simplified.geojson")
    table = polygon_table(frame)
    assert len(table) >= 5444
    assert table["polygon_id"].is_unique
    assert table.is_valid.all()
    assert isinstance(table["group"], pd.Series)
