"""`minemap advise`: what to outline next, in words and for scripts."""

import json
import math
from typing import Any

import pandas as pd
import pytest

from dagster_project.commands import model_advice
from minemap_assets.segmentation.advice import Scores
from minemap_assets.segmentation.unsure_sites import UnsureSite
from minemap_assets.segmentation.verdict import Grade, Verdict
from terminal import Terminal
from tiny import Chain


@pytest.fixture
def evaluated(monkeypatch: pytest.MonkeyPatch) -> None:
    """One held-out place, and a site that the model is unsure of."""
    common = {"split": "test", "product": "planet-nicfi", "recall": 0.5, "sites": 1, "places": 1, "mines": 1}
    common |= {"iou_low": math.nan, "iou_high": math.nan, "found_share": 1.0, "iou": 0.4}
    rows: list[dict[str, Any]] = [
        common | {"method": method, "operating_point": point, "stratum": stratum, "group": group}
        for method, point in (("model", "match_area"), ("baseline", "baseline"))
        for stratum, group in (("all", ""), ("place", "g0"))
    ]
    sites = pd.DataFrame([], columns=["site_id", "operating_point", "iou", "recall"])
    scores = Scores(pd.DataFrame(rows), sites, Verdict(Grade.UNKNOWN, "1 place was held out", "abc"))
    monkeypatch.setattr(model_advice, "read_scores", lambda _: scores)
    unsure = [UnsureSite("s1a2b3", "alder-basin", "2021", 12.5, -3.25, 0.2)]
    monkeypatch.setattr(model_advice, "unsure_sites", lambda _, most: unsure[:most])


@pytest.mark.usefixtures("chain", "evaluated")
def test_it_tells_the_verdict_what_to_add_and_where(minemap: Terminal) -> None:
    answer = minemap("advise")
    assert (answer.code, answer.err) == (0, "")
    lines = answer.out.splitlines()
    assert lines[0] == "Quality of the model: cannot be judged; 1 place was held out."
    assert lines[1].startswith("How many: 1 place with mines was held out, and 3 are needed")
    assert any("s1a2b3" in line and "12.5000" in line for line in lines)


@pytest.mark.usefixtures("chain", "evaluated")
def test_a_script_learns_the_same(minemap: Terminal) -> None:
    answer = minemap("advise", "--json")
    found = json.loads(answer.out)
    assert (found["grade"], found["model_version"]) == ("cannot be judged", "abc")
    assert [one["about"] for one in found["advice"]] == ["how many"]
    assert found["unsure"][0]["site_id"] == "s1a2b3"


def test_without_a_model_it_says_how_to_get_one(minemap: Terminal, chain: Chain) -> None:
    assert chain.folder.is_dir()
    answer = minemap("advise")
    assert answer.code == 2
    assert "no model has been evaluated yet" in answer.err
    assert "minemap run --select +model_evaluation" in answer.err
