"""What several integration tests share: the services' stand-ins, and a project with sites."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from planet_trial import make_world
from roads import Roads, made_sites, open_roads
from tiny import Chain


@pytest.fixture(scope="session")
def basemaps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What Planet's stand-in serves; nobody changes it."""
    root = tmp_path_factory.mktemp("planet")
    make_world(root)
    return root


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    """A project whose sites are made; copy it to change it."""
    return made_sites(tmp_path_factory.mktemp("sites"))


@pytest.fixture(scope="module")
def roads(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Roads]:
    """Every service's stand-in, over one place."""
    with open_roads(tmp_path_factory.mktemp("roads")) as running:
        yield running
