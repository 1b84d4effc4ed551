"""`minemap inputs`, and what every command says of an input that is gone or damaged."""

import json

import pytest
from shapely.geometry import box

from minemap_assets.lake.inputs import Inputs
from minemap_assets.lake.store import LocalStore
from terminal import Terminal

SETTINGS = "minemap-data/lake/inputs/minemap.toml"
REGIONS = "minemap-data/lake/inputs/regions.geojson"


def slugs(terminal: Terminal) -> list[str]:
    features = json.loads((terminal.folder / REGIONS).read_text())["features"]
    return [feature["properties"]["slug"] for feature in features]


def rows(out: str) -> dict[str, list[str]]:
    """A table's cells by the first of each row."""
    cells = ([cell.strip() for cell in line.split("│")[1:-1]] for line in out.splitlines())
    return {row[0]: row[1:] for row in cells if row}


@pytest.fixture
def two(project: Terminal) -> Terminal:
    """With a second region, `field`, and a version of the regions before it."""
    project.widen(200)
    assert project("regions", "add", "field", project.draw("field.geojson", box(3, 3, 4, 4))).code == 0
    return project


def test_a_project_without_inputs(minemap: Terminal) -> None:
    assert "No input yet" in minemap("inputs", "list").out
    answer = minemap("inputs", "restore", "minemap.toml")
    assert (answer.code, "no version of inputs/minemap.toml is recorded;" in answer.sentence) == (2, True)
    assert not minemap.files()


def test_the_list_tells_what_is_there_edited_gone_and_removed(two: Terminal) -> None:
    assert two("init").code == 0
    assert two("sites", "promote", "area.geojson").code == 0
    two.write("minemap-data/lake/inputs/archive/roots.json", "{}")
    assert two("reference", "add", "own", "area.geojson", "--licence", "CC0").code == 0
    two.write(SETTINGS, "first_year = 2018\n")
    (two.lake / "inputs" / "promoted_sites.geojson").unlink()
    told = rows(two("inputs", "list").out)
    assert {name: (row[0], row[1]) for name, row in told.items()} == {
        "archive/roots.json": ("not recorded yet", "0"),
        "minemap.toml": ("changed", "1"),
        "promoted_sites.geojson": ("missing", "1"),
        "reference/catalogue.json": ("present", "1"),
        "regions.geojson": ("present", "2"),
    }
    assert two("inputs", "forget", "promoted_sites.geojson").code == 0
    assert rows(two("inputs", "list").out)["promoted_sites.geojson"][:2] == ["removed", "1"]


@pytest.mark.parametrize("name", ["regions.geojson", "inputs/regions.geojson"])
def test_history_show_and_diff(two: Terminal, name: str) -> None:
    told = rows(two("inputs", "history", name).out)
    assert [(number, row[3]) for number, row in told.items()] == [("1", ""), ("2", "what is there now")]
    assert two("inputs", "show", name).out == (two.folder / REGIONS).read_text()
    first = two("inputs", "show", name, "--version", "1").out
    assert [f["properties"]["slug"] for f in json.loads(first)["features"]] == ["area"]
    lines = two("inputs", "diff", name).out.splitlines()
    assert lines[:2] == ["--- regions.geojson now", "+++ regions.geojson before"]
    assert any(line.startswith("-") and '"field"' in line for line in lines[2:])
    assert "has no version 7; its versions are 1, 2" in two("inputs", "show", name, "--version", "7").sentence
    (two.folder / REGIONS).unlink()
    assert two("inputs", "show", name).out.count('"slug"') == 2


def test_restore_brings_the_old_bytes_back_and_can_be_taken_back(two: Terminal) -> None:
    two.write(REGIONS, "damaged by hand")
    answer = two("regions", "list")
    assert answer.code == 2
    assert answer.sentence.endswith("UTC: `minemap inputs restore regions.geojson`")
    assert two("inputs", "restore", "regions.geojson").code == 0
    assert slugs(two) == ["area", "field"]
    assert "as it was on" in two("inputs", "restore", "regions.geojson", "--version", "1").out
    assert slugs(two) == ["area"]
    store = LocalStore(two.lake)
    kept = [
        Inputs(store).bytes_of("inputs/regions.geojson", v) for v in Inputs(store).versions("inputs/regions.geojson")
    ]
    assert b"damaged by hand" in kept
    assert two("inputs", "restore", "regions.geojson").code == 0
    assert slugs(two) == ["area", "field"]


def test_an_input_that_is_gone_stops_every_command_until_a_person_says_what_is_meant(two: Terminal) -> None:
    before = two.files()
    (two.folder / REGIONS).unlink()
    for words in (("status",), ("run",), ("regions", "list"), ("regions", "add", "c", "area.geojson")):
        answer = two(*words)
        assert answer.code == 2
        assert "inputs/regions.geojson is gone; its last good version is of" in answer.sentence
        assert "minemap inputs restore regions.geojson" in answer.sentence
        assert "minemap inputs forget regions.geojson" in answer.sentence
    assert two("inputs", "forget", "regions.geojson").code == 0
    assert "no region yet" in two("run").sentence
    assert two("inputs", "restore", "regions.geojson").code == 0
    assert slugs(two) == ["area", "field"]
    assert before <= two.files()


def test_settings_are_neither_overwritten_nor_begun_anew_where_they_are_gone(minemap: Terminal) -> None:
    assert minemap("init").code == 0
    assert "exists already" in minemap("init").sentence
    (minemap.folder / SETTINGS).unlink()
    for words in (("init",), ("status",), ("sources",)):
        assert "inputs/minemap.toml is gone; its last good version is of" in minemap(*words).sentence
    assert not (minemap.folder / SETTINGS).exists()
    assert minemap("inputs", "forget", "minemap.toml").code == 0
    assert minemap("init").code == 0


def test_what_is_there_is_not_forgotten(two: Terminal) -> None:
    assert "is there; remove the file first" in two("inputs", "forget", "regions.geojson").sentence
    assert slugs(two) == ["area", "field"]
    assert "(did you mean 'regions.geojson'?)" in two("inputs", "forget", "regoins.geojson").sentence
    two.write(SETTINGS, "")
    assert "the next `minemap run` records" in two("inputs", "history", "minemap.toml").sentence


@pytest.mark.parametrize("command", ["history", "show", "diff", "restore", "forget"])
@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "inputs/../lake.json", ".history/minemap.toml/x"])
def test_no_name_leads_out_of_the_inputs(minemap: Terminal, command: str, name: str) -> None:
    answer = minemap("inputs", command, name)
    assert (answer.code, "names no input" in answer.sentence) == (2, True)
    assert not minemap.files()


def test_a_region_that_changes_nothing_leaves_the_file_as_a_person_wrote_it(project: Terminal) -> None:
    text = json.dumps(json.loads((project.folder / REGIONS).read_text()), indent=3)
    project.write(REGIONS, text)
    assert "nothing changes" in project("regions", "restore", "area").out
    assert (project.folder / REGIONS).read_text() == text
