"""Inputs as a snapshot sees them: read once, missed when they are gone, recorded when they were understood."""

from pathlib import Path

import pytest
import shapely

from minemap_assets.errors import BadInputError
from minemap_assets.lake.input_history import HISTORY
from minemap_assets.lake.inputs import Inputs
from minemap_assets.lake.store import LocalStore
from minemap_assets.project.project import Project, ProjectHome
from minemap_assets.project.regions import REGIONS_PATH, Region, write_regions
from minemap_assets.project.settings import SETTINGS_PATH
from minemap_assets.reference.catalogue import CATALOGUE_PATH
from minemap_assets.reference.registered import PROMOTED_SITES_PATH, catalogue, polygon_sets
from projects import home_at

SETTINGS = b"first_year = 2018\n"
REGIONS = write_regions([Region("area", "Area", shapely.box(0, 0, 1, 1))])


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    """A lake of an earlier minemap: inputs, and no version of them."""
    store = LocalStore(tmp_path / "lake")
    store.write_bytes(SETTINGS_PATH, SETTINGS)
    store.write_bytes(REGIONS_PATH, REGIONS)
    store.write_bytes(CATALOGUE_PATH, b'{"entries": []}')
    return store


@pytest.fixture
def home(store: LocalStore, tmp_path: Path) -> ProjectHome:
    return home_at(Path(store.root), tmp_path / "state")


def recorded(home: ProjectHome) -> Project:
    """A snapshot that has read settings, regions and catalogue, and recorded them."""
    project = home.open()
    catalogue(project)
    project.record_inputs()
    return project


def test_the_first_run_records_what_an_earlier_minemap_left(home: ProjectHome, store: LocalStore) -> None:
    assert not list(store.list(HISTORY))
    recorded(home)
    assert set(Inputs(store).history().versions) == {SETTINGS_PATH, REGIONS_PATH, CATALOGUE_PATH}
    recorded(home)
    assert len(list(store.list(HISTORY))) == 3


@pytest.mark.parametrize("path", [SETTINGS_PATH, REGIONS_PATH])
def test_a_project_whose_settings_or_regions_are_gone_is_not_opened(
    home: ProjectHome, store: LocalStore, path: str
) -> None:
    recorded(home)
    store.delete(path)
    name = path.removeprefix("inputs/")
    with pytest.raises(BadInputError, match=rf"{path} is gone; .*restore {name}`.*forget {name}`"):
        home.open()
    Inputs(store).forget(path)
    assert home.open().first_year == (2016 if path == SETTINGS_PATH else 2018)
    Inputs(store).restore(path)
    assert (home.open().first_year, set(home.open().regions)) == (2018, {"area"})


def test_settings_that_broke_off_to_nothing_are_not_the_defaults(home: ProjectHome, store: LocalStore) -> None:
    recorded(home)
    store.write_bytes(SETTINGS_PATH, b" \n")
    with pytest.raises(BadInputError, match=r"minemap\.toml is empty; .* or remove the file and work without it"):
        home.open()
    store.delete(SETTINGS_PATH)
    Inputs(store).forget(SETTINGS_PATH)
    store.write_bytes(SETTINGS_PATH, b"\n")
    assert recorded(home).first_year == 2016, "a project may begin with nothing in its settings"
    assert home.open().first_year == 2016


def test_an_input_that_the_system_does_not_read_is_not_an_empty_one(home: ProjectHome, store: LocalStore) -> None:
    store.delete(CATALOGUE_PATH)
    (Path(store.root) / CATALOGUE_PATH).mkdir(parents=True)
    with pytest.raises(BadInputError, match=r"catalogue\.json cannot be read \(Is a directory\)"):
        catalogue(home.open())
    with pytest.raises(BadInputError, match=r"catalogue\.json cannot be read \(Is a directory\)"):
        Inputs(store).change(CATALOGUE_PATH, lambda _: b"anew")


def test_a_catalogue_that_is_gone_is_not_an_empty_one(home: ProjectHome, store: LocalStore) -> None:
    recorded(home)
    store.delete(CATALOGUE_PATH)
    project = home.open()
    for _ in range(2):
        with pytest.raises(BadInputError, match=r"reference/catalogue\.json is gone"):
            polygon_sets(project)


def test_what_was_never_there_is_not_missed(home: ProjectHome) -> None:
    assert recorded(home).input(PROMOTED_SITES_PATH) is None
    assert home.open().input("inputs/arrivals.json") is None


def test_damaged_inputs_name_their_last_good_version_and_are_not_recorded(home: ProjectHome, store: LocalStore) -> None:
    recorded(home)
    store.write_bytes(CATALOGUE_PATH, b'{"entries": 3}')
    project = home.open()
    with pytest.raises(BadInputError, match=r"cannot be read.*; the last good version is of .*restore reference/"):
        catalogue(project)
    project.record_inputs()
    assert len(Inputs(store).versions(CATALOGUE_PATH)) == 1
    for path, junk in ((SETTINGS_PATH, b"first_year = "), (REGIONS_PATH, b"{}"), (SETTINGS_PATH, b"first_year = 3")):
        store.write_bytes(SETTINGS_PATH, SETTINGS)
        store.write_bytes(path, junk)
        with pytest.raises(BadInputError, match=r"; the last good version is of .*`minemap inputs restore "):
            home.open()


def test_settings_that_break_a_rule_name_their_last_good_version(home: ProjectHome, store: LocalStore) -> None:
    recorded(home)
    store.write_bytes(SETTINGS_PATH, b'[imagery.sources]\nplanet-nicfi = ["nowhere"]\n')
    with pytest.raises(BadInputError, match=r"unknown source 'nowhere'.*restore minemap\.toml`$"):
        home.open()


def test_what_this_process_wrote_is_computed_again_and_nothing_else(home: ProjectHome) -> None:
    project, calls = home.open(), list[str]()

    def promoted(one: Project) -> bytes | None:
        calls.append("promoted")
        return one.input(PROMOTED_SITES_PATH)

    def both(one: Project) -> tuple[bytes | None, int]:
        calls.append("both")
        return one.cached(promoted), len(catalogue(one).entries)

    assert project.cached(both) == (None, 0)
    before = catalogue(project)
    project.wrote(PROMOTED_SITES_PATH, b"{}")
    assert project.input(PROMOTED_SITES_PATH) == b"{}"
    assert project.cached(both) == (b"{}", 0)
    assert project.cached(both) == (b"{}", 0)
    assert calls == ["both", "promoted", "both", "promoted"]
    assert catalogue(project) is before
