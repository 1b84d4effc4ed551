"""The example of a real place: its files are what the commands want."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest
import shapely

from minemap_assets.imagery.config import ImageryConfig
from minemap_assets.imagery.rules import product_of
from minemap_assets.imagery.source_kind import open_sources
from minemap_assets.project.project import ProjectHome
from minemap_assets.reference.registered import polygon_sets
from minemap_assets.sites.assets import GROUND_TRUTH, SITES
from projects import home_at, make
from terminal import Terminal

EXAMPLES = Path(__file__).parents[3] / "examples"
EXAMPLE = EXAMPLES / "toka-tindung"


@pytest.fixture
def home(minemap: Terminal) -> ProjectHome:
    """The project that the script's first command makes."""
    (first,) = [line for line in (EXAMPLE / "run.sh").read_text().splitlines() if line.startswith("minemap init")]
    words = shlex.split(first.replace("$here", str(EXAMPLE)))[1:]
    assert minemap(*words).code == 0
    return home_at(minemap.lake, minemap.folder / "minemap-data" / "state")


def test_sentinel_2_from_open_catalogues_serves_every_year(home: ProjectHome) -> None:
    project = home.open()
    region = project.region("toka-tindung")
    assert region.title == "Toka Tindung"
    assert {product_of(project, region, year) for year in range(2017, 2027)} == {"sentinel-2-l2a"}
    assert [source.name for source in open_sources(project, "sentinel-2-l2a")] == ["stac"]
    assert project.section(ImageryConfig).bands_for("sentinel-2-l2a") == ("blue", "green", "red", "nir")


def test_one_box_drawn_by_hand_is_one_site_without_reference_polygons(home: ProjectHome, minemap: Terminal) -> None:
    assert "1 new outline" in minemap("sites", "promote", str(EXAMPLE / "site.geojson")).out
    project = home.open()
    assert polygon_sets(project) == ()
    make(project, GROUND_TRUTH, "toka-tindung")
    manifest = make(project, SITES, "toka-tindung").manifest
    assert manifest.summary["sites"] == manifest.summary["promoted"] == 1
    mine = shapely.Point(125.1, 1.5833)
    assert project.region("toka-tindung").geometry.contains(mine)
    answer = minemap("plan", "--years", "2019-2021", "--no-ask")
    assert "stac" in answer.out
    assert "above the budget" not in answer.out + answer.err


@pytest.mark.parametrize("example", ["toka-tindung", "tailings", "open-pits"])
def test_the_readme_names_the_commands_of_the_script(example: str) -> None:
    readme, script = ((EXAMPLES / example / name).read_text() for name in ("README.md", "run.sh"))
    commands = re.findall(r"^minemap ((?:reference add|sites promote|imagery strip|\w+))", script, re.MULTILINE)
    assert commands
    for command in commands:
        assert f"minemap {command}" in readme, command


@pytest.mark.parametrize("words", [(), ("nothing", "data"), ("tailings",)])
def test_fetching_says_what_it_wants(tmp_path: Path, words: tuple[str, ...]) -> None:
    done = subprocess.run(
        [str(EXAMPLES / "fetch.sh"), *words], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "fetch.sh tailings|open-pits DATA" in done.stderr
