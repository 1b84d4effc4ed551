"""Reference files that a run could not work with, or that lie elsewhere: told when they are registered."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin
from shapely.geometry import Point, Polygon, box
from shapely.geometry.base import BaseGeometry

from projects import make, project_at
from terminal import Answer, Terminal

LAND = (box(-4, 4, 2, 12), box(2, 4, 8, 12))
INSIDE = box(-2, 6, -1.99, 6.01)
NEXT_YEAR = str(datetime.now(UTC).year + 1)

Table = Mapping[str, Sequence[object]]

REFUSED: dict[str, tuple[str, Sequence[BaseGeometry], Table, tuple[str, ...], str]] = {
    "countries without codes": (
        "country_boundaries",
        LAND,
        {"code": ["XAA", "XAB"], "name": ["A", "B"]},
        (),
        "no column holds ISO 3166 codes of three letters; it has code, name, say which one does with --column iso3=",
    ),
    "countries with codes of two letters": (
        "country_boundaries",
        LAND,
        {"iso_a2": ["GH", "TG"], "name": ["Ghana", "Togo"]},
        ("--column", "iso3=iso_a2"),
        "no column holds ISO 3166 codes of three letters (iso_a2 holds 'GH')",
    ),
    "countries with codes in small letters": (
        "country_boundaries",
        LAND,
        {"iso3": ["gha", "tgo"], "name": ["Ghana", "Togo"]},
        (),
        "no column holds ISO 3166 codes of three letters (iso3 holds 'gha')",
    ),
    "countries without names": (
        "country_boundaries",
        LAND,
        {"iso3": ["GHA", "TGO"], "titel": ["Ghana", "Togo"]},
        (),
        "no column holds the names of the countries; it has iso3, titel, say which one does with --column name=COLUMN",
    ),
    "countries with a column that is not there": (
        "country_boundaries",
        LAND,
        {"iso3": ["GHA", "TGO"]},
        ("--column", "iso3=ISO"),
        "has no column ISO; it has iso3",
    ),
    "countries with a role": (
        "country_boundaries",
        LAND,
        {"iso3": ["GHA", "TGO"], "name": ["Ghana", "Togo"]},
        ("--role", "labels"),
        "country_boundaries is a file of boundaries, which has no role; leave the role out",
    ),
    "points with a role": (
        "validation_points",
        [Point(0, 5)],
        {"label": [1], "year": [2019]},
        ("--role", "outlines"),
        "validation_points is a file of points, which has no role; leave the role out",
    ),
    "points with labels in words of their own": (
        "validation_points",
        [Point(0, 5), Point(1, 5)],
        {"label": ["pit", "forest"], "year": [2019, 2019]},
        (),
        "wrong.gpkg: point p1 has the label 'pit'; use 1 for mine and 0 for not mine",
    ),
    "points with labels in another column": (
        "validation_points",
        [Point(0, 5)],
        {"truth": [1]},
        ("--reference-year", "2019"),
        "have no column 'label' and none that ends in a year, only truth; name the label's with --column label=COLUMN",
    ),
    "points of no year": (
        "validation_points",
        [Point(0, 5)],
        {"label": [1], "when": [2019]},
        (),
        "have no year, only label, when; name its column with --column year=COLUMN, or give one year for all with",
    ),
    "points of an odd year": (
        "validation_points",
        [Point(0, 5)],
        {"label": [1], "year": ["19"]},
        (),
        "point p1 has the year '19'; use four digits",
    ),
    "points without any label": (
        "validation_points",
        [Point(0, 5)],
        {"label": [""], "year": [2019]},
        (),
        "no point has a label; use 1 for mine and 0 for not mine",
    ),
    "points with two answers": (
        "validation_points",
        [Point(0, 5), Point(0, 5)],
        {"label": [1, 0], "year": [2019, 2019]},
        (),
        "point p1 has two labels for 2019; keep one",
    ),
    "polygons for points": (
        "validation_points",
        LAND,
        {"label": [1, 0]},
        (),
        "holds no point, which validation points",
    ),
    "points for polygons": ("mines", [Point(0, 5)], {}, (), "holds no polygon, which polygon sets need; give another"),
    "polygons without an area": (
        "mines",
        [Polygon([(0, 5), (1, 5), (0, 5)])],
        {},
        (),
        "no polygon in it has an area; give another file or layer",
    ),
    "latitude first": ("mines", [box(-5, 110, -4, 111)], {}, (), "has latitude and longitude in each other's place"),
    "a role that is none": ("mines", LAND, {}, ("--role", "truth"), "'truth' is neither `labels` nor `outlines`"),
    "an early year": (
        "mines",
        LAND,
        {},
        ("--reference-year", "1919"),
        "mines cannot be of the reference year 1919; give the year that it describes, from 2000 to ",
    ),
    "a year to come": ("mines", LAND, {}, ("--reference-year", NEXT_YEAR), f"of the reference year {NEXT_YEAR}; give"),
}


def add(minemap: Terminal, what: str, shapes: Sequence[BaseGeometry], table: Table, *options: str) -> Answer:
    gpd.GeoDataFrame(dict(table), geometry=list(shapes), crs=4326).to_file(minemap.folder / "wrong.gpkg")
    return minemap("reference", "add", what, "wrong.gpkg", "--licence", "CC0", *options)


@pytest.mark.parametrize("mistake", REFUSED)
def test_what_a_run_could_not_work_with_is_refused(minemap: Terminal, mistake: str) -> None:
    what, shapes, table, options, words = REFUSED[mistake]
    answer = add(minemap, what, shapes, table, *options)
    assert (answer.code, words in answer.sentence) == (2, True), answer.err
    assert not answer.out
    assert not minemap.files()


CODES = {"iso3": ["GHA", "TGO"], "name": ["Ghana", "Togo"]}
MANY = [box(n, 4, n + 1, 8) for n in range(-3, 1)]

DOUBTED: dict[str, tuple[str, Sequence[BaseGeometry], Table, str]] = {
    "countries": ("country_boundaries", LAND, CODES, ""),
    "countries with codes of the user's own": (
        "country_boundaries",
        LAND,
        {"iso3": ["XKX", "QMZ"], "name": ["Kosovo", "Q"]},
        "",
    ),
    "countries with a number where there is no code": (
        "country_boundaries",
        [*LAND, box(-9, 4, -8, 5)],
        {"iso3": ["GHA", "TGO", "-99"], "name": ["Ghana", "Togo", "Elsewhere"]},
        "country_boundaries: 1 of its 3 features has no ISO 3166 code: Elsewhere; left out",
    ),
    "countries with the codes of sports": (
        "country_boundaries",
        MANY,
        {"iso3": ["GER", "SUI", "FRA", "ITA"], "name": ["Germany", "Switzerland", "France", "Italy"]},
        "country_boundaries: GER, SUI are no codes of ISO 3166-1",
    ),
    "provinces for countries": (
        "country_boundaries",
        MANY,
        {"iso3": ["GHA", "GHA", "GHA", "TGO"], "name": ["Ashanti", "Volta", "Oti", "Kara"]},
        "country_boundaries: several features have the code GHA; those of one code become one country",
    ),
    "countries elsewhere": (
        "country_boundaries",
        [box(20, 40, 30, 50)],
        {"iso3": ["XAA"], "name": ["A"]},
        "no country of country_boundaries has land in region area, so that what is mapped there is of no country",
    ),
    "points of both kinds": (
        "validation_points",
        [Point(-2, 6), Point(-2.1, 6)],
        {"label": ["mine", "not mine"], "year": [2019, 2019]},
        "",
    ),
    "points of one kind": (
        "validation_points",
        [Point(-2, 6), Point(-2.1, 6)],
        {"label": ["mine", "yes"], "year": [2019, 2019]},
        "validation_points: every point is labelled mine, which says nothing of how often a map is wrong about the",
    ),
    "points of years without images": (
        "validation_points",
        [Point(-2, 6), Point(-2.1, 6)],
        {"label": [1, 0], "year": [2001, 2004]},
        "validation_points: its labels are of 2001 to 2004, of which there are no images, so that they are compared",
    ),
    "points elsewhere": (
        "validation_points",
        [Point(20, 40), Point(21, 40)],
        {"label": [1, 0], "year": [2019, 2019]},
        "no point of validation_points lies in region area: they lie from 20 to 21 degrees east and 40 to 40 degrees",
    ),
    "mines": ("mines", [INSIDE, box(20, 40, 21, 41)], {}, ""),
    "mines elsewhere": (
        "mines",
        [box(20, 40, 21, 41)],
        {},
        "no polygon of mines lies in region area: they lie from 20 to 21 degrees east and 40 to 41 degrees north, some "
        "4,3",
    ),
    "mines with latitude first": (
        "mines",
        [box(6, -2, 6.01, -1.99)],
        {},
        "but some would lie in region area with latitude and longitude in each other's place; if that is meant, swap",
    ),
    "mines of which some have no area": (
        "mines",
        [INSIDE, Polygon([(0, 5), (1, 5), (0, 5)])],
        {},
        "mines: 1 of its 2 features has no area; left out",
    ),
}


def test_what_may_be_wrong_is_registered_and_doubted(project: Terminal) -> None:
    for mistake, (what, shapes, table, words) in DOUBTED.items():
        answer = add(project, what, shapes, table)
        assert (answer.code, answer.err.count("\n")) == (0, 1 if words else 0), (mistake, answer.err)
        assert words in answer.err, (mistake, answer.err)
        assert answer.err.startswith("Note: ") or not words
        assert answer.out.startswith(f"{what} "), mistake
        project("reference", "remove", what)


def test_before_there_is_a_region_nothing_can_lie_in_one(minemap: Terminal) -> None:
    answer = add(minemap, "mines", [INSIDE], {})
    assert (answer.code, answer.err) == (
        0,
        "Note: the project has no region yet; once there is one, `minemap regions add` says whether a polygon of mines "
        "lies in it\n",
    )


@pytest.mark.parametrize(
    ("what", "shapes", "table"),
    [
        ("country_boundaries", LAND, CODES),
        ("validation_points", [Point(-2, 6), Point(-2.1, 6)], {"label": ["Mine", "0"], "year": ["2019", "2020"]}),
        ("validation_points", [Point(-2, 6)], {"mine_2019": [1], "mine_2020": [None]}),
        ("mines", [INSIDE, Polygon([(0, 5), (1, 6), (1, 5), (0, 6)])], {}),
    ],
)
def test_what_is_registered_is_what_a_run_understands(
    minemap: Terminal, what: str, shapes: Sequence[BaseGeometry], table: Table
) -> None:
    assert add(minemap, what, shapes, table).code == 0
    project = project_at(minemap.lake, minemap.folder / "state")
    from dagster_project.registry import ROOMS
    from minemap_assets.graph.graph import Graph

    asset = next(asset for asset in Graph(ROOMS, project).assets if asset.name == what)
    assert make(project, asset).manifest.files


def test_a_published_set_is_looked_at_like_any_other(project: Terminal) -> None:
    gpd.GeoDataFrame({"code": ["A"]}, geometry=[LAND[0]], crs=4326).to_file(project.folder / "given.gpkg")
    before = project.files()
    answer = project("reference", "fetch", "country_boundaries", "--from", "given.gpkg")
    assert (answer.code, "given.gpkg: no column holds ISO 3166 codes" in answer.sentence) == (2, True), answer.err
    assert project.files() == before
    gpd.GeoDataFrame({"iso3": ["XAA"], "name": ["A"]}, geometry=[box(20, 40, 30, 50)], crs=4326).to_file(
        project.folder / "given.gpkg"
    )
    answer = project("reference", "fetch", "country_boundaries", "--from", "given.gpkg")
    assert answer.code == 0
    assert answer.err.startswith(
        "Note: no country of country_boundaries has land in region area, so that what is mapped"
    )


def masks(folder: Path) -> None:
    folder.mkdir()
    profile = {"driver": "GTiff", "width": 4, "height": 4, "count": 1, "dtype": "uint8", "crs": "EPSG:32630"}
    with rasterio.open(folder / "mask_1.tif", "w", transform=from_origin(6e5, 6.6e5, 10, 10), **profile) as target:
        target.write(np.full((1, 4, 4), 255, dtype=np.uint8))


def test_masks_in_which_nothing_is_a_mine(project: Terminal) -> None:
    masks(project.folder / "drawn")
    before = project.files()
    answer = project("reference", "add-masks", "mines", "drawn", "--licence", "CC0")
    assert answer.code == 2
    assert "no mask in drawn has a pixel of value 1; say which value means mine with --value" in answer.sentence
    assert project.files() == before
    answer = project("reference", "add-masks", "mines", "drawn", "--licence", "CC0", "--value", "255")
    assert (answer.code, answer.err) == (0, "")
    catalogue = json.loads((project.lake / "inputs/reference/catalogue.json").read_text())
    assert [entry["name"] for entry in catalogue["entries"]] == ["mines"]
