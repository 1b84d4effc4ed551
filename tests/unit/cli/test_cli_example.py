"""The example of a real place: its files are what the commands want."""

from pathlib import Path

import pytest
import shapely
from typer.testing import CliRunner

from dagster_project.cli.main import app
from dagster_project.resources import SOURCES
from minemap_assets.project.project import Project, open_project
from minemap_assets.project.settings import SETTINGS_PATH
from minemap_assets.sites.recipes import GROUND_TRUTH, SITES

EXAMPLE = Path(__file__).parents[3] / "examples" / "toka-tindung"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv("MINEMAP_HOME", str(tmp_path / "lake"))
    monkeypatch.setenv("MINEMAP_STATE", str(tmp_path / "state"))
    project = open_project(str(tmp_path / "lake"), tmp_path / "state", SOURCES)
    project.lake.store.write_bytes(SETTINGS_PATH, (EXAMPLE / "minemap.toml").read_bytes())
    return project


def say(*words: str) -> str:
    done = CliRunner().invoke(app, list(words))
    assert done.exception is None, done.exception
    return done.output


def test_sentinel_2_from_open_catalogues_serves_every_year(project: Project) -> None:
    say("regions", "add", "toka-tindung", str(EXAMPLE / "region.geojson"))
    region = project.region("toka-tindung")
    assert {project.product_for(region, year) for year in range(2016, 2027)} == {"sentinel-2-l2a"}
    assert [source.name for source in project.sources("sentinel-2-l2a")] == ["stac"]


def test_one_box_drawn_by_hand_is_one_site_without_reference_polygons(project: Project) -> None:
    say("regions", "add", "toka-tindung", str(EXAMPLE / "region.geojson"))
    assert "1 new outline;" in say("sites", "promote", str(EXAMPLE / "site.geojson"))
    assert project.polygon_sets() == ()
    GROUND_TRUTH.make(project, ("toka-tindung",))
    manifest, _ = SITES.make(project, ("toka-tindung",))
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
