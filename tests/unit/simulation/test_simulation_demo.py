"""The demo's inputs: written into a lake that is empty, and over nothing that a person wrote."""

from pathlib import Path

import pytest

from dagster_project.registry import Registry
from meddling import MeddledStore
from minemap_assets.errors import BadInputError
from minemap_assets.lake.inputs import Inputs
from minemap_assets.lake.lake import Lake
from minemap_assets.project.project import Project, ProjectHome
from minemap_assets.project.regions import REGIONS_PATH
from minemap_assets.project.settings import SETTINGS_PATH
from minemap_assets.simulation.demo import MARK, prepare
from tiny import WORLD


@pytest.fixture
def store(tmp_path: Path) -> MeddledStore:
    return MeddledStore(tmp_path / "lake")


def project(store: MeddledStore) -> Project:
    return ProjectHome(Lake(store, Path(store.root).parent / "state"), Registry().parts()).open()


def test_settings_that_somebody_writes_meanwhile_stay(store: MeddledStore) -> None:
    store.before_next_write(SETTINGS_PATH, lambda other: other.write_bytes(SETTINGS_PATH, b"first_year = 2018\n"))
    with pytest.raises(BadInputError, match=r"holds another project \(inputs/minemap\.toml\)"):
        prepare(project(store), WORLD)
    assert store.read_bytes(SETTINGS_PATH) == b"first_year = 2018\n"
    assert set(Inputs(store).history().versions) <= {SETTINGS_PATH}


def test_a_demo_that_was_stopped_goes_on_and_keeps_what_a_person_changed_in_it(store: MeddledStore) -> None:
    def die(_: object) -> None:
        raise KeyboardInterrupt

    store.before_next_write(REGIONS_PATH, die)
    with pytest.raises(KeyboardInterrupt):
        prepare(project(store), WORLD)
    edited = store.read_bytes(SETTINGS_PATH) + b"# by hand\n"
    assert edited.startswith(MARK.encode())
    store.write_bytes(SETTINGS_PATH, edited)
    prepare(project(store), WORLD)
    assert store.read_bytes(SETTINGS_PATH) == edited
    assert set(project(store).regions) == {region.slug for region in WORLD.regions}
