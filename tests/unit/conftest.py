"""The command line in this process, each time in a fresh folder and environment."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from located import located
from terminal import AREA, Terminal, fresh_terminal
from tiny import Chain


@pytest.fixture
def minemap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Terminal]:
    with fresh_terminal(tmp_path, monkeypatch, capsys) as terminal:
        yield terminal


@pytest.fixture
def project(minemap: Terminal) -> Terminal:
    """With one region, `area`."""
    assert minemap("regions", "add", "area", minemap.draw("area.geojson", AREA)).code == 0
    return minemap


@pytest.fixture(scope="session")
def with_sites(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    """A project whose sites are made, and nothing after them; copy it to change it."""
    return located(tmp_path_factory.mktemp("located"))


@pytest.fixture
def chain(with_sites: Chain, minemap: Terminal) -> Chain:
    """A copy of it, which the commands work on."""
    chain = with_sites.copied(minemap.folder / "project")
    minemap.setenv(MINEMAP_HOME=str(chain.folder / "lake"), MINEMAP_STATE=str(chain.folder / "state"))
    minemap.widen(250)
    return chain
