"""Mistakes with `minemap run`: one sentence each that says what is wrong and what to do, and nothing is written."""

import json
from pathlib import Path

import pytest

from minemap_assets.project.settings import SETTINGS_PATH
from terminal import Terminal

YEARS = "years run from 2016 to"

MISTAKES = [
    # years
    (("--years", "1999"), f"--years: there is no imagery of 1999; {YEARS}"),
    (("--years", "2099"), f"--years: 2099 has not begun; {YEARS}"),
    (("--years", "2020-"), "--years: '2020-' is not a year or a range; write 2019 or 2016-2024"),
    (("--years", "-2020"), "--years: '-2020' is not a year or a range"),
    (("--years", "2020-2018"), "--years: '2020-2018' runs backwards; write the earlier year first, as in 2016-2024"),
    (("--years", "last year"), "--years: 'last year' is not a year or a range"),
    (("--years", "2019 2020"), "--years: '2019 2020' is not a year or a range"),
    (("--years", "2019.5"), "--years: '2019.5' is not a year or a range"),
    (("--years", "20199"), "--years: '20199' is not a year or a range"),
    (("--years", "2016-2099"), f"has not begun; {YEARS}"),
    (("--years", ""), "--years: '' names no year"),
    # regions
    (("--regions", "aera"), "unknown region 'aera' (did you mean 'area'?); the regions are area, gone"),
    (("--regions", "Area"), "unknown region 'Area' (did you mean 'area'?)"),
    (("--regions", "area,nowhere"), "unknown region 'nowhere'"),
    (("--regions", "gone"), "region 'gone' is retired; bring it back with `minemap regions restore gone`"),
    (("--regions", ""), "--regions: '' names no region; write slugs such as area"),
    # selections
    (("--select", "raw_mask"), "--select: 'raw_mask' is neither an asset nor a room (did you mean 'raw_masks'?)"),
    (("--select", "segmentation"), "'segmentation' is a room and no asset; write segmentation/* for all of it"),
    (("--select", "polygons"), "(tables/polygons) or the room polygons with its 3 assets (polygons/*); say which"),
    (("--select", "room:imagry"), "there is no room 'imagry' (did you mean 'imagery'?)"),
    (("--select", "sites,"), "'sites,' has a comma too many"),
    (("--select", "++sites"), "'++sites' is not understood"),
    (("--select", "sites imagery"), "has a space in it; write commas between names"),
    (("--select", "SITES"), "'SITES' is neither an asset nor a room (did you mean 'sites'?)"),
    (("--select", ""), "--select: '' names nothing"),
    # other options
    (("--sample", "0"), "'--sample': it has to be at least 1"),
    (("--sample", "1.5"), "'--sample': it has to be a whole number"),
    (("--force",), "--force makes what --select names again, though it is current; name it"),
    (("--dryrun",), "no such option: --dryrun"),
    (("imagery",), "got unexpected extra argument"),
    (("--select",), "requires an argument"),
]


@pytest.fixture
def team(project: Terminal) -> Terminal:
    """With a second region, which is retired."""
    project("regions", "add", "gone", "area.geojson")
    assert project("regions", "retire", "gone").code == 0
    return project


def test_a_mistake_is_one_sentence_and_nothing_is_written(team: Terminal) -> None:
    before = {name: (team.lake / name).read_bytes() for name in team.files()}
    wrong = []
    for words, sentence in MISTAKES:
        answer = team("run", *words)
        if answer.code != 2 or sentence not in answer.sentence or answer.out:
            wrong.append(f"{words}: {answer}")
        if {name: (team.lake / name).read_bytes() for name in team.files()} != before:
            wrong.append(f"{words}: something was written")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("way", ["--dry-run", "--json"])
def test_other_ways_of_running_know_the_same_mistakes(team: Terminal, way: str) -> None:
    for words in (("--years", "2020-"), ("--regions", "aera"), ("--select", "tables")):
        answer = team("run", way, *words)
        assert (answer.code, answer.out) == (2, "")
        assert answer.sentence == team("run", *words).sentence


def test_a_project_without_regions(minemap: Terminal) -> None:
    for words in ((), ("--dry-run",), ("--select", "sites")):
        answer = minemap("run", *words)
        assert answer.code == 2
        assert "has no region yet; add one with `minemap regions add SLUG FILE`" in answer.sentence
        assert not minemap.files()


SETTINGS = [
    ("[imagery\n", "is not valid TOML"),
    ("[imagry]\n", "imagry"),
    ("[imagery]\nreference_yaer = 2019\n", "[imagery] has no setting 'reference_yaer'"),
    ("[imagery]\nreference_year = 'last'\n", "reference_year"),
    ("first_year = 1999\n", "first_year"),
    ("first_year = 2020\nlast_year = 2019\n", "last_year 2019 is before first_year 2020"),
    ('[imagery.sources]\nplanet-nicfi = ["planet"]\n', "planet"),
]


def test_broken_settings(project: Terminal) -> None:
    path = project.lake / SETTINGS_PATH
    for text, words in SETTINGS:
        path.write_text(text)
        before = project.files()
        for option in ((), ("--dry-run",)):
            answer = project("run", *option)
            assert answer.code == 2, answer.err
            assert words in answer.sentence
            assert SETTINGS_PATH in answer.sentence
        assert project.files() == before
        assert path.read_text() == text


def test_a_year_without_a_product_and_a_product_without_a_source(project: Terminal) -> None:
    path = project.lake / SETTINGS_PATH
    path.write_text('[imagery]\nproducts = [{ product = "planet-nicfi", until = 2018 }]\n')
    for way in ((), ("--dry-run",)):
        answer = project("run", "--select", "+imagery", "--years", "2018-2020", *way)
        assert answer.code == 2, answer.err
        assert answer.sentence == "no product is set for 2019; add a period that covers it to [imagery] products"
    path.write_text('[imagery]\nproducts = [{ product = "planet-nicfi" }]\n\n[imagery.sources]\nplanet-nicfi = []\n')
    answer = project("run", "--years", "2020")
    assert answer.code == 2
    assert "no source is set for planet-nicfi; name one in" in answer.sentence


def test_what_cannot_be_made_is_known_before(project: Terminal, tmp_path: Path) -> None:
    answer = project("run", "--dry-run", "--select", "raw_masks", "--years", "2020", "--json")
    assert answer.code == 1
    found = json.loads(answer.out)
    assert [one["partition"] for one in found["cannot"]] == ["segmentation/raw_masks[area|2020]"]
    assert not (tmp_path / "minemap-data" / "lake" / "segmentation").exists()
