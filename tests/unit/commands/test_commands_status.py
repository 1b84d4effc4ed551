"""`minemap status`: the table with its total, why something is not current, and the same for scripts."""

import json
import shutil

import pytest

from minemap_assets.project.settings import SETTINGS_PATH
from minemap_assets.segmentation.metrics import METRICS
from terminal import Answer, Terminal
from tiny import Chain

ALDER = "alder-basin"


def used(minemap: Terminal, chain: Chain) -> Chain:
    minemap.setenv(MINEMAP_HOME=str(chain.folder / "lake"), MINEMAP_STATE=str(chain.folder / "state"))
    minemap.widen(250)
    return chain


def table(answer: Answer) -> dict[str, list[str]]:
    assert (answer.code, answer.err) == (0, "")
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in answer.out.splitlines() if "│" in line]
    return {row[0]: row[1:] for row in rows}


def add_settings(chain: Chain, text: str) -> None:
    with (chain.folder / "lake" / SETTINGS_PATH).open("a") as settings:
        settings.write(text)


@pytest.mark.usefixtures("chain")
def test_the_table_ends_with_the_total(minemap: Terminal) -> None:
    rows = table(minemap("status", "--years", "2018"))
    assert list(rows)[-1] == "total"
    assert rows["sites/sites"] == ["2", "2", "·", "·", "·"]
    assert rows["imagery/imagery"] == ["2", "·", "·", "·", "2"]
    counted = [[0 if cell == "·" else int(cell) for cell in row] for row in rows.values()]
    assert counted[-1] == [sum(column) for column in zip(*counted[:-1], strict=True)]


@pytest.mark.usefixtures("chain")
def test_without_years_every_closed_year_is_looked_at(minemap: Terminal) -> None:
    found = json.loads(minemap("status", "--json").out)
    assert found["years"] == list(range(2016, found["years"][-1] + 1))
    assert found["years"][-1] == int(found["checked"][:4]) - 1


@pytest.mark.usefixtures("chain")
def test_what_is_missing_is_told_in_one_line_with_where_it_begins(minemap: Terminal) -> None:
    answer = minemap("status", "--years", "2018")
    number, lines = table(answer)["total"][-1], answer.out.splitlines()
    (missing,) = [line for line in lines if "not made yet" in line]
    assert missing.startswith(f"{number} partitions missing: not made yet (first reference/validation_points, ")
    assert lines[-1].endswith("`minemap explain PARTITION` tells of one.")


def test_a_changed_setting_is_told_once_for_all_partitions(minemap: Terminal, chain: Chain) -> None:
    add_settings(chain, "\n[sites]\nmin_area_m2 = 5000\n")
    answer = minemap("status", "--select", "ground_truth,sites")
    changed = "setting sites.min_area_m2 changed from "
    (line,) = [line for line in answer.out.splitlines() if changed in line]
    assert line.startswith("2 partitions outdated: ")
    assert line.endswith("to 5000 (first affects sites/ground_truth)")
    assert "2 current partitions are made from these, and made again where these come out different." in answer.out


def test_damage_is_told_with_the_partition(minemap: Terminal, chain: Chain) -> None:
    (chain.folder / "lake" / "sites" / "sites" / ALDER / "sites.parquet").unlink()
    answer = minemap("status", "--select", "sites")
    assert table(answer)["total"] == ["2", "1", "·", "1", "·", "·"]
    assert f"1 partition damaged: sites/sites[{ALDER}]: its file sites.parquet is gone" in answer.out


def test_a_script_learns_every_partition_with_its_reasons(minemap: Terminal, chain: Chain) -> None:
    add_settings(chain, "\n[sites]\nmin_area_m2 = 5000\n")
    answer = minemap("status", "--select", "+sites", "--json")
    found = json.loads(answer.out)
    assert (answer.code, answer.err, found["verdict"]) == (0, "", None)
    states = {one["partition"]: one for one in found["partitions"]}
    outdated = states[f"sites/ground_truth[{ALDER}]"]
    assert (outdated["state"], outdated["keys"]) == ("outdated", {"region": ALDER})
    assert [reason["subject"] for reason in outdated["reasons"]] == ["sites.min_area_m2"]
    current = states[f"sites/sites[{ALDER}]"]
    assert (current["state"], current["reasons"]) == ("current", [])
    assert current["made_from_what_is_not_current"]
    assert found["total"]["all"] == len(states) == sum(one["all"] for one in found["assets"].values())
    (cause,) = found["causes"]
    assert cause["partitions"] == ["sites/ground_truth[alder-basin]", "sites/ground_truth[birch-delta]"]


def test_a_project_without_a_region_has_next_steps(minemap: Terminal) -> None:
    found = json.loads(minemap("status", "--json").out)
    assert found["partitions"] == []
    assert any("minemap regions add" in step for step in found["next_steps"])


def test_the_verdict_on_the_model_stands_before_what_is_outdated(minemap: Terminal, finished: Chain) -> None:
    chain = used(minemap, finished.copied(minemap.folder / "project"))
    add_settings(chain, "\n[polygons]\nmin_area_km2 = 1\n")
    (chain.folder / "state" / "minemap.duckdb").unlink()
    answer = minemap("status", "--years", "2017-2019")
    lines = answer.out.splitlines()
    (verdict,) = [number for number, line in enumerate(lines) if line.startswith("The model ")]
    assert lines[verdict + 1].startswith("In use: model ")
    assert lines[verdict + 1].endswith("with the verdict cannot be judged.")
    assert "8 partitions outdated: setting polygons.min_area_km2 changed from 0.0005 to 1" in lines[verdict + 2]
    assert "tables/database: a file that it keeps outside its own folder is gone or was changed" in answer.out
    grade = json.loads(minemap("status", "--years", "2017", "--json").out)["verdict"]["grade"]
    assert lines[verdict].removeprefix("The model ").removeprefix("is ").startswith(grade)
    scores = chain.folder / "lake" / "segmentation" / "model_evaluation"
    (scores / METRICS).unlink()
    damaged = minemap("status", "--years", "2017", "--json")
    assert json.loads(damaged.out)["verdict"] is None
    assert damaged.err.startswith("Note: what the model is worth cannot be told: ")
    shutil.rmtree(scores)
    assert "The model " not in minemap("status", "--years", "2017").out
