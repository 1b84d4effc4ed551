"""What the README and the pages of the documentation tell people to type: it is understood, and what can run here runs.

Every page is a story of its own, told in the order of its lines, in a folder that holds the files it names.
"""

import contextlib
import fnmatch
import io
import re
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path

import duckdb
import geopandas as gpd
import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin
from shapely.geometry import Point, box

from dagster_project.registry import Registry
from documents import PAGES, Line, blocks, script_lines, shell_lines
from house import ROOT
from minemap_assets.project.settings import parse_settings
from parsing import option_names, parsed
from safe_scenes import LEVEL_2A, SIZES, write_safe
from terminal import AREA, Terminal, fresh_terminal
from tiny import Chain

pytestmark = pytest.mark.integration

FINISHED = (
    "docs/index.md",
    "docs/how-to/areas.md",
    "docs/how-to/estimates.md",
    "docs/how-to/export.md",
    "docs/how-to/map.md",
    "docs/how-to/label.md",
    "docs/how-to/model.md",
    "docs/how-to/report.md",
    "docs/how-to/release.md",
    "docs/how-to/review.md",
    "docs/how-to/run.md",
    "docs/how-to/swap.md",
    "docs/how-to/update.md",
    "docs/sizing.md",
    "docs/troubleshooting.md",
)
"""Pages that begin with a finished project: that of the demo, here in the small world."""

WITH_REGION = (
    "docs/how-to/accuracy.md",
    "docs/how-to/corrections.md",
    "docs/how-to/ground-truth.md",
    "docs/how-to/imagery.md",
    "docs/how-to/series.md",
)
"""Pages that begin with a project that has a region, `my-area`."""

ELSEWHERE = "asks services on the internet"
LONG = "takes minutes; the tests of the chain run it"
FOREVER = "serves until it is stopped"
DATA = "needs a data set that is fetched; the tests of the examples run it"

OUTLINE = "names a polygon of a map that is not here; the tests of `minemap corrections` make one"

PERSON = "needs labels that a person gives; the tests of `minemap sample` give some"

LABELS = "needs answers that people gave; the tests of the labelling page give some"

MODEL = "needs a model of transformers; the tests of `minemap model` make one"

NOT_RUN: dict[tuple[str, str], str] = {
    ("*", "minemap ui*"): FOREVER,
    ("*", "minemap map"): FOREVER,
    ("*", "minemap report --open"): "opens a browser; the tests of `minemap report` stand in for it",
    ("*", "minemap label sample *"): FOREVER,
    ("docs/how-to/label.md", "minemap label points *"): FOREVER,
    ("docs/how-to/label.md", "minemap label detections *"): FOREVER,
    ("docs/how-to/label.md", "minemap label outline *"): FOREVER,
    ("docs/how-to/label.md", "minemap label agreement NAME"): LABELS,
    ("docs/how-to/label.md", "minemap label hand-over *"): LABELS,
    ("docs/how-to/label.md", "minemap scan accuracy *"): LABELS,
    ("docs/how-to/label.md", "minemap scan run *"): LONG,
    ("docs/how-to/label.md", "minemap run*"): LONG,
    ("docs/how-to/label.md", "minemap sites promote *"): "needs boxes in a region; the page on ground truth adds some",
    ("docs/how-to/run.md", "minemap run --submit *"): "needs a daemon; the tests of `minemap run --submit` start one",
    ("README.md", "minemap plan --years 2024"): ELSEWHERE,
    ("README.md", "minemap reference fetch country_boundaries"): ELSEWHERE,
    ("README.md", "minemap doctor"): ELSEWHERE,
    ("README.md", "minemap run --sample 20"): ELSEWHERE,
    ("docs/index.md", "minemap doctor"): ELSEWHERE,
    ("docs/index.md", "minemap run*"): ELSEWHERE,
    ("docs/how-to/ground-truth.md", "minemap reference fetch ?*"): ELSEWHERE,
    ("docs/sizing.md", "minemap plan --years 2024"): ELSEWHERE,
    ("docs/how-to/region.md", "minemap run --regions my-district --years 2023-2024"): LONG,
    ("docs/how-to/model.md", "minemap run*"): LONG,
    ("docs/how-to/model.md", "minemap model import segformer-folder *"): MODEL,
    ("docs/how-to/catalogues.md", "minemap sources stac"): ELSEWHERE,
    ("docs/how-to/swap.md", "minemap sources"): ELSEWHERE,
    ("docs/how-to/swap.md", "minemap run --select +*"): LONG,
    ("docs/how-to/corrections.md", "minemap corrections re*"): OUTLINE,
    ("docs/how-to/thresholds.md", "minemap run*"): LONG,
    ("docs/how-to/outlines.md", "minemap run*"): LONG,
    ("docs/how-to/update.md", "minemap run*"): LONG,
    ("docs/how-to/accuracy.md", "minemap run*"): LONG,
    ("docs/how-to/estimates.md", "minemap run*"): LONG,
    ("docs/how-to/estimates.md", "minemap sample add points.csv"): PERSON,
    ("docs/tutorial.md", "minemap *"): DATA,
}
"""Commands that are only parsed, by page and pattern, and why."""

CODES: dict[tuple[str, str], int] = {
    ("docs/how-to/region.md", "minemap doctor"): 1,  # a project without mines and images, and it says so
}
"""Exit codes that are not 0, by page and command."""

OTHER_PROGRAMS = {
    "curl": "asks a UI that is served",
    "docker": "needs a container engine",
    "source": "belongs to the shell",
    "rustac": "asks a service",
    "ssh": "needs another machine",
    "examples/fetch.sh": ELSEWHERE,
}
"""What else stands in blocks of shell, and why it is not run."""


@pytest.fixture
def minemap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Terminal]:
    with fresh_terminal(tmp_path, monkeypatch, capsys) as terminal:
        yield terminal


def raster(path: Path, values: np.ndarray, corner: tuple[float, float], crs: str, pixel: float) -> None:
    """A GeoTIFF with bands (band, row, column)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = {"count": values.shape[0], "height": values.shape[1], "width": values.shape[2], "dtype": values.dtype}
    with rasterio.open(
        path, "w", driver="GTiff", crs=crs, transform=from_origin(*corner, pixel, pixel), **shape
    ) as file:
        file.write(values)


def write_files(minemap: Terminal) -> None:
    """The files that the pages name."""
    west, south, _, north = AREA.bounds
    mine = box(west + 0.1, south + 0.1, west + 0.11, south + 0.11)
    minemap.draw("my-area.geojson", AREA)
    minemap.draw("reserves.geojson", AREA)
    for name in ("mines.gpkg", "mines_2017.gpkg", "mines_2018.gpkg"):
        minemap.draw(name, mine)
    minemap.draw("boxes.geojson", box(west + 0.2, south + 0.2, west + 0.21, south + 0.21))
    countries = gpd.GeoDataFrame({"iso3": ["GHA"], "name": ["Ghana"]}, geometry=[AREA.buffer(1)], crs="EPSG:4326")
    countries.assign(continent="Africa").to_file(minemap.folder / "countries.gpkg")
    points = gpd.GeoDataFrame(
        {"year": [2019, 2019], "label": [True, False]},
        geometry=[mine.centroid, Point(west + 0.3, south + 0.3)],
        crs="EPSG:4326",
    )
    points.to_file(minemap.folder / "points.geojson")
    labels = np.zeros((1, 64, 64), np.uint8)
    labels[0, 16:48, 16:48] = 1
    raster(minemap.folder / "masks" / "mask_1.tif", labels, (west + 0.2, north - 0.1), "EPSG:4326", 0.0001)
    pixels, corner = np.full((4, 64, 64), 1200, np.uint16), (600_000.0, 660_000.0)
    raster(minemap.folder / "drone" / "drone_1.tif", pixels, corner, "EPSG:32630", 10.0)
    for band in ("B02", "B03", "B04", "B08"):
        scene = minemap.folder / "scenes" / f"T30NXM_20240701T103031_{band}_10m.tif"
        raster(scene, pixels[:1], corner, "EPSG:32630", 10.0)
    bands = {band: size for band, size in SIZES.items() if band != "B10"}
    numbers = {band: np.full((1200 // size, 1200 // size), 2200, np.uint16) for band, size in bands.items()}
    write_safe(minemap.folder / "downloads", LEVEL_2A, numbers, np.full((1, 60, 60), 4, np.uint8))


@pytest.mark.parametrize("page", [page for page in PAGES if list(shell_lines(page))])
def test_every_command_is_understood_and_what_can_run_here_runs(
    page: str, minemap: Terminal, finished: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_files(minemap)
    if page in FINISHED:
        finished.copied(minemap.folder / "minemap-data")
    if page in WITH_REGION:
        assert minemap("regions", "add", "my-area", "my-area.geojson").code == 0
    for line in shell_lines(page):
        match line.words[0]:
            case "minemap":
                parsed(line.words[1:])
                if why_not(line) is None:
                    answer = minemap(*line.words[1:])
                    expected = CODES.get((page, line.text), 0)
                    assert answer.code == expected, f"{line.text}: {answer.out}{answer.err}"
            case "make":
                assert f"\n{line.words[1]}:" in (ROOT / "Makefile").read_text(encoding="utf-8")
            case "export":
                for name, value in (word.split("=", 1) for word in line.words[1:]):
                    monkeypatch.setenv(name, value.replace("$PWD", str(minemap.folder)))
            case ".venv/bin/python":
                assert printed(line.words[2])
            case program:
                assert program in OTHER_PROGRAMS, f"{page}: {line.text}"


def why_not(line: Line) -> str | None:
    """Why a command is only parsed; None for one that runs."""
    for (page, pattern), reason in NOT_RUN.items():
        if page in ("*", line.page) and fnmatch.fnmatchcase(line.text, pattern):
            return reason
    return None


def printed(program: str) -> str:
    """What a program in Python prints."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(compile(program, "documented", "exec"), {})
    return out.getvalue()


def test_the_tables_of_what_is_not_run_name_nothing_that_is_gone() -> None:
    lines = [line for page in PAGES for line in shell_lines(page)]
    for page, pattern in NOT_RUN:
        assert any(page in ("*", line.page) and fnmatch.fnmatchcase(line.text, pattern) for line in lines), pattern
    assert set(OTHER_PROGRAMS) <= {line.words[0] for line in lines}
    assert {(line.page, line.text) for line in lines} >= set(CODES)
    told = [line for line in lines if line.words[0] == "minemap"]
    run = [line for line in told if why_not(line) is None]
    assert len(run) >= 40, f"only {len(run)} of {len(told)} documented commands are run"


@pytest.mark.parametrize("page", [*PAGES, "CONTRIBUTING.md"])
def test_commands_and_options_in_running_text_exist(page: str) -> None:
    text = re.sub(r"^```.*?^```$", "", (ROOT / page).read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for command in re.findall(r"`minemap ([^`\n]+)`", text):
        words, known = option_names(tuple(command.split()))
        unknown = [word for word in words if word not in known]
        assert not unknown, f"{page}: minemap {command} takes no {unknown[0]}"


@pytest.mark.parametrize("page", PAGES)
def test_settings_on_a_page_are_settings(page: str) -> None:
    for text in blocks(page, "toml"):
        assert tomllib.loads(text)
        parse_settings(text, Registry().parts().sections, page)


def test_queries_programs_and_paths_of_the_review_fit_a_finished_project(
    finished: Chain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = "docs/how-to/review.md"
    finished.copied(tmp_path / "minemap-data")
    monkeypatch.chdir(tmp_path)
    with duckdb.connect("minemap-data/state/minemap.duckdb", read_only=True) as connection:
        queries = [query for text in blocks(page, "sql") for query in text.split(";") if query.strip()]
        assert len(queries) >= 8
        for query in queries:
            assert connection.sql(query).fetchall(), query
    for program in blocks(page, "python"):
        assert printed(program)
    paths = re.findall(r"`(minemap-data/[^`]+\.(?:parquet|tif|duckdb))`", (ROOT / page).read_text(encoding="utf-8"))
    assert len(paths) >= 5
    assert not [path for path in paths if not list(tmp_path.glob(path))]


@pytest.mark.parametrize("example", ["tailings", "open-pits", "toka-tindung"])
def test_the_tutorial_types_what_the_examples_do(example: str) -> None:
    def outline(line: Line) -> tuple[tuple[str, ...], frozenset[str]]:
        return parsed(line.words[1:]), frozenset(word for word in line.words if word.startswith("--"))

    told = [outline(line) for line in shell_lines("docs/tutorial.md") if line.words[0] == "minemap"]
    commands = [outline(line) for line in script_lines(ROOT / "examples" / example / "run.sh")]
    assert commands
    assert not [one for one in commands if one not in told]


@pytest.fixture(autouse=True)
def _no_trace(tmp_path: Path) -> Iterator[None]:
    yield
    shutil.rmtree(tmp_path / "minemap-data", ignore_errors=True)
