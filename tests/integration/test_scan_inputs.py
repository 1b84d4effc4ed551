"""What a scan is given: weights by path and web address, points, plans; each mistake gets one clear sentence."""

import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from commands import command
from keras_weights import random_network, write_sequential
from minemap_assets.detection.networks.shapes import Group, PatchShape
from minemap_assets.detection.published import FACTS_PATH
from tiny import Chain

pytestmark = pytest.mark.integration

NAME = "44px_v2.6_rgb_2021-11-11.h5"
"""Named as published weights are, whose licence is known."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files to give."""
    folder = tmp_path_factory.mktemp("given")
    for name, bands in ((NAME, 3), ("mine.h5", 3), ("five.h5", 5)):
        shape = PatchShape(pixels=48, bands=bands, groups=(Group(filters=2, convolutions=1, pool=4),), dense=(4,))
        write_sequential(random_network(shape, 1), folder / name)
    (folder / "broken.h5").write_bytes(b"\x89HDF\r\n\x1a\n and no more")
    return folder


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    """Where a server in a process of its own has them."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", str(folder)]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        for _ in range(200):
            with socket.socket() as tried:
                if tried.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
        server.terminate()


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    """A project with regions, and nothing made."""
    return Chain(tmp_path_factory.mktemp("project")).prepared()


def refused(chain: Chain, *words: str) -> str:
    """The one sentence with which a command refuses."""
    ended = command(chain, "scan", *words)
    assert ended.code == 2, ended.text
    (line,) = ended.text.strip().splitlines()
    return line


def test_a_project_without_a_classifier_says_how_to_get_one(chain: Chain) -> None:
    assert "minemap scan weights" in refused(chain, "run")


@pytest.mark.parametrize("from_web", [False, True])
def test_weights_come_from_a_path_or_an_address_and_their_licence_is_shown(
    chain: Chain, folder: Path, address: str, tmp_path: Path, from_web: bool
) -> None:
    own = chain.copied(tmp_path / "own")
    ended = command(own, "scan", "weights", f"{address}/{NAME}" if from_web else str(folder / NAME))
    assert ended.code == 0, ended.text
    assert "MIT" in ended.text
    assert "CC BY 4.0" in ended.text
    assert "3 bands of sentinel-2-l1c: blue, green, red" in ended.text
    facts = json.loads(own.project.lake.store.read_bytes(FACTS_PATH))
    assert facts["origin"].endswith(NAME)
    assert re.fullmatch(r"[0-9a-f]{64}", facts["sha256"])


def test_weights_that_cannot_be_used_are_refused_in_one_sentence(chain: Chain, folder: Path, address: str) -> None:
    assert "--licence" in refused(chain, "weights", str(folder / "mine.h5"))
    assert "5 bands" in refused(chain, "weights", str(folder / "five.h5"), "--licence", "own")
    said = refused(chain, "weights", str(folder / "five.h5"), "--licence", "own", "--bands", "blue,green")
    assert "read 5 bands, and 2 are named" in said
    assert "no band" in refused(chain, "weights", str(folder / "mine.h5"), "--licence", "own", "--bands", "a,b,c")
    assert "checksum" in refused(chain, "weights", str(folder / NAME), "--sha256", "0" * 64)
    assert "broken.h5" in refused(chain, "weights", str(folder / "broken.h5"), "--licence", "own")
    assert "there is no file" in refused(chain, "weights", str(folder / "none.h5"))
    missing = command(chain, "scan", "weights", f"{address}/none.h5", "--licence", "own")
    assert missing.code == 1
    assert "none.h5" in missing.text


def test_points_that_cannot_be_used_are_refused_in_one_sentence(chain: Chain, tmp_path: Path) -> None:
    def written(properties: dict[str, object], place: tuple[float, float]) -> str:
        feature = {"type": "Feature", "properties": properties, "geometry": {"type": "Point", "coordinates": place}}
        path = tmp_path / "points.geojson"
        path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
        return str(path)

    west, south, _, _ = next(iter(chain.project.regions.values())).geometry.bounds
    inside = (west + 0.001, south + 0.001)
    assert "has no column of classes" in refused(chain, "points", written({"name": "a"}, inside))
    assert "'river'" in refused(chain, "points", written({"class": "river"}, inside))
    assert "lie in no region" in refused(chain, "points", written({"class": "mine"}, (120.0, 60.0)))
    assert "not both" in refused(chain, "points")
    assert "there are no outlines of mines" in refused(chain, "points", "--from-labels")


def test_a_plan_names_what_each_source_would_need(chain: Chain, folder: Path, tmp_path: Path) -> None:
    own = chain.copied(tmp_path / "own")
    assert command(own, "scan", "weights", str(folder / NAME)).code == 0
    own.change('sentinel-2-l1c = ["simulated"]', 'sentinel-2-l1c = ["simulated", "earth-engine"]')
    ended = command(own, "scan", "plan", "--regions", "alder-basin", environment={"COLUMNS": "160"})
    assert ended.code == 0, ended.text
    assert "patches of sentinel-2-l1c" in ended.text
    assert "earth-engine" in ended.text
