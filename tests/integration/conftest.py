"""What the tests of the command line over all services share: a project with sites, and the services."""

from collections.abc import Iterator

import pytest

from roads import Roads, made_sites, open_roads
from tiny import Chain


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    """A project whose sites are made; copy it to change it."""
    return made_sites(tmp_path_factory.mktemp("sites"))


@pytest.fixture(scope="module")
def roads(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Roads]:
    """Every service's stand-in, over one place."""
    with open_roads(tmp_path_factory.mktemp("roads")) as running:
        yield running
