"""The release gate on a whole chain: figures that changed beyond a bound wait until a person has accepted them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dagster_project.exit_codes import STOPPED
from minemap_assets.lake.inputs import Inputs
from minemap_assets.project.settings import SETTINGS_PATH
from minemap_assets.publication.acceptance import accepted
from terminal import Terminal, fresh_terminal
from tiny import YEARS, Chain

pytestmark = [pytest.mark.integration, pytest.mark.slow]

NARROW = b'\n[release]\ngate = "on"\ncountry_change = 0.0001\ncountry_change_km2 = 0.0\n'
REVIEW = ("run", "--select", "release_review")


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Terminal]:
    with fresh_terminal(tmp_path, monkeypatch, capsys) as opened:
        yield opened


def narrow(chain: Chain) -> None:
    """Bounds that any growth of a mine passes, with the gate on."""
    Inputs(chain.project.lake.store).change(SETTINGS_PATH, lambda data: (data or b"") + NARROW)


def test_figures_wait_until_somebody_accepts_them(finished: Chain, tmp_path: Path, terminal: Terminal) -> None:
    chain = finished.copied(tmp_path / "project")
    terminal.setenv(MINEMAP_HOME=chain.environment.home, MINEMAP_STATE=str(chain.environment.state))
    assert terminal("release", "review").code == 0, "the gate of a project that runs by hand is off"
    narrow(chain)
    assert "`minemap run --select release_review` makes it" in terminal("release", "review").sentence
    waits = terminal(*REVIEW)
    assert waits.code == 1
    assert "accept them with `minemap release accept`" in waits.out
    shown = terminal("release", "review")
    assert shown.code == STOPPED
    assert "nothing is published until they are accepted" in shown.out
    before = {ref: content for ref, content in chain.contents().items() if ref.startswith(("tables", "database"))}

    refused = terminal("release", "accept", "--reason", "seen", "--years", str(YEARS[0] - 1))
    assert refused.code == 2
    assert terminal("release", "accept", "--reason", "looked at every site").code == 0
    (decision,) = accepted(chain.project).decisions
    assert decision.years == YEARS
    assert decision.findings
    assert terminal(*REVIEW).code == 0
    open_again = terminal("release", "review")
    assert (open_again.code, "changed beyond its bound. Accepted last by" in open_again.out) == (0, True)
    after = {ref: content for ref, content in chain.contents().items() if ref in before}
    assert after == before, "tables are made with or without a gate"
