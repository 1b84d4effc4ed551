"""Mistakes with regions: one sentence each, exit code 2, and nothing written."""

import json
import math

import pytest
import shapely
from shapely.geometry import LineString, Polygon, box
from shapely.geometry.base import BaseGeometry

from terminal import Terminal

SHAPES: dict[str, tuple[BaseGeometry, str]] = {
    "crosses itself": (Polygon([(0, 0), (1, 1), (1, 0), (0, 1)]), "crosses itself at longitude 0.5, latitude 0.5"),
    "no area": (LineString([(0, 0), (1, 1)]), "is a LineString; give a polygon"),
    "in metres": (box(5e5, 6e5, 6e5, 7e5), "in another CRS than it says"),
    "over 180": (box(179, 0, 181, 1), "crosses the antimeridian"),
    "around 180": (Polygon([(-179, 0), (179, 0), (179, 1), (-179, 1)]), "crosses the antimeridian"),
    "too large": (box(-20, -30, 40, 30), "split it into 16 regions (big-r1c1, big-r1c2, big-r1c3, ..., big-r4c4)"),
}


@pytest.mark.parametrize("slug", ["a/b", "a,b", "A", "", "..", "a b", "ä", "x" * 61, "a|b", "a\n"])
def test_a_slug_that_cannot_name_a_folder(minemap: Terminal, slug: str) -> None:
    answer = minemap("regions", "add", slug, minemap.draw("area.geojson", box(0, 0, 1, 1)))
    assert answer.code == 2
    assert "cannot name a region; use 1 to 60 lower-case letters" in answer.sentence
    assert not minemap.files()


@pytest.mark.parametrize("fault", SHAPES)
@pytest.mark.parametrize("command", [("add", "big"), ("check",)])
def test_a_bad_boundary(minemap: Terminal, fault: str, command: tuple[str, ...]) -> None:
    shape, words = SHAPES[fault]
    answer = minemap("regions", *command, minemap.draw("area.geojson", shape))
    assert answer.code == 2
    assert words.replace("big", "check" if command == ("check",) else "big") in answer.sentence
    assert not minemap.files()


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("none.geojson", '{"type": "FeatureCollection", "features": []}', "holds no features"),
        ("text.geojson", "hello", "cannot be read as a vector file"),
        ("cut.geojson", '{"type": "FeatureCollection", "features": [{"type": "Fea', "cannot be read as a vector file"),
        ("list.csv", "name,size\na,1\n", "has no longitude and latitude columns"),
        ("a.zip", "no zip", "is not a whole zip archive"),
    ],
)
def test_a_bad_file(minemap: Terminal, name: str, text: str, words: str) -> None:
    minemap.write(name, text)
    answer = minemap("regions", "add", "a", name)
    assert (answer.code, words in answer.sentence) == (2, True), answer.err
    assert not minemap.files()


@pytest.mark.parametrize("geometry", [None, {"type": "Polygon", "coordinates": []}])
def test_an_empty_polygon(minemap: Terminal, geometry: object) -> None:
    feature = {"type": "Feature", "properties": {}, "geometry": geometry}
    minemap.write("empty.geojson", json.dumps({"type": "FeatureCollection", "features": [feature]}))
    assert "every geometry in it is empty" in minemap("regions", "add", "a", "empty.geojson").sentence


def test_a_file_that_is_not_there_a_folder_and_layers(minemap: Terminal) -> None:
    assert "nowhere.gpkg does not exist" in minemap("regions", "add", "a", "nowhere.gpkg").sentence
    assert "is a folder; give one vector file in it" in minemap("regions", "add", "a", ".").sentence
    for layer in ("one", "two"):
        minemap.draw("both.gpkg", box(0, 0, 1, 1), layer=layer)
    assert "choose one with --layer" in minemap("regions", "add", "a", "both.gpkg").sentence
    assert "has no layer 'three'" in minemap("regions", "add", "a", "both.gpkg", "--layer", "three").sentence


@pytest.mark.filterwarnings("ignore:'crs' was not provided")
def test_a_crs_that_is_missing_or_wrong(minemap: Terminal) -> None:
    file = minemap.draw("nowhere.gpkg", box(0, 0, 1, 1), crs=None)
    assert "say it with --crs" in minemap("regions", "add", "a", file).sentence
    assert "'EPSG:0' is not a CRS" in minemap("regions", "add", "a", file, "--crs", "EPSG:0").sentence
    assert minemap("regions", "add", "a", file, "--crs", "EPSG:4326").code == 0


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--season", "6", "is not two months; write 6-11"),
        ("--season", "0-13", "is not two months"),
        ("--product", "landsat", "unknown product 'landsat'; the products are planet-nicfi"),
        ("--product", "planet-nicfi 2024", "write 'planet-nicfi until 2024'"),
        ("--product", "planet-nicfi from 2024 until 2020", "holds no year; swap the years"),
        ("--reference-year", "1999", "of which there are no images; give one from 2015 on"),
        ("--reference-year", "soon", "it has to be a whole number"),
    ],
)
def test_a_bad_option(minemap: Terminal, option: str, value: str, words: str) -> None:
    answer = minemap("regions", "add", "a", minemap.draw("area.geojson", box(0, 0, 1, 1)), option, value)
    assert (answer.code, words in answer.sentence) == (2, True), answer.err
    assert not minemap.files()


def test_names_that_are_taken_or_not_known(project: Terminal) -> None:
    before = project.files()
    assert "put this in its place with --replace" in project("regions", "add", "area", "area.geojson").sentence
    assert "did you mean 'area'?" in project("regions", "add", "aera", "area.geojson", "--replace").sentence
    for words in (("retire", "aera"), ("restore", "aera"), ("rename", "aera", "b")):
        assert "there is no region aera (did you mean 'area'?)" in project("regions", *words).sentence
    assert "cannot name a region" in project("regions", "rename", "area", "a/b").sentence
    assert "there is a region area already" in project("regions", "rename", "area", "area").sentence
    assert project.files() == before


def test_retired_and_renamed_regions(project: Terminal) -> None:
    assert project("regions", "rename", "area", "field").code == 0
    assert "region area is retired; restore it before renaming it" in project("regions", "rename", "area", "b").sentence
    assert "bring it back with `minemap regions restore area`" in project("run", "--regions", "area").sentence
    assert "bring it back with" in project("regions", "add", "area", "area.geojson").sentence
    assert "is retired already; nothing changes" in project("regions", "retire", "area").out
    assert "is active already; nothing changes" in project("regions", "restore", "field").out


def test_an_edited_boundary_keeps_what_is_not_given(project: Terminal) -> None:
    options = ("--title", "A field", "--season", "12-3", "--product", "sentinel-2-l1c", "--reference-year", "2020")
    assert project("regions", "add", "field", "area.geojson", *options).code == 0
    edited = project.draw("edited.geojson", box(-2.2, 5.8, -1.9, 6.2))
    answer = project("regions", "add", "field", edited, "--replace")
    assert "sites that stay inside keep their ids and their images" in answer.out
    assert "season" not in answer.out
    field = next(f for f in _features(project) if f["properties"]["slug"] == "field")
    assert field["properties"]["title"] == "A field"
    assert (field["properties"]["season"], field["properties"]["reference_year"]) == ([12, 3], 2020)
    assert shapely.geometry.shape(field["geometry"]).equals(box(-2.2, 5.8, -1.9, 6.2))
    project("regions", "add", "field", edited, "--replace", "--season", "default", "--product", "default")
    field = next(f for f in _features(project) if f["properties"]["slug"] == "field")
    assert (field["properties"]["season"], field["properties"]["products"]) == (None, [])


def test_the_proposed_split_is_what_split_makes(minemap: Terminal) -> None:
    file = minemap.draw("big.geojson", box(-20, -30, 40, 30))
    proposal = minemap("regions", "add", "big", file).sentence
    answer = minemap("regions", "add", "big", file, "--split")
    assert (answer.code, len(_features(minemap))) == (0, 16)
    assert "split it into 16 regions" in proposal
    whole = shapely.union_all([shapely.geometry.shape(f["geometry"]) for f in _features(minemap)])
    assert math.isclose(whole.area, 3600.0)


@pytest.mark.parametrize("text", ["junk", '{"features": 3}', "[]", '{"features": [{"properties": {}}]}', "null"])
def test_a_damaged_regions_file(minemap: Terminal, text: str) -> None:
    minemap.write("minemap-data/lake/inputs/regions.geojson", text)
    for words in (("regions", "list"), ("status",), ("run",)):
        answer = minemap(*words)
        assert answer.code == 2
        assert "inputs/regions.geojson" in answer.sentence


def _features(terminal: Terminal) -> list[dict[str, dict[str, object]]]:
    features: list[dict[str, dict[str, object]]] = json.loads(
        (terminal.lake / "inputs" / "regions.geojson").read_text()
    )["features"]
    return features
