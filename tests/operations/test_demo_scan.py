"""Mines that are in no file, found by a scan, outlined, and counted: the small world, and 5,000 km2 of another."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from minemap_assets.simulation.built_in_worlds import load_world, with_unknown_mines
from tiny import Chain

pytestmark = pytest.mark.operations


def scan_of(chain: Chain, world: str) -> str:
    """What `minemap demo --scan` says in a process of its own, with two jobs."""
    own = {"MINEMAP_HOME": chain.environment.home, "MINEMAP_STATE": str(chain.environment.state), "COLUMNS": "200"}
    words = [sys.executable, "-m", "dagster_project.cli.main", "demo", "--world", world, "--scan", "--jobs", "2"]
    ended = subprocess.run(words, env=os.environ | own, capture_output=True, text=True, timeout=3600, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def cell(text: str, row: str) -> list[int]:
    """The numbers in a row of the table."""
    (line,) = (line for line in text.splitlines() if row in line)
    return [int(number) for number in re.findall(r"\d+", line.split(row)[1])]


def test_the_small_world_holds_a_mine_more_than_its_files(tmp_path: Path) -> None:
    chain = Chain(tmp_path)
    text = scan_of(chain, "tiny")
    assert cell(text, "of more than 5 ha") == [1]
    assert cell(text, "of these found")[0] == 1
    assert cell(text, "candidates that are no mine")[0] <= 3
    world = with_unknown_mines(load_world("tiny"))
    truth = world.truth(2019)
    hidden = truth[truth["mine_id"].isin(world.hidden)]
    polygons = chain.frame("tables", "polygons", "2019", file="polygons.parquet")
    outlined = polygons[polygons.intersects(hidden.geometry.iloc[0])]
    assert outlined["area_km2"].sum() > 0.3 * hidden["area_km2"].iloc[0]


def test_a_frontier_of_5000_km2_is_scanned(tmp_path: Path) -> None:
    text = scan_of(Chain(tmp_path), "frontier")
    mines, found = cell(text, "of more than 5 ha")[0], cell(text, "of these found")[0]
    assert mines >= 20
    assert found >= 0.9 * mines
    assert cell(text, "candidates that are no mine")[0] <= 3
