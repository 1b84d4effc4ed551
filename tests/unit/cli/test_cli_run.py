"""`minemap run` on the screen: what it would do, how it goes on, and how it came out."""

import io
import json
import os
import socket
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from dagster_project.commands import context, execution, progress
from dagster_project.commands.progress import Display
from dagster_project.commands.run_report import gap_lines
from dagster_project.pace import Pace
from dagster_project.runner import Gaps, Report, Result, State
from dagster_project.selection import Choice, UnclearError
from minemap_assets.graph.graph import Step
from minemap_assets.imagery.assets import COMPOSITES
from minemap_assets.lake.manifests import PartitionRef, file_sha256
from minemap_assets.lake.workspaces import taken
from minemap_assets.project.settings import SETTINGS_PATH
from screen import screen
from terminal import Terminal
from tiny import YEARS, Chain

ALL_YEARS = f"{YEARS[0]}-{YEARS[-1]}"
NORTH = PartitionRef("imagery", "imagery", ("north", "2019"))
STEP = Step((COMPOSITES,), NORTH.keys)


@pytest.fixture(scope="module")
def whole(finished: Chain, tmp_path_factory: pytest.TempPathFactory) -> Chain:
    """For tests that leave it as it is."""
    return finished.copied(tmp_path_factory.mktemp("run") / "whole")


@pytest.fixture
def at(minemap: Terminal) -> Any:
    """The command line at a chain."""

    def settle(chain: Chain) -> Terminal:
        minemap.setenv(MINEMAP_HOME=chain.environment.home, MINEMAP_STATE=str(chain.environment.state))
        minemap.widen(200)
        return minemap

    return settle


def everything(folder: Path) -> dict[str, str]:
    """All files of a project with their checksums."""
    return {str(path): file_sha256(path) for path in folder.rglob("*") if path.is_file()}


def test_a_dry_run_says_what_would_be_made_and_why_and_writes_nothing(finished: Chain, at: Any, tmp_path: Path) -> None:
    chain = finished.copied(tmp_path / "copy")
    chain.change("[segmentation]", "[polygons]\nmin_area_km2 = 0.01\n\n[segmentation]")
    before = everything(chain.folder)
    minemap = at(chain)
    answer = minemap("run", "--dry-run", "--years", ALL_YEARS)
    assert answer.code == 0, answer.err
    assert everything(chain.folder) == before
    line = next(line for line in answer.out.splitlines() if "polygons/mining_polygons" in line)
    assert "│ 6 " in line
    assert "min_area_km2" in line
    assert "would be made" in answer.out
    assert "nothing was written" in answer.out
    found = json.loads(minemap("run", "--dry-run", "--json", "--years", ALL_YEARS).out)
    assert {one["partition"].split("[")[0] for one in found["made"]} == {
        "polygons/mining_polygons",
        "polygons/site_history",
    }
    assert all("min_area_km2" in one["reasons"][0] for one in found["made"])
    assert "tables/database" in found["follows"]
    assert "segmentation/segmentation_model" in found["kept"]
    assert found["cannot"] == found["fetched"] == []
    assert everything(chain.folder) == before


def test_a_dry_run_says_what_cannot_be_made(whole: Chain, at: Any) -> None:
    answer = at(whole)("run", "--dry-run", "--select", "raw_masks", "--years", "2020")
    assert answer.code == 1
    assert "Cannot be made" in answer.out
    assert "it is made from chips[alder-basin|2020], which has not been made" in answer.out
    assert "Note: what is missing has to be in the selection too" in answer.err


def test_quality_stands_before_counts_and_counts_before_areas(whole: Chain, at: Any) -> None:
    answer = at(whole)("run", "--years", ALL_YEARS)
    assert answer.code == 0, answer.err
    order = [
        "Quality of the model: ",
        "Observed: 12 of 12 sites and years (100%).",
        "0 asset partitions made, 79 kept, 0 failed, 0 held up, in ",
        "Mapped mining area: ",
        f"DuckDB file: {whole.folder}/state/minemap.duckdb",
        f"GeoParquet tables: {whole.folder}/lake/tables",
        "Look at the maps with `minemap map`, and at the graph of assets with `minemap ui`.",
    ]
    places = [answer.out.index(words) for words in order]
    assert places == sorted(places)
    assert Path(f"{whole.folder}/state/minemap.duckdb").is_file()
    assert Path(f"{whole.folder}/lake/tables").is_dir()


def test_a_selection_is_told_only_what_it_has_to_do_with(whole: Chain, at: Any) -> None:
    answer = at(whole)("run", "--select", "sites")
    assert answer.code == 0, answer.err
    for words in ("Quality", "Observed", "Mapped", "DuckDB"):
        assert words not in answer.out


def test_json_is_one_document_and_all_else_is_told_elsewhere(whole: Chain, at: Any) -> None:
    answer = at(whole)("run", "--select", "raw_masks,raw_polygons", "--years", "2017", "--json")
    found = json.loads(answer.out)
    assert found["counts"] == {"made": 0, "kept": 4, "failed": 0, "held up": 0}
    assert found["verdict"]["grade"] == "cannot be judged"
    assert (found["sites_expected"], found["sites_observed"]) == (4, 4)
    assert {one["state"] for one in found["partitions"]} == {"kept"}
    assert found["partitions"][0]["partition"] == "segmentation/raw_masks[alder-basin|2017]"
    assert "[4/4]" in answer.err


def test_forced_partitions_are_made_again_and_nothing_follows_from_the_same_bytes(
    finished: Chain, at: Any, tmp_path: Path
) -> None:
    chain = finished.copied(tmp_path / "copy")
    before = chain.contents()
    minemap = at(chain)
    scope = ("--years", "2017", "--regions", "birch-delta")
    answer = minemap("run", "--select", "imagery,chips", "--force", "--verbose", *scope)
    assert answer.code == 0, answer.err
    assert answer.out.count("it was asked for again, though it is current") == 2
    assert "2 asset partitions made, 0 kept" in answer.out
    assert chain.contents() == before
    answer = minemap("run", "--select", "imagery+", *scope)
    assert "0 asset partitions made" in answer.out
    refused = minemap("run", "--force")
    assert refused.code == 2
    assert "--force makes what --select names again" in refused.sentence


def test_a_run_that_waits_says_for_whom_and_not_for_ever(finished: Chain, at: Any, tmp_path: Path) -> None:
    chain = finished.copied(tmp_path / "copy")
    settings = chain.folder / "lake" / SETTINGS_PATH
    settings.write_text(f"wait_minutes = 0.01\n{settings.read_text()}")
    pools = chain.folder / "state" / "dagster" / "pools"
    pools.mkdir(exist_ok=True)
    minemap = at(chain)
    with taken(pools, "database", work="tables all"):
        answer = minemap("run", "--select", "database", "--force")
    holder = f"process {os.getpid()} on {socket.gethostname()} since "
    assert answer.code == 1
    assert f"Note: tables all waits for {holder}" in answer.err
    assert ", which makes tables all and holds the pool database" in answer.err
    assert "Stopped with 0 of 1 asset partitions done and 1 left; the same command goes on from here." in answer.err
    assert answer.sentence.startswith(f"the pool database is held by {holder}")
    assert answer.sentence.endswith("run the same command again when that has ended")


def told(console: Console, *, verbose: bool = False) -> Display:
    return Display(console, 2, Pace([NORTH], {}), verbose=verbose)


def test_without_a_terminal_each_step_is_a_line_and_a_long_one_has_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.0)
    out = io.StringIO()
    display = told(Console(file=out, width=80))
    with display.shown():
        display.begun(STEP)
        display.went_on(NORTH, 3, 40, "fetching site", "")
        display.went_on(NORTH, 40, 40, "fetching site", "")
        gaps = Gaps(2, 40, 1, "site-1: the connection broke")
        display.ended(STEP, [Result(NORTH, State.MADE, seconds=12.0, gaps=gaps)])
        display.ended(STEP, [Result(NORTH, State.FAILED, reason="the disk [is] full")])
    assert out.getvalue().splitlines() == [
        "imagery[north|2019]: fetching site 3 of 40",
        "[1/2] imagery north 2019: imagery made (2 of 40 sites missing; 12 s)",
        "failed imagery[north|2019]: the disk [is] full",
        "[2/2] imagery north 2019: imagery failed",
    ]


def test_a_long_step_does_not_fill_the_log() -> None:
    out = io.StringIO()
    display = told(Console(file=out, width=80))
    for done in range(1000):
        display.went_on(NORTH, done, 1000, "training step", "loss 0.5")
    assert out.getvalue() == ""


def test_a_terminal_shows_two_lines_that_are_gone_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "LONG_SECONDS", 0.0)
    out = io.StringIO()
    console = Console(file=out, width=120, force_terminal=True)
    display = told(console)
    with display.shown():
        display.begun(STEP)
        display.went_on(NORTH, 3, 40, "training step", "loss 0.310, mIoU 0.80")
        display._bars.refresh()
        during = screen(out.getvalue())
        display.ended(STEP, [Result(NORTH, State.FAILED, reason="no answer")])
    assert len(during) == 2
    assert "imagery north 2019" in during[0]
    assert "0/2" in during[0]
    assert "training step 3 of 40, loss 0.310, mIoU 0.80" in during[1]
    assert "3/40" in during[1]
    assert screen(out.getvalue()) == ["failed imagery[north|2019]: no answer"]


@pytest.mark.parametrize("both", [True, False])
def test_a_note_stands_above_the_lines_of_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], both: bool
) -> None:
    monkeypatch.setattr(context.errors, "_force_terminal", both)
    out = io.StringIO()
    display = told(Console(file=out, width=120, force_terminal=True))
    with display.shown():
        display.begun(STEP)
        display._bars.refresh()
        display.note("1 site has [labelled] mines")
        during = screen(out.getvalue())
    noted = ["Note: 1 site has [labelled] mines"]
    assert during[:-1] == screen(out.getvalue()) == (noted if both else [])
    assert "imagery north 2019" in during[-1]
    assert capsys.readouterr().err.splitlines() == ([] if both else noted)


def test_gaps_are_told_where_they_begin() -> None:
    gaps = Gaps(2, 40, 2, "site-1: the connection broke")
    results = [Result(NORTH, State.MADE, gaps=gaps), Result(NORTH, State.KEPT)]
    assert list(gap_lines(Report(results))) == [
        "imagery lacks 2 of 40 sites in 1 partition, such as site-1: the connection broke; "
        "the next run tries them again"
    ]
    chips = PartitionRef("chips", "chips", NORTH.keys)
    lasting = Gaps(1, 40, 0, "site-1: no source covers it")
    results = [Result(NORTH, State.KEPT, gaps=lasting), Result(chips, State.MADE, gaps=lasting)]
    first, second = gap_lines(Report(results))
    assert first.endswith("asking again gives the same as long as the inputs stay")
    assert second == "what is missing there is missing in chips too: it counts as not observed, not as no mining"
    assert list(gap_lines(Report([Result(NORTH, State.MADE)]))) == []


class Answers(io.StringIO):
    """Somebody at a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_person_at_a_terminal_is_asked_what_a_name_means(monkeypatch: pytest.MonkeyPatch) -> None:
    choices = (Choice("tables/polygons", "the asset"), Choice("polygons/*", "the room"))
    unclear = UnclearError("--select: which?", "polygons", choices)
    monkeypatch.setattr(sys, "stdin", io.StringIO("2\n"))
    with pytest.raises(UnclearError):
        execution._chosen(unclear)
    monkeypatch.setattr(sys, "stdin", Answers("7\n2\n"))
    monkeypatch.setattr(context.errors, "_force_terminal", True)
    assert execution._chosen(unclear) == "polygons/*"
    monkeypatch.setattr(sys, "stdin", Answers("y\n"))
    assert execution._chosen(UnclearError("--select: a room", "tables", choices[1:])) == "polygons/*"
