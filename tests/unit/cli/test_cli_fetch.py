"""`minemap reference fetch` against a file server of this machine, a process of its own."""

import json
from collections.abc import Iterator
from pathlib import Path

import geopandas as gpd
import pytest
import shapely
from typer.testing import CliRunner, Result

from dagster_project.cli.main import app
from minemap_assets.errors import BadInputError, NotFoundError
from minemap_assets.lake.manifests import file_sha256
from minemap_assets.project.project import Project
from minemap_assets.reference.catalogue import read_catalogue
from minemap_assets.reference.fetching import FETCHED_PATH, fetch_dataset
from minemap_assets.reference.published_sets import DATASETS
from projects import project_at
from servers.processes import Unreliable, unreliable

pytestmark = pytest.mark.integration

COUNTRIES = gpd.GeoDataFrame(
    {"ISO_A3": ["XAA", "XAB"], "NAME": ["A", "B"], "CONTINENT": ["X", "X"]},
    geometry=[shapely.box(0, 0, 1, 1), shapely.box(1, 0, 2, 1)],
    crs="EPSG:4326",
)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Unreliable]:
    (tmp_path / "files").mkdir()
    with unreliable(tmp_path / "files") as running:
        yield running


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv("MINEMAP_HOME", str(tmp_path / "lake"))
    monkeypatch.setenv("MINEMAP_STATE", str(tmp_path / "state"))
    return project_at(tmp_path / "lake", tmp_path / "state")


def fetch(*words: str) -> Result:
    return CliRunner().invoke(app, ["reference", "fetch", *words])


def refused(*words: str) -> str:
    error = fetch(*words).exception
    assert isinstance(error, BadInputError), error
    return str(error)


def publish(folder: Path, name: str, frame: gpd.GeoDataFrame = COUNTRIES) -> Path:
    path = folder / "files" / name
    frame.to_file(path, engine="pyogrio")
    return path


def test_the_first_fetch_shows_licence_and_checksum_and_the_next_verifies(
    server: Unreliable, project: Project, tmp_path: Path
) -> None:
    path = publish(tmp_path, "countries.gpkg")
    address = f"{server.url}/files/countries.gpkg"
    first = fetch("country_boundaries", "--from", address)
    assert first.exception is None, first.exception
    assert "Licence: public domain" in first.output
    assert f"SHA-256 {file_sha256(path)} (seen for the first time)" in first.output
    (entry,) = read_catalogue(project.lake.store).entries
    assert (entry.features, entry.licence, entry.sha256) == (2, "public domain", file_sha256(path))
    assert "(as before)" in fetch("country_boundaries", "--from", address).output
    assert not (tmp_path / "state" / "downloads" / "country_boundaries").exists()


def test_another_file_at_the_same_address_is_refused_until_accepted(
    server: Unreliable, project: Project, tmp_path: Path
) -> None:
    path = publish(tmp_path, "countries.geojson")
    address = f"{server.url}/files/countries.geojson"
    assert fetch("country_boundaries", "--from", address).exception is None
    before = read_catalogue(project.lake.store).entries
    path.unlink()
    publish(tmp_path, "countries.geojson", COUNTRIES.iloc[:1])
    assert "another file than the first time" in refused("country_boundaries", "--from", address)
    assert read_catalogue(project.lake.store).entries == before
    assert fetch("country_boundaries", "--from", address, "--accept-change").exception is None
    assert read_catalogue(project.lake.store).entries[0].features == 1


def test_a_file_with_too_few_polygons_is_not_registered(server: Unreliable, project: Project, tmp_path: Path) -> None:
    publish(tmp_path, "mines.gpkg")
    said = refused("maus_2022", "--from", f"{server.url}/files/mines.gpkg")
    assert "2 features" in said
    assert "44,929" in said
    assert not read_catalogue(project.lake.store).entries


def test_a_local_file_is_the_alternative(project: Project, tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    path = publish(tmp_path, "countries.gpkg")
    assert fetch("country_boundaries", "--from", str(path)).exception is None
    assert path.is_file()
    assert read_catalogue(project.lake.store).entries[0].source == str(path)
    assert project.lake.store.size(FETCHED_PATH) is None
    assert "is no file" in refused("country_boundaries", "--from", str(tmp_path / "none.gpkg"))


def test_the_parts_of_a_shapefile_come_together(server: Unreliable, project: Project, tmp_path: Path) -> None:
    publish(tmp_path, "countries.shp")
    (tmp_path / "files" / "countries.cpg").unlink()
    assert fetch("country_boundaries", "--from", f"{server.url}/files/countries.shp").exception is None
    assert read_catalogue(project.lake.store).entries[0].features == 2
    assert len(json.loads(project.lake.store.read_bytes(FETCHED_PATH))) == 4
    (tmp_path / "files" / "countries.shx").unlink()
    assert isinstance(
        fetch("country_boundaries", "--from", f"{server.url}/files/countries.shp").exception, NotFoundError
    )


def test_a_download_that_breaks_off_goes_on_where_it_stopped(
    server: Unreliable, project: Project, tmp_path: Path
) -> None:
    path = publish(tmp_path, "countries.gpkg")
    server.set(share=0.4, kinds=["truncated body", "reset"], seed=3, only="/files")
    done = fetch("country_boundaries", "--from", f"{server.url}/files/countries.gpkg")
    assert done.exception is None, done.exception
    assert read_catalogue(project.lake.store).entries[0].sha256 == file_sha256(path)


def test_data_sets_are_downloaded_from_their_own_addresses(project: Project, tmp_path: Path) -> None:
    """Every part is asked for, and a wrong count leaves everything as it was."""
    asked = []
    COUNTRIES.to_file(tmp_path / "local.shp", engine="pyogrio")

    def download(address: str, path: Path) -> None:
        asked.append(address)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes((tmp_path / f"local{path.suffix}").read_bytes())

    with pytest.raises(BadInputError, match="74,548"):
        fetch_dataset(
            project.lake.store, DATASETS["tang_werner_2023"], folder=tmp_path / "downloads", download=download
        )
    assert asked == list(DATASETS["tang_werner_2023"].files.values())
    assert all(address.startswith("https://") for address in asked)
    assert not read_catalogue(project.lake.store).entries
    assert project.lake.store.size(FETCHED_PATH) is None


@pytest.mark.usefixtures("project")
def test_what_is_not_known_has_to_be_said(tmp_path: Path) -> None:
    points = tmp_path / "points.csv"
    points.write_text("longitude,latitude,label,year\n1,2,1,2019\n3,4,0,2019\n")
    assert "--licence" in refused("validation_points", "--from", str(points))
    assert "--from" in refused("validation_points", "--licence", "CC BY 4.0")
    assert fetch("validation_points", "--from", str(points), "--licence", "CC BY 4.0").exception is None
    assert "maus_2022" in refused("maus_2020")
    listed = fetch().output
    assert all(name in listed for name in DATASETS)
