"""Areas that are almost surely not what is meant: refused in one sentence, or taken with a word of doubt."""

import geopandas as gpd
import pytest
from shapely.geometry import MultiPolygon, Point, Polygon, box
from shapely.geometry.base import BaseGeometry

from terminal import Answer, Terminal

SWAPPED = "with latitude and longitude in each other's place; if that is meant, swap them: longitude comes first"

REFUSED: dict[str, tuple[BaseGeometry, str]] = {
    "ten metres wide": (
        box(0, 0, 1e-4, 1e-4),
        "covers only 123 m2, less than any mine; check its coordinates and their CRS",
    ),
    "the whole world": (
        box(-180, -90, 180, 90),
        "covers some 510 million km2, as much as all land on Earth; a region has up to 3,000,000 km2: draw it around",
    ),
    "all continents": (
        MultiPolygon([box(-180, 0, -40, 70), box(-20, -30, 60, 70), box(60.1, -40, 180, 70)]),
        "as much as all land on Earth",
    ),
    "a continent": (box(-20, -30, 40, 30), "more than the limit of 3,000,000; split it into 16 regions ("),
    "latitude first": (
        box(-5, 110, -4, 111),
        "has latitude and longitude in each other's place (x -5 to -4, y 110 to 111, and no latitude is beyond 90); sw",
    ),
    "cut at 180 degrees": (
        MultiPolygon([box(177, -20, 180, -15), box(-180, -20, -177, -15)]),
        "crosses the antimeridian, where it is cut in two already; put what lies west and what lies east of longitude",
    ),
    "the long way round": (
        Polygon([(-179, 0), (179, 0), (179, 1), (-179, 1)]),
        "reaches over 358 degrees of longitude, so that it crosses the antimeridian or goes around half the Earth; ma",
    ),
}


@pytest.mark.parametrize("mistake", REFUSED)
def test_what_cannot_be_meant_is_refused(minemap: Terminal, mistake: str) -> None:
    shape, words = REFUSED[mistake]
    for command in (("add", "area"), ("check",)):
        answer = minemap("regions", *command, minemap.draw("drawn.geojson", shape))
        assert (answer.code, words in answer.sentence) == (2, True), answer.err
        assert not answer.out
    assert not minemap.files()


def test_a_person_who_knows_takes_a_tiny_region(minemap: Terminal) -> None:
    tiny = minemap.draw("tiny.geojson", REFUSED["ten metres wide"][0])
    assert "`minemap regions add --anyway`" in minemap("regions", "check", tiny).sentence
    answer = minemap("regions", "add", "tiny", tiny, "--anyway")
    assert (answer.code, answer.err) == (0, "")
    assert "region tiny" in answer.out


def register(minemap: Terminal, what: str, *shapes: BaseGeometry, **columns: object) -> None:
    gpd.GeoDataFrame(columns, geometry=list(shapes), crs=4326).to_file(minemap.folder / "registered.gpkg")
    assert minemap("reference", "add", what, "registered.gpkg", "--licence", "CC0").code == 0


@pytest.fixture
def coast(minemap: Terminal) -> Terminal:
    """With one country, from 4 degrees west to 2 degrees east and 4 to 12 degrees north."""
    register(minemap, "country_boundaries", box(-4, 4, 2, 12), iso3=["XAA"], name=["Aland"])
    return minemap


def doubts(minemap: Terminal, shape: BaseGeometry) -> list[str]:
    """The notes on an area, which can be a region all the same."""
    checked = minemap("regions", "check", minemap.draw("drawn.geojson", shape))
    assert (checked.code, "drawn.geojson can be a region" in checked.out) == (0, True), checked.err
    return notes(checked)


def notes(answer: Answer) -> list[str]:
    lines = answer.err.splitlines()
    assert all(line.startswith("Note: ") for line in lines), answer.err
    return [line.removeprefix("Note: ") for line in lines]


def test_nothing_is_said_of_the_sea_where_no_country_is_known(minemap: Terminal) -> None:
    assert not doubts(minemap, box(-30, -30, -29, -29))


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        (box(-2, 6, -1, 7), ""),
        (box(1.9, 11.9, 3, 13), ""),
        (box(-30, -30, -29, -29), "in drawn.geojson: it lies on open sea, or its country is missing there; check its"),
        (box(6, -2, 7, -1), f"no country of country_boundaries has land in drawn.geojson, but Aland would {SWAPPED}"),
        (box(100, 6, 101, 7), "it lies on open sea, or its country is missing there"),
    ],
    ids=["on land", "on the coast", "on the sea", "latitude first", "too far east to be swapped"],
)
def test_what_has_no_land_is_doubted(coast: Terminal, shape: BaseGeometry, words: str) -> None:
    said = doubts(coast, shape)
    assert len(said) == (1 if words else 0)
    assert all(words in note for note in said)


MINE = box(-1.5, 6.5, -1.49, 6.51)


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        (box(-2, 6, -1, 7), ""),
        (
            box(-2, 7.5, -1, 8),
            "no polygon of mines lies in drawn.geojson, so that it has no sites and nothing is mapped there; the "
            "nearest is some 109 km away: register a set that covers it with `minemap reference add NAME FILE`, or",
        ),
        (box(6, -2, 7, -1), f"no polygon of mines lies in drawn.geojson, but one would {SWAPPED}"),
    ],
    ids=["with a mine", "without", "latitude first"],
)
def test_what_has_no_known_mine_is_doubted(minemap: Terminal, shape: BaseGeometry, words: str) -> None:
    register(minemap, "mines", MINE)
    said = doubts(minemap, shape)
    assert len(said) == (1 if words else 0)
    assert all(words in note for note in said)


def test_what_is_doubted_is_added_with_the_same_words(coast: Terminal) -> None:
    register(coast, "mines", MINE)
    said = doubts(coast, box(6, -2, 7, -1))
    added = coast("regions", "add", "new", "drawn.geojson")
    assert (added.code, "region new (" in added.out) == (0, True), added.err
    assert notes(added) == [note.replace("drawn.geojson", "region new") for note in said]
    assert len(said) == 2


def test_a_mine_that_a_person_outlined_is_a_known_one(minemap: Terminal) -> None:
    register(minemap, "mines", MINE)
    assert minemap("sites", "promote", minemap.draw("outlined.geojson", box(-1.5, 7.6, -1.49, 7.61))).code == 0
    assert not doubts(minemap, box(-2, 7.5, -1, 8))


def test_a_set_that_cannot_be_read_says_nothing_of_a_region(minemap: Terminal) -> None:
    register(minemap, "mines", MINE)
    (copy,) = (minemap.lake / "inputs/reference/mines").rglob("*.gpkg")
    copy.write_bytes(b"else")
    assert not doubts(minemap, box(-2, 7.5, -1, 8))


def test_what_is_near_another_region_only_when_swapped_is_doubted(minemap: Terminal) -> None:
    assert minemap("regions", "add", "first", minemap.draw("first.geojson", box(80, 10, 81, 11))).code == 0
    (said,) = doubts(minemap, box(10.2, 80.2, 10.8, 80.4))
    assert said.endswith(f"km from any other region or validation point, but would be near one {SWAPPED}")
    for elsewhere in (box(10.2, 40, 10.8, 40.4), box(79, 11, 79.5, 11.5)):
        assert not doubts(minemap, elsewhere)
    beside = box(-80.1, -10.1, -79.9, -9.9)
    assert not doubts(minemap, beside)
    register(minemap, "validation_points", Point(-10, -80), Point(-10, -80.1), label=[1, 0], year=[2019, 2019])
    assert len(doubts(minemap, beside)) == 1


def test_a_check_looks_at_the_file_even_where_the_project_is_damaged(minemap: Terminal) -> None:
    minemap.write("minemap-data/lake/inputs/minemap.toml", "this is no TOML")
    answer = minemap("regions", "check", minemap.draw("area.geojson", box(0, 0, 1, 1)))
    assert (answer.code, answer.err) == (0, "")
    assert "area.geojson can be a region: 12,3" in answer.out


OUTLINES: dict[str, tuple[tuple[BaseGeometry, ...], int, str]] = {
    "points": ((Point(-2, 6),), 2, "Error: feature 1 of outlined.geojson is a Point; give a polygon"),
    "outside": (
        (box(10, 50, 10.1, 50.1),),
        2,
        "Error: no outline of outlined.geojson lies in a region of the project: they lie from 10 to 10.1 degrees east "
        "and 50 to 50.1 degrees north, some 4,",
    ),
    "latitude first": ((box(6, -2, 6.01, -1.99),), 2, f"but some would lie in region area {SWAPPED}"),
    "one outside": (
        (box(-2, 6, -1.99, 6.01), box(10, 50, 10.1, 50.1)),
        0,
        "Note: outlines that lie in no region: 1 of 2; they lie from 10 to 10.1 degrees east",
    ),
    "a known mine": (
        (box(-2.1, 5.9, -2.09, 5.91), box(-1.9, 6.1, -1.89, 6.11)),
        0,
        "Note: outlines on a mine of a registered set, which make no site: 1 of 2",
    ),
}


def test_outlines_that_make_no_site(project: Terminal) -> None:
    register(project, "mines", box(-2.1, 5.9, -2.09, 5.91))
    for shapes, code, words in OUTLINES.values():
        before = project.files()
        answer = project("sites", "promote", project.draw("outlined.geojson", *shapes))
        assert (answer.code, words in answer.err, answer.err.count("\n")) == (code, True, 1), answer.err
        assert (project.files() == before) is (code == 2)


def test_outlines_of_which_nothing_can_be_made_yet_or_again(minemap: Terminal) -> None:
    minemap.write("none.geojson", '{"type": "FeatureCollection", "features": []}')
    assert "holds no features; give a file with at least one" in minemap("sites", "promote", "none.geojson").sentence
    assert not minemap.files()
    file = minemap.draw("outlined.geojson", MINE)
    first = minemap("sites", "promote", file)
    assert first.code == 0
    assert notes(first) == [
        "the project has no region yet; add one around the outlines with `minemap regions add SLUG FILE`"
    ]
    again = minemap("sites", "promote", file)
    assert (again.code, again.out, again.err) == (0, "Every outline was there already; nothing changes.\n", "")
