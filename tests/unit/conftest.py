"""The command line in this process, each time in a fresh folder and environment."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from located import located
from terminal import AREA, Terminal
from tiny import Chain


@pytest.fixture
def minemap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Terminal]:
    before = dict(os.environ)
    for name in [n for n in os.environ if n.startswith(("MINEMAP_", "DAGSTER_"))]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    try:
        yield Terminal(tmp_path, monkeypatch, capsys)
    finally:
        monkeypatch.undo()
        os.environ.clear()
        os.environ.update(before)


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
