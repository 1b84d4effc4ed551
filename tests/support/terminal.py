"""The command line in this process, as a person in a folder uses it."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import pytest
from shapely.geometry import box
from shapely.geometry.base import BaseGeometry

from dagster_project.cli.main import DEBUG, main
from dagster_project.commands.context import console

AREA = box(-2.2, 5.8, -1.8, 6.2)


@dataclass(frozen=True)
class Answer:
    """What a command came to."""

    code: int
    out: str
    err: str

    @property
    def sentence(self) -> str:
        """The one line on the error stream that says what is wrong."""
        lines = [line for line in self.err.splitlines() if line.startswith("Error: ")]
        assert len(lines) == 1, self.err
        return lines[0].removeprefix("Error: ")


class Terminal:
    """A person in a folder."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._monkeypatch = monkeypatch
        self._capture = capture

    def __call__(self, *words: str) -> Answer:
        self._capture.readouterr()
        self._monkeypatch.setattr(sys, "argv", ["minemap", *words])
        with pytest.raises(SystemExit) as stop:
            main()
        said = self._capture.readouterr()
        assert DEBUG in os.environ or "Traceback" not in said.out + said.err
        return Answer(int(stop.value.code or 0), said.out, said.err)

    def setenv(self, **variables: str) -> None:
        """Set environment variables."""
        for name, value in variables.items():
            self._monkeypatch.setenv(name, value)

    def widen(self, columns: int) -> None:
        """A window so wide that no table is squeezed."""
        self._monkeypatch.setattr(console, "_width", columns)

    @property
    def lake(self) -> Path:
        """Where the lake is by default."""
        return self.folder / "minemap-data" / "lake"

    def write(self, name: str, text: str | bytes) -> Path:
        """Write a file in this folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def draw(self, name: str, *shapes: BaseGeometry, crs: str | None = "EPSG:4326", layer: str | None = None) -> str:
        """Write a vector file in this folder and return its name."""
        frame = gpd.GeoDataFrame(geometry=list(shapes), crs=crs)
        frame.to_file(self.folder / name, **({} if layer is None else {"layer": layer}))
        return name

    def files(self) -> set[str]:
        """Everything below the lake."""
        return {p.relative_to(self.lake).as_posix() for p in self.lake.rglob("*") if p.is_file()}


@contextmanager
def fresh_terminal(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[str]
) -> Iterator[Terminal]:
    """A person in a folder and an environment that says nothing of a project; what commands change there is undone."""
    before = dict(os.environ)
    for name in [n for n in os.environ if n.startswith(("MINEMAP_", "DAGSTER_"))]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(folder)
    try:
        yield Terminal(folder, monkeypatch, capture)
    finally:
        monkeypatch.undo()
        os.environ.clear()
        os.environ.update(before)
