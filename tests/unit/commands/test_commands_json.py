"""`--json`: one document on the output stream and nothing else, whatever a command has to say besides."""

import json
from dataclasses import dataclass, field
from datetime import date
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dagster_project.commands.json_output import print_json
from minemap_assets.lake.manifests import Missing
from terminal import Terminal
from tiny import Chain


def document(minemap: Terminal, *words: str, code: int = 0) -> Any:
    answer = minemap(*words, "--json")
    assert answer.code == code, answer.err
    return json.loads(answer.out)


@pytest.mark.usefixtures("chain")
def test_a_plan(minemap: Terminal) -> None:
    found = document(minemap, "plan", "--years", "2018", "--no-ask")
    assert (found["regions"], found["years"]) == (["alder-basin", "birch-delta"], [2018])
    lines = {line["product"]: line for line in found["lines"]}
    assert lines.keys() == {"planet-nicfi", "sentinel-2-l2a"}, "the year, and the reference year in both products"
    assert {(line["source"], line["bytes_to_fetch"]) for line in found["lines"]} == {("simulated", 0)}
    assert lines["planet-nicfi"]["site_years"] == 2 * lines["sentinel-2-l2a"]["site_years"] > 0
    assert found["above_budget"] == []


def test_verification(minemap: Terminal, chain: Chain) -> None:
    whole = document(minemap, "verify", "--report")
    assert (whole["damaged"], whole["inputs"]) == ([], [])
    assert whole["partitions"] == len(chain.manifests())
    assert whole["files"] == sum(len(manifest.files) for manifest in chain.manifests())
    path = chain.folder / "lake" / "sites" / "sites" / "alder-basin" / "sites.parquet"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    answer = minemap("verify", "--report", "--json")
    assert (answer.code, answer.err) == (1, "")
    (damage,) = json.loads(answer.out)["damaged"]
    assert damage["partition"] == "sites/sites[alder-basin]"
    assert str(path) in damage["sentence"]


@pytest.mark.usefixtures("chain")
def test_inputs_and_their_versions(minemap: Terminal) -> None:
    inputs = {one["path"]: one for one in document(minemap, "inputs", "list")}
    assert inputs["regions.geojson"]["state"] in ("present", "not recorded yet")
    assert inputs["minemap.toml"]["bytes"] > 0
    versions = document(minemap, "inputs", "history", "reference/catalogue.json")
    assert [one["version"] for one in versions] == list(range(1, len(versions) + 1))
    assert [one["current"] for one in versions][-1]
    assert inputs["reference/catalogue.json"]["newest"] == versions[-1]["recorded"]


class Colour(Enum):
    RED = "red"


@dataclass(frozen=True)
class Thing:
    name: str
    hidden: str = field(default="no", repr=False)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ({"a": float("nan"), "b": [np.int64(3), np.float32(0.5)]}, {"a": None, "b": [3, 0.5]}),
        ({2: {Colour.RED}, "when": date(2020, 2, 1)}, {"2": ["red"], "when": "2020-02-01"}),
        ((Thing("é"), Path("a/b")), [{"name": "é"}, "a/b"]),
        (Missing(item="m1", reason="why"), {"item": "m1", "reason": "why", "retry": True}),
        ([True, None, float("inf")], [True, None, None]),
    ],
)
def test_whatever_a_command_found(value: Any, written: Any, capsys: pytest.CaptureFixture[str]) -> None:
    print_json(value)
    assert json.loads(capsys.readouterr().out) == written


@pytest.mark.usefixtures("chain")
def test_lists(minemap: Terminal) -> None:
    regions = document(minemap, "regions", "list")
    assert [(one["region"], one["retired"]) for one in regions] == [("alder-basin", False), ("birch-delta", False)]
    assert all(one["km2"] > 0 and len(one["bounds"]) == 4 for one in regions)
    entries = {one["name"]: one for one in document(minemap, "reference", "list")}
    assert entries["country_boundaries"]["kind"] == "boundaries"
    assert document(minemap, "archive", "list") == []
