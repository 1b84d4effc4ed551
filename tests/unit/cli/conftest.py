"""The command line in this process, each time in a fresh folder and environment."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from terminal import AREA, Terminal


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
