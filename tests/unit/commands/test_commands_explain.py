"""`minemap explain`: one partition in words, by any name a person would write, and the same for scripts."""

import json
from pathlib import Path
from typing import Any

import pytest

from minemap_assets.lake.partitions import MANIFEST
from terminal import Terminal
from tiny import Chain

ALDER, BIRCH = "alder-basin", "birch-delta"


def told(minemap: Terminal, *words: str) -> Any:
    answer = minemap("explain", *words, "--json")
    assert (answer.code, answer.err) == (0, "")
    return json.loads(answer.out)


def test_a_current_partition_says_what_it_is_holds_and_was_made_from(minemap: Terminal, chain: Chain) -> None:
    answer = minemap("explain", f"sites[{ALDER}]")
    assert answer.code == 0
    lines = answer.out.splitlines()
    assert lines[0] == f"sites/sites[{ALDER}] is current."
    assert lines[1] == "Every known mine of a region with its stable id and its own 5 m grid."
    folder = chain.folder / "lake" / "sites" / "sites" / ALDER
    assert f"in {folder}" in answer.out
    assert "sites.parquet" in answer.out
    assert "  sites: 2" in lines
    assert "  sites.min_pixels = 512" in lines
    assert any(f"sites/ground_truth[{ALDER}]" in line and "current" in line for line in lines)
    assert (
        lines[-1]
        == f"`minemap run --select sites/sites --regions {ALDER}` has nothing to do; with --force it makes it again."
    )


def test_a_script_learns_the_same(minemap: Terminal, chain: Chain) -> None:
    found = told(minemap, f"sites/sites[{ALDER}]")
    manifest = chain.open("sites", "sites", ALDER).manifest
    assert (found["partition"], found["state"], found["reasons"]) == (f"sites/sites[{ALDER}]", "current", [])
    assert found["keys"] == {"region": ALDER}
    assert found["settings"] == manifest.settings
    assert found["settings"][f"regions.{ALDER}"].startswith("sha256:")
    assert found["files"] == [
        {
            "name": f.name,
            "path": str(chain.folder / "lake" / "sites" / "sites" / ALDER / f.path),
            "bytes": f.bytes,
            "sha256": f.sha256,
        }
        for f in manifest.files
    ]
    assert [one["partition"] for one in found["inputs"]] == [f"sites/ground_truth[{ALDER}]"]
    assert all(Path(file["path"]).is_file() for file in found["files"])
    assert found["follows"] == {}
    assert told(minemap, f"ground_truth {ALDER}")["follows"] == {"sites/sites": 1}


def test_the_help_shows_how_a_partition_is_named(minemap: Terminal) -> None:
    """Brackets would be taken for markup there, and left out."""
    assert "imagery/north/2020" in " ".join(minemap("explain", "-h").out.split())


@pytest.mark.parametrize(
    "words",
    [
        (f"imagery/imagery[{ALDER}|2018]",),
        (f"imagery[{ALDER}|2018]",),
        (f"imagery {ALDER} 2018",),
        ("imagery", ALDER, "2018"),
        ("imagery", "2018", ALDER),
        (f"imagery/imagery/{ALDER}/2018",),
        (f"imagery[{ALDER},2018]",),
        (f"imagery/{ALDER}/2018",),
    ],
)
@pytest.mark.usefixtures("chain")
def test_every_way_to_name_a_partition(minemap: Terminal, words: tuple[str, ...]) -> None:
    assert told(minemap, *words)["partition"] == f"imagery/imagery[{ALDER}|2018]"


def test_the_only_region_need_not_be_named(project: Terminal) -> None:
    assert told(project, "imagery", "2020")["partition"] == "imagery/imagery[area|2020]"


def test_the_folder_of_a_partition_names_it(minemap: Terminal, chain: Chain) -> None:
    folder = chain.folder / "lake" / "sites" / "sites" / ALDER
    assert told(minemap, str(folder))["partition"] == f"sites/sites[{ALDER}]"


WRONG = {
    "site": ("there is no asset 'site' (did you mean 'sites'?)", "`minemap status`"),
    "sites/stes": ("the room sites has no asset 'stes' (did you mean 'sites'?)", "ground_truth, sites"),
    "segmentation": ("segmentation is a room and no asset", "raw_masks"),
    "sites alder-basn": ("has no region 'alder-basn' (did you mean 'alder-basin'?)", "birch-delta"),
    f"imagery {ALDER}": (f"'{ALDER}' lacks the year", f"'imagery/imagery[{ALDER}|2016]'"),
    "imagery 2018": ("'2018' lacks the region", f"'imagery/imagery[{ALDER}|2018]'"),
    f"imagery {ALDER} 1999": ("has no year '1999'", "years run from 2016 to"),
    f"imagery {ALDER} 2018 x": ("has more", f"'imagery/imagery[{ALDER}|2018]'"),
    "database 2018": ("tables/database has no partitions", "`minemap explain tables/database`"),
    " ": ("no partition is named", "'imagery[north|2020]'"),
}


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.usefixtures("chain")
def test_a_wrong_name_is_met_with_the_right_one(minemap: Terminal, name: str) -> None:
    answer = minemap("explain", name)
    assert (answer.code, answer.out) == (2, "")
    assert all(words in answer.sentence for words in WRONG[name]), answer.sentence


@pytest.mark.usefixtures("chain")
def test_an_asset_alone_lists_its_partitions(minemap: Terminal) -> None:
    answer = minemap("explain", "sites")
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in answer.out.splitlines() if "│" in line]
    assert rows == [[ALDER, "current", ""], [BIRCH, "current", ""]]
    assert answer.out.splitlines()[-1] == "2 partitions: 2 current."
    found = told(minemap, "imagery")
    years = {one["keys"]["year"] for one in found["partitions"]}
    assert min(years) == "2016"
    assert {one["state"] for one in found["partitions"]} == {"missing"}


@pytest.mark.usefixtures("chain")
def test_what_was_never_made_names_the_first_input_that_was_not(minemap: Terminal) -> None:
    answer = minemap("explain", f"raw_masks {ALDER} 2018")
    lines = answer.out.splitlines()
    assert lines[0] == f"segmentation/raw_masks[{ALDER}|2018] is not made."
    begin = f"it begins with imagery[{ALDER}|2018], which has not been made either"
    assert f"it is made from chips[{ALDER}|2018], which has not been made; {begin}" in answer.out
    assert lines[-1] == f"`minemap run --select +segmentation/raw_masks --regions {ALDER} --years 2018` makes it."


def test_a_changed_setting_is_named_here_and_below(minemap: Terminal, chain: Chain) -> None:
    with (chain.folder / "lake" / "inputs" / "minemap.toml").open("a") as settings:
        settings.write("\n[sites]\nmin_area_m2 = 5000\n")
    found = told(minemap, f"ground_truth {ALDER}")
    assert found["state"] == "outdated"
    (reason,) = found["reasons"]
    assert (reason["kind"], reason["subject"]) == ("setting changed", "sites.min_area_m2")
    assert reason["sentence"].endswith("to 5000")
    answer = minemap("explain", f"sites {ALDER}")
    assert answer.out.startswith(f"sites/sites[{ALDER}] is current.")
    assert f"sites/ground_truth[{ALDER}]: {reason['sentence']}" in answer.out


def test_damage_is_named(minemap: Terminal, chain: Chain) -> None:
    folder = chain.folder / "lake" / "sites" / "sites" / BIRCH
    (folder / "sites.parquet").unlink()
    answer = minemap("explain", f"sites {BIRCH}")
    assert answer.out.startswith(f"sites/sites[{BIRCH}] is damaged.")
    assert "its file sites.parquet is gone or not what was published" in answer.out
    (folder / MANIFEST).write_text("{")
    answer = minemap("explain", f"sites {BIRCH}")
    assert answer.code == 0
    assert f"cannot be read, so sites[{BIRCH}] has to be made again" in answer.out
