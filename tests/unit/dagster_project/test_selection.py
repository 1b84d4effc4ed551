"""What `--select` names: one meaning for each spelling, and a question where a name may mean two things."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from dagster_project.cli import options
from dagster_project.registry import ROOMS
from dagster_project.selection import UnclearError, parse_selection
from house import ROOT
from minemap_assets.errors import BadInputError
from minemap_assets.graph.graph import Graph
from projects import project_at


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Graph:
    folder: Path = tmp_path_factory.mktemp("project")
    return Graph(ROOMS, project_at(folder / "lake", folder / "state"))


def named(text: str | None, graph: Graph) -> set[str]:
    return {str(asset) for asset in parse_selection(text, graph)}


def room(name: str, graph: Graph) -> set[str]:
    return {str(asset) for asset in graph.assets if asset.room == name}


def test_a_bare_name_is_an_asset_also_where_a_room_is_called_so(graph: Graph) -> None:
    assert named("sites", graph) == {"sites/sites"}
    assert named("imagery,chips", graph) == {"imagery/imagery", "chips/chips"}
    assert named("raw_masks", graph) == named("segmentation/raw_masks", graph) == {"segmentation/raw_masks"}
    assert len(room("sites", graph)) > 1
    assert len(room("imagery", graph)) > 1


def test_a_room_is_said_to_be_one(graph: Graph) -> None:
    assert named("room:imagery", graph) == named("imagery/*", graph) == room("imagery", graph)
    assert named("segmentation/*", graph) == room("segmentation", graph)


def test_plus_adds_what_is_needed_and_what_follows_of_rooms_too(graph: Graph) -> None:
    assert {"sites/sites", "sites/ground_truth"} < named("+sites", graph)
    assert "imagery/imagery" not in named("+sites", graph)
    assert "tables/database" in named("raw_masks+", graph)
    assert "imagery/imagery" not in named("raw_masks+", graph)
    assert named("+raw_masks+", graph) == named("+raw_masks", graph) | named("raw_masks+", graph)
    assert named("+room:tables", graph) == named("+tables/*", graph) > room("tables", graph) | {"imagery/imagery"}
    assert named("imagery/*+", graph) >= room("imagery", graph) | {"tables/database"}


def test_everything(graph: Graph) -> None:
    assert named("*", graph) == named("sites,*", graph) == {str(a) for a in graph.assets}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("segmentation", "'segmentation' is a room and no asset; write segmentation/* for all of it"),
        ("+tables", "'tables' is a room and no asset; write tables/* for all of it"),
        (
            "polygons",
            "'polygons' may mean the asset polygons of the room tables (tables/polygons) or the room polygons with its "
            "3 assets (polygons/*); say which",
        ),
        ("raw_mask", "did you mean 'raw_masks'?"),
        ("Imagery", "'Imagery' is neither an asset nor a room (did you mean 'imagery'?)"),
        ("segmentation/raw_maks", "did you mean 'segmentation/raw_masks'?"),
        ("tables/raw_masks", "(did you mean 'raw_masks'?)"),
        ("room:imagry", "there is no room 'imagry' (did you mean 'imagery'?); rooms are chips, "),
        ("table/*", "there is no room 'table' (did you mean 'tables'?)"),
        ("Tables/*", "there is no room 'Tables' (did you mean 'tables'?)"),
        ("room:", "there is no room ''; rooms are "),
        ("/*", "there is no room ''; rooms are "),
        ("", "'' names nothing; write assets such as sites,imagery, or leave --select out for everything"),
        (" , ", "names nothing"),
        ("sites,,imagery", "'sites,,imagery' has a comma too many"),
        ("sites,", "'sites,' has a comma too many"),
        ("++sites", "'++sites' is not understood; one `+` before a name adds all that it needs"),
        ("sites++", "'sites++' is not understood"),
        ("+", "'+' is not understood"),
        ("sites+imagery", "'sites+imagery' is not understood"),
        ("sites imagery", "'sites imagery' has a space in it; write commas between names"),
        ("+ sites", "'+ sites' has a space in it"),
        ("sites;imagery", "'sites;imagery' is neither an asset nor a room"),
    ],
)
def test_what_is_not_understood_is_one_sentence(graph: Graph, text: str, sentence: str) -> None:
    with pytest.raises(BadInputError) as refused:
        parse_selection(text, graph)
    assert str(refused.value).startswith("--select: ")
    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)


def test_who_can_be_asked_is_asked(graph: Graph) -> None:
    asked: list[tuple[str, list[str]]] = []

    def choose(unclear: UnclearError) -> str:
        asked.append((unclear.name, [choice.spelling for choice in unclear.choices]))
        return unclear.choices[-1].spelling

    chosen = parse_selection("+polygons,tables", graph, choose)
    assert asked == [("polygons", ["tables/polygons", "polygons/*"]), ("tables", ["tables/*"])]
    assert {str(a) for a in chosen} == named("+polygons/*,tables/*", graph)


WRITTEN = re.compile(r"--select[= ]+['\"]?([^\s'\"`)]+)")
"""A selection as people are told to write it."""

PROSE = {"names"}
"""What follows the option in a sentence about it."""

OF_A_PROJECT = {"+series_team"}
"""Names a series that the page registers first; the tests of the documentation run it."""

PLACES = ("README.md", "docs", "examples", "docker", "Makefile", "dagster_project", "minemap_assets")


def told() -> Iterator[tuple[str, str]]:
    """Every selection in the documentation, the examples and the program's own sentences, with its file."""
    for place in PLACES:
        root = ROOT / place
        for path in sorted(root.rglob("*")) if root.is_dir() else [root]:
            if path.suffix in ("", ".md", ".py", ".sh", ".yaml") and path.is_file():
                for found in WRITTEN.findall(path.read_text(encoding="utf-8", errors="replace")):
                    yield path.relative_to(ROOT).as_posix(), found.rstrip(".,;:\\")


def test_every_selection_that_people_are_told_to_write_is_one(graph: Graph) -> None:
    wrong, seen = [], 0
    for path, text in told():
        if "{" in text or text in PROSE | OF_A_PROJECT:
            continue
        seen += 1
        try:
            parse_selection(text, graph)
        except BadInputError as error:
            wrong.append(f"{path}: {error}")
    assert not wrong, "\n".join(wrong)
    assert seen > 10


def test_every_example_in_the_help_is_a_selection(graph: Graph) -> None:
    said = str(get_args(options.Select)[1].help)
    examples = [*re.findall(r"`([^`]+)`", said), *re.findall(r"such as ([^;\s]+)", said)]
    assert len(examples) >= 4
    for example in examples:
        assert parse_selection(example.replace("name", "imagery"), graph), example


def test_what_is_made_on_request_is_not_made_by_a_run_of_everything(graph: Graph) -> None:
    scans = {asset for asset in graph.assets if asset.room in {"detection", "snapshots"}}
    given = {
        asset for asset in graph.assets if str(asset).removeprefix("publication/") in {"dataset_files", "map", "report"}
    }
    assert len(given) == 3
    assert parse_selection(None, graph) == frozenset(graph.assets) - scans - given
    assert scans | given <= parse_selection("*", graph)
    assert parse_selection("room:detection,room:snapshots", graph) == scans
    assert not parse_selection("imagery/imagery+", graph) & (scans | given)
    assert {str(one) for one in parse_selection("scan_imagery+", graph)} >= {"detection/patch_scores"}
    assert {str(one) for one in parse_selection("site_panel+,map", graph) & given} == {"publication/map"}
