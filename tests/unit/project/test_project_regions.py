"""Regions: what is refused, with which words, and what is kept."""

import json

import geopandas as gpd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import MultiPolygon, Polygon

from minemap_assets.errors import BadInputError
from minemap_assets.project.regions import (
    Region,
    read_regions,
    region_from_file,
    validate_geometry,
    validate_slug,
    write_regions,
)

BOX = shapely.box(-60, -10, -59, -9)


def _file(tmp_path, geometries, crs="EPSG:4326", name="area.gpkg"):
    path = tmp_path / name
    gpd.GeoDataFrame(geometry=list(geometries), crs=crs).to_file(path)
    return path


@pytest.mark.parametrize("slug", ["a", "madre-de-dios_2", "0", "x" * 60])
def test_good_slugs(slug):
    assert validate_slug(slug) == slug


@pytest.mark.parametrize("slug", ["", "Amazon", "a b", "a/b", "ü", "x" * 61, "a\n", "../a", "-", "-x", "--help"])
def test_bad_slugs(slug):
    with pytest.raises(BadInputError, match="cannot name a region"):
        validate_slug(slug)


def test_several_features_become_their_union(tmp_path):
    path = _file(tmp_path, [shapely.box(0, 0, 1, 1), shapely.box(1, 0, 2, 1), shapely.box(5, 5, 6, 6)])
    region = region_from_file(path, "area", season=(12, 3), reference_year=2020)
    assert region.geometry.equals(MultiPolygon([shapely.box(0, 0, 2, 1), shapely.box(5, 5, 6, 6)]))
    assert (region.title, region.season, region.reference_year) == ("area", (12, 3), 2020)


@pytest.mark.parametrize("name", ["a.geojson", "a.gpkg", "a.shp", "a.parquet"])
def test_every_format_gives_the_same_region(tmp_path, name):
    frame = gpd.GeoDataFrame(geometry=[shapely.force_3d(BOX, 7.0)], crs="EPSG:4326")
    path = tmp_path / name
    frame.to_parquet(path) if name.endswith("parquet") else frame.to_file(path)
    region = region_from_file(path, "a")
    assert region.geometry.equals(BOX)
    assert not region.geometry.has_z


def test_projected_files_are_brought_to_degrees(tmp_path):
    metres = gpd.GeoSeries([BOX], crs=4326).to_crs(32720)
    region = region_from_file(_file(tmp_path, metres, crs="EPSG:32720"), "area")
    assert region.geometry.symmetric_difference(BOX).area < 1e-9


def test_crossing_boundary_says_where(tmp_path):
    bow = Polygon([(0, 0), (2, 2), (2, 0), (0, 2)])
    with pytest.raises(BadInputError, match=r"feature 2 .* crosses itself at longitude 1, latitude 1; redraw it"):
        region_from_file(_file(tmp_path, [shapely.box(5, 5, 6, 6), bow]), "area")


def test_metres_that_claim_to_be_degrees(tmp_path):
    path = _file(tmp_path, [shapely.box(500_000, 8_000_000, 510_000, 8_010_000)])
    with pytest.raises(BadInputError, match=r"in another CRS than it says: x 500000 to 510000"):
        region_from_file(path, "area")
    assert region_from_file(path, "area", crs="EPSG:32720").area_km2 == pytest.approx(100, rel=0.01)


@pytest.mark.parametrize(
    "geometry",
    [
        shapely.box(177, -20, 183, -15),
        MultiPolygon([shapely.box(177, -20, 180, -15), shapely.box(-180, -20, -177, -15)]),
        Polygon([(179, -20), (-179, -20), (-179, -15), (179, -15)]),
    ],
    ids=["beyond 180", "both sides", "drawn around the world"],
)
def test_antimeridian_is_refused(tmp_path, geometry):
    with pytest.raises(BadInputError, match="crosses the antimeridian"):
        region_from_file(_file(tmp_path, [geometry]), "fiji")


def test_what_is_no_area(tmp_path):
    with pytest.raises(BadInputError, match="is a Point; give a polygon"):
        region_from_file(_file(tmp_path, [shapely.Point(0, 0)]), "a")
    with pytest.raises(BadInputError, match="every geometry in it is empty"):
        region_from_file(_file(tmp_path, [Polygon()], name="b.gpkg"), "a")
    with pytest.raises(BadInputError, match="does not exist"):
        region_from_file(tmp_path / "none.gpkg", "a")
    (tmp_path / "text.geojson").write_text("{not json")
    with pytest.raises(BadInputError, match="cannot be read as a vector file"):
        region_from_file(tmp_path / "text.geojson", "a")
    flat = Polygon([(0, 0), (1, 1), (2, 2)])
    with pytest.raises(BadInputError, match="not a valid polygon"):
        validate_geometry(flat, "this")


def test_missing_crs_must_be_given(tmp_path):
    path = tmp_path / "a.shp"
    gpd.GeoDataFrame(geometry=[BOX]).to_file(path)
    with pytest.raises(BadInputError, match="does not say which CRS"):
        region_from_file(path, "a")
    assert region_from_file(path, "a", crs="EPSG:4326").geometry.equals(BOX)
    with pytest.raises(BadInputError, match="is not a CRS"):
        region_from_file(path, "a", crs="EPSG:nonsense")


def test_layers_must_be_chosen(tmp_path):
    path = tmp_path / "two.gpkg"
    for layer, box in (("north", BOX), ("south", shapely.box(0, 0, 1, 1))):
        gpd.GeoDataFrame(geometry=[box], crs=4326).to_file(path, layer=layer)
    with pytest.raises(BadInputError, match="has the layers north, south"):
        region_from_file(path, "a")
    assert region_from_file(path, "a", layer="north").geometry.equals(BOX)
    with pytest.raises(BadInputError, match="has no layer 'east'"):
        region_from_file(path, "a", layer="east")


slugs = st.from_regex(r"\A[a-z0-9_][a-z0-9_-]{0,59}\Z")
months = st.tuples(st.integers(1, 12), st.integers(1, 12))
periods = st.lists(
    st.fixed_dictionaries({"product": st.text(min_size=1)}, optional={"from": st.integers(2015, 2100)}), max_size=2
)


@given(
    st.lists(
        st.builds(
            Region,
            slug=slugs,
            title=st.text(min_size=1),
            geometry=st.builds(
                lambda x, y, w: shapely.box(x, y, x + w, y + w),
                st.floats(-170, 160),
                st.floats(-80, 70),
                st.floats(0.01, 9),
            ),
            season=st.none() | months,
            products=periods.map(tuple),
            reference_year=st.none() | st.integers(2015, 2100),
            retired=st.booleans(),
        ),
        max_size=4,
        unique_by=lambda r: r.slug,
    ),
    st.randoms(),
)
@settings(max_examples=50)
def test_regions_survive_the_file_and_order_does_not_matter(regions, random):
    data = write_regions(regions)
    shuffled = list(regions)
    random.shuffle(shuffled)
    assert write_regions(shuffled) == data
    back = read_regions(data)
    assert list(back) == sorted(r.slug for r in regions)
    assert write_regions(back.values()) == data
    for region in regions:
        assert back[region.slug] == region


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f["properties"].pop("slug"), "feature 1 .* lacks a slug"),
        (lambda f: f.pop("geometry"), "lacks a slug or a geometry"),
        (lambda f: f["properties"].update(slug="A"), "cannot name a region"),
        (lambda f: f["properties"].update(season=[6, 13]), "two months from 1 to 12"),
        (lambda f: f["properties"].update(colour="red"), "unknown properties colour"),
        (lambda f: f["properties"].update(products=[{"from": 2020}]), "product period"),
    ],
)
def test_edited_files_are_checked(change, message):
    collection = json.loads(write_regions([Region("a", "A", BOX)]))
    change(collection["features"][0])
    with pytest.raises(BadInputError, match=message):
        read_regions(json.dumps(collection).encode())


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("products", [5], "season or products that cannot be read"),
        ("products", [{"product": "a", "from": 1e999}], "from and until are years"),
        ("products", [{"product": "a", "until": 10**30}], "from and until are years"),
        ("retired", "false", "retired = 'false'; write true or false without quotes"),
        ("retired", 0, "retired = 0; write true or false"),
        ("slug", "--help", "'--help' cannot name a region"),
        ("slug", ["a"], "lacks a slug"),
        ("season", [6, 1e999], "two months from 1 to 12"),
        ("season", ["6", "7"], "two months from 1 to 12"),
        ("season", [6], "two months from 1 to 12"),
        ("reference_year", 10**30, "reference year 10+, of which there are no images"),
        ("reference_year", "2019", "reference year '2019', of which"),
        ("title", "\ud800", "a title with half a letter in it"),
        ("coordinates", [[[0, 0], [1e300, 0], [0, 1], [0, 0]]], "in another CRS"),
        ("coordinates", [[[0, 0], [1e999, 0], [0, 1], [0, 0]]], "nowhere on Earth"),
        ("coordinates", [[["0", "x"]]], "lacks a slug or a geometry"),
    ],
)
def test_absurd_values_are_refused(name, value, message):
    collection = json.loads(write_regions([Region("a", "A", BOX)]))
    feature = collection["features"][0]
    feature["geometry" if name == "coordinates" else "properties"][name] = value
    with pytest.raises(BadInputError, match=message):
        read_regions(json.dumps(collection).encode())


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, '{"features": ' + "[" * 100_000 + "]" * 100_000 + "}", '{"features": [%s]}' % ("9" * 10_000)],
    ids=["nested", "nested and closed", "digits"],
)
def test_a_file_that_no_parser_takes_is_refused_in_one_sentence(text):
    with pytest.raises(BadInputError, match=r"^inputs/regions.geojson is not a GeoJSON FeatureCollection; restore"):
        read_regions(text.encode())


def test_damaged_and_doubled_files():
    with pytest.raises(BadInputError, match="not a GeoJSON FeatureCollection"):
        read_regions(b"[]")
    one = json.loads(write_regions([Region("a", "A", BOX)]))
    one["features"] *= 2
    with pytest.raises(BadInputError, match="names the region a twice"):
        read_regions(json.dumps(one).encode())
