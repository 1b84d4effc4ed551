"""Releases of a whole chain: one region is changed, and the comparison names that region and its cause only."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from dagster_project.first_promotion import user
from minemap_assets.lake.inputs import Inputs
from minemap_assets.project.settings import SETTINGS_PATH
from minemap_assets.publication.releases.frozen import find
from terminal import Terminal, fresh_terminal
from tiny import YEARS, Chain

pytestmark = [pytest.mark.integration, pytest.mark.slow]

FREEZE = ("release", "freeze", "--reason", "the yearly update")
AGAIN = "mining_polygons,tables/polygons,site_panel,country_summary,region_summary,release_review"


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Terminal]:
    with fresh_terminal(tmp_path, monkeypatch, capsys) as opened:
        yield opened


@pytest.fixture
def chain(finished: Chain, tmp_path: Path, terminal: Terminal) -> Chain:
    copied = finished.copied(tmp_path / "project")
    terminal.setenv(MINEMAP_HOME=copied.environment.home, MINEMAP_STATE=str(copied.environment.state))
    terminal.widen(200)
    return copied


def compared(terminal: Terminal, before: str, after: str) -> dict[str, list[dict[str, object]]]:
    answer = terminal("release", "compare", before, after, "--json")
    assert answer.code == 0, answer.err
    return dict(json.loads(answer.out))


def settings(chain: Chain, text: str) -> None:
    Inputs(chain.project.lake.store).change(SETTINGS_PATH, lambda data: (data or b"") + text.encode())


def test_a_correction_in_one_region_and_then_another_rule(chain: Chain, terminal: Terminal) -> None:
    assert terminal(*FREEZE, "--name", "2026.1").code == 0
    largest = chain.table("polygons", YEARS[1]).query("region == 'alder-basin'").sort_values("area_km2").iloc[-1]
    year = str(YEARS[1])
    assert terminal("corrections", "reject", largest["polygon_id"], "--reason", "a pond", "--years", year).code == 0
    stale = terminal(*FREEZE)
    assert (stale.code, "so nothing is frozen" in stale.sentence) == (2, True)
    assert not chain.run(AGAIN).failures
    assert terminal(*FREEZE).code == 0

    found = compared(terminal, "2026.1", "2")
    assert [(row["region"], row["year"], row["cause"]) for row in found["changes"]] == [
        ("alder-basin", YEARS[1], "corrections")
    ]
    assert found["by_cause"] == [{"cause": "corrections", "gained": 0.0, "lost": pytest.approx(largest["area_km2"])}]
    assert terminal("release", "compare", "1", "now").out.count("corrections") == 2

    settings(chain, "\n[polygons]\nappear = 0.01\ndisappear = 0.3\n")
    assert not chain.run(AGAIN).failures
    later = compared(terminal, "2", "now")
    assert {row["cause"] for row in later["changes"]} == {"smoothing"}
    gained, lost = (sum(float(str(row[name])) for row in later["by_cause"]) for name in ("gained", "lost"))
    mapped = [float(chain.table("polygons", one)["area_km2"].sum()) for one in YEARS]
    assert gained - lost == pytest.approx(sum(mapped) - sum(find(chain.project.lake.store, "2").km2.values()), abs=1e-4)


def test_frozen_releases_stay_as_they_are_and_mistakes_are_told(chain: Chain, terminal: Terminal) -> None:
    assert "nothing was frozen yet" in terminal("release", "compare", "1", "now").sentence
    assert "Nothing was frozen yet" in terminal("release", "list").out
    assert "needs a reason" in terminal("release", "freeze", "--reason", " ").sentence
    assert terminal(*FREEZE, "--name", "2026.1", "--by", "Ada").code == 0
    store = chain.project.lake.store
    before = {path: store.read_bytes(path) for path in store.list("releases")}
    for name, told in (("2026.1", "called '2026.1' already"), ("7", "neither a number"), ("a b", "cannot be called")):
        assert told in terminal(*FREEZE, "--name", name).sentence
    assert terminal(*FREEZE).code == 0
    assert {path: store.read_bytes(path) for path in before} == before
    listed = json.loads(terminal("release", "list", "--json").out)
    assert [(one["number"], one["name"], one["by"]) for one in listed] == [(1, "2026.1", "Ada"), (2, "", user())]
    assert {one["reason"] for one in listed} == {"the yearly update"}
    assert "2026.1" in terminal("release", "list").out

    assert "No ground changed." in terminal("release", "compare", "1", "2").out
    assert "1 and 2026.1 are the same" in terminal("release", "compare", "1", "2026.1").sentence
    assert "now and now are the same" in terminal("release", "compare", "now", "now").sentence
    assert "there is no release '9'; there are 1 (2026.1), 2, and 'now'" in terminal("release", "compare", "9").sentence
    for path in (f"releases/1/tables/polygons/{YEARS[0]}/polygons.parquet", "releases/2/release.json"):
        good = store.read_bytes(path)
        store.write_bytes(path, good.replace(good[40:44], b"\0\0\0\0", 1))
        answer = terminal("release", "compare", "1", "2")
        assert (answer.code, "is not as it was frozen; restore it from a backup" in answer.sentence) == (2, True)
        verified = terminal("verify", "--json")
        told = [one["sentence"] for one in json.loads(verified.out)["releases"]]
        assert (verified.code, told) == (
            1,
            [f"{store.root}/{path} is not as it was frozen: bring it back from a backup"],
        )
        store.write_bytes(path, good)
    store.delete("releases/1/lineage.json")
    store.write_bytes("releases/2/notes.txt", b"mine")
    verified = terminal("verify")
    assert verified.code == 1
    assert f"{store.root}/releases/1/lineage.json is gone from its release" in verified.err
    assert f"{store.root}/releases/2/notes.txt is not a part of release 2: remove it" in verified.err
    assert "0 damaged among the inputs, 2 in frozen releases." in verified.out
    assert "bring its files back from a backup" in verified.out


def test_nothing_is_frozen_while_figures_wait(chain: Chain, terminal: Terminal) -> None:
    settings(chain, '\n[release]\ngate = "on"\ncountry_change = 0.0001\ncountry_change_km2 = 0.0\n')
    assert "`minemap run --select release_review` makes it" in terminal(*FREEZE).sentence
    assert terminal("run", "--select", "release_review").code == 1
    assert "figures wait for a person, so nothing is frozen" in terminal(*FREEZE).sentence
    assert terminal("release", "accept", "--reason", "looked at every site").code == 0
    assert terminal("run", "--select", "release_review").code == 0
    assert terminal(*FREEZE).code == 0
