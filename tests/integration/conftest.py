"""What several integration tests share: the services' stand-ins, and a project with sites."""

import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from planet_trial import make_world
from roads import Roads, made_sites, open_roads
from servers.processes import free_port, running
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


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """URL of an empty bucket on a server of this machine, which the environment leads to."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    environment = {"AWS_ENDPOINT_URL": address, "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
    with (
        pytest.MonkeyPatch.context() as patch,
        running([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], port),
    ):
        for name, value in environment.items():
            patch.setenv(name, value)
        urllib.request.urlopen(urllib.request.Request(f"{address}/bucket", method="PUT")).close()
        yield "s3://bucket"
