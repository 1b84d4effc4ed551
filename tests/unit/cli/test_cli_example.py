"""The example of a real place: its files are what the commands want."""

from pathlib import Path

import pytest
import shapely
from typer.testing import CliRunner

from dagster_project.cli.main import app
from minemap_assets.imagery.rules import product_of
from minemap_assets.imagery.source_kind import open_sources
from minemap_assets.project.project import ProjectHome
from minemap_assets.project.settings import SETTINGS_PATH
from minemap_assets.reference.registered import polygon_sets
from minemap_assets.sites.assets import GROUND_TRUTH, SITES
from projects import home_at, make

EXAMPLE = Path(__file__).parents[3] / "examples" / "toka-tindung"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ProjectHome:
    monkeypatch.setenv("MINEMAP_HOME", str(tmp_path / "lake"))
    monkeypatch.setenv("MINEMAP_STATE", str(tmp_path / "state"))
    home = home_at(tmp_path / "lake", tmp_path / "state")
    home.lake.store.write_bytes(SETTINGS_PATH, (EXAMPLE / "minemap.toml").read_bytes())
    return home


def say(*words: str) -> str:
    done = CliRunner().invoke(app, list(words))
    assert done.exception is None, done.exception
    return done.output


def test_sentinel_2_from_open_catalogues_serves_every_year(home: ProjectHome) -> None:
    say("regions", "add", "toka-tindung", str(EXAMPLE / "region.geojson"))
    project = home.open()
    region = project.region("toka-tindung")
    assert {product_of(project, region, year) for year in range(2016, 2027)} == {"sentinel-2-l2a"}
    assert [source.name for source in open_sources(project, "sentinel-2-l2a")] == ["stac"]


def test_one_box_drawn_by_hand_is_one_site_without_reference_polygons(home: ProjectHome) -> None:
    say("regions", "add", "toka-tindung", str(EXAMPLE / "region.geojson"))
    assert "1 new outline;" in say("sites", "promote", str(EXAMPLE / "site.geojson"))
    project = home.open()
    assert polygon_sets(project) == ()
    make(project, GROUND_TRUTH, "toka-tindung")
    manifest = make(project, SITES, "toka-tindung").manifest
    assert manifest.summary["sites"] == manifest.summary["promoted"] == 1
    mine = shapely.Point(125.1, 1.5833)
    assert project.region("toka-tindung").geometry.contains(mine)
    said = say("plan", "--years", "2019-2021", "--no-ask")
    assert "stac" in said
    assert "above the budget" not in said


def test_the_readme_names_the_commands_of_the_script() -> None:
    readme, script = ((EXAMPLE / name).read_text() for name in ("README.md", "run.sh"))
    for command in ("minemap regions add", "minemap sites promote", "minemap run --select", "minemap imagery strip"):
        assert command in readme
        assert command in script
