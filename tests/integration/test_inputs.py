"""Inputs under several hands at once, and inputs that are gone: commands in processes of their own."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin
from shapely.geometry import box

from commands import Command, Ended, command
from minemap_assets.errors import BadInputError
from minemap_assets.imagery.sources.archive.catalogue import read_roots
from minemap_assets.lake.inputs import Inputs
from minemap_assets.lake.object_store import ObjectStore
from minemap_assets.lake.store import LocalStore
from minemap_assets.project.settings import SETTINGS_PATH
from minemap_assets.reference.catalogue import CATALOGUE_PATH, read_catalogue, read_entry
from minemap_assets.reference.registered import PROMOTED_SITES_PATH
from servers.object_storage import storage
from tiny import Chain

pytestmark = [pytest.mark.integration, pytest.mark.slow]

HANDS = 8
SITES = ("run", "--select", "+sites")


LINES = 3
ADD_LINES = f"""
import sys
from pathlib import Path
from minemap_assets.lake.inputs import Inputs
from minemap_assets.lake.object_store import ObjectStore
inputs = Inputs(ObjectStore(sys.argv[1], Path(sys.argv[2])))
for _ in range({LINES}):
    inputs.change("inputs/list.txt", lambda data: (data or b"") + sys.argv[3].encode() + b"\\n")
"""


def at_once(chain: Chain, commands: Sequence[Sequence[str]]) -> list[Ended]:
    """Commands that all run at the same time."""
    started = [Command(chain, *words) for words in commands]
    ended = [one.end() for one in started]
    assert [one.code for one in ended] == [0] * len(commands), "\n".join(one.text for one in ended)
    return ended


def draw(path: Path, number: int) -> str:
    """A square of its own."""
    gpd.GeoDataFrame(geometry=[box(number, 0, number + 0.5, 0.5)], crs=4326).to_file(path)
    return str(path)


def photograph(folder: Path) -> str:
    """A folder with one image."""
    folder.mkdir()
    numbers = np.random.default_rng(0).integers(1, 5000, (1, 64, 64)).astype("uint16")
    profile = {"driver": "GTiff", "width": 64, "height": 64, "count": 1, "dtype": "uint16", "crs": "EPSG:32630"}
    place = from_origin(5e5, 7e5, 10, 10)
    with rasterio.open(folder / "image_20190716.tif", "w", **profile, transform=place) as target:
        target.write(numbers)
        target.descriptions = ("blue",)
    return str(folder)


def registered(chain: Chain) -> set[str]:
    store = chain.project.lake.store
    entries = read_catalogue(store).entries
    assert all(len(read_entry(entry, store)) == 1 for entry in entries)
    return {entry.name for entry in entries}


def promoted(chain: Chain) -> set[str]:
    features = json.loads(chain.project.lake.store.read_bytes(PROMOTED_SITES_PATH))["features"]
    return {feature["properties"]["note"] for feature in features}


Kind = tuple[Callable[[Path, int, str], tuple[str, ...]], Callable[[Chain], set[str]]]

KINDS: dict[str, Kind] = {
    "reference": (
        lambda folder, n, name: ("reference", "add", name, draw(folder / f"{n}.gpkg", n), "--licence", "CC0"),
        registered,
    ),
    "regions": (
        lambda folder, n, name: ("regions", "add", name, draw(folder / f"{n}.gpkg", n)),
        lambda chain: set(chain.project.regions),
    ),
    "sites": (
        lambda folder, n, name: ("sites", "promote", draw(folder / f"{n}.gpkg", n), "--note", name),
        promoted,
    ),
    "archive": (
        lambda folder, n, name: (
            *("archive", "index", photograph(folder / f"images {n}"), "--name", name),
            *("--product", "sentinel-2-l2a"),
        ),
        lambda chain: set(read_roots(chain.project)),
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_eight_commands_at_once_leave_eight_entries(tmp_path: Path, kind: str) -> None:
    chain, (words, found) = Chain(tmp_path / "project"), KINDS[kind]
    names = [f"hand_{number}" for number in range(HANDS)]
    at_once(chain, [words(tmp_path, number, name) for number, name in enumerate(names)])
    assert found(chain) == set(names)


def test_eight_processes_at_one_object_store_lose_nothing(tmp_path: Path) -> None:
    with storage() as server:
        url = f"{server.url}/lake"
        started = [
            subprocess.Popen([sys.executable, "-c", ADD_LINES, url, str(tmp_path / str(number)), str(number)])
            for number in range(HANDS)
        ]
        assert [process.wait(200) for process in started] == [0] * HANDS
        store = ObjectStore(url, tmp_path / "here")
        lines = store.read_bytes("inputs/list.txt").decode().split()
        assert Counter(lines) == {str(number): LINES for number in range(HANDS)}
        inputs = Inputs(store)
        kept = [inputs.bytes_of("inputs/list.txt", v).decode().split() for v in inputs.versions("inputs/list.txt")]
        assert kept == [lines[: length + 1] for length in range(len(lines))], "every state, once, in order"
        store.delete("inputs/list.txt")
        with pytest.raises(BadInputError, match=r"list\.txt is gone"):
            inputs.read("inputs/list.txt")
        inputs.restore("inputs/list.txt", 3)
        assert store.read_bytes("inputs/list.txt").decode().split() == lines[:3]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    """The tiny world with its sites."""
    chain = Chain(tmp_path_factory.mktemp("inputs")).prepared()
    chain.change("[imagery]\n", "# by hand\n[imagery]\n")
    ended = command(chain, *SITES)
    assert ended.code == 0, ended.text
    return chain


@pytest.mark.parametrize("path", [CATALOGUE_PATH, SETTINGS_PATH])
def test_an_input_that_is_gone_makes_nothing_and_comes_back_as_it_was(made: Chain, tmp_path: Path, path: str) -> None:
    chain = made.copied(tmp_path / "copy")
    store = LocalStore(chain.folder / "lake")
    before, files, data = chain.contents(), set(store.list("")), store.read_bytes(path)
    store.delete(path)
    ended = command(chain, *SITES)
    name = path.removeprefix("inputs/")
    assert ended.code == 2, ended.text
    assert f"Error: {store.root}/{path} is gone; its last good version is of 20" in ended.text
    assert f"`minemap inputs restore {name}`" in ended.text
    assert f"`minemap inputs forget {name}`" in ended.text
    assert set(store.list("")) == files - {path}, "nothing is made, and nothing removed"
    assert command(chain, "inputs", "restore", name).code == 0
    assert store.read_bytes(path) == data
    ended = command(chain, *SITES)
    assert (ended.code, ended.said("made")) == (0, [])
    assert chain.contents() == before


def test_what_a_person_wrote_by_hand_is_kept_once_a_run_has_worked_with_it(made: Chain, tmp_path: Path) -> None:
    chain = made.copied(tmp_path / "copy")
    inputs = Inputs(LocalStore(chain.folder / "lake"))
    assert [b"# by hand" in inputs.bytes_of(SETTINGS_PATH, v) for v in inputs.versions(SETTINGS_PATH)] == [False, True]
    chain.change("# by hand", "# again")
    assert command(chain, *SITES).code == 0
    assert b"# again" in inputs.bytes_of(SETTINGS_PATH, inputs.versions(SETTINGS_PATH)[-1])
    assert len(inputs.versions(SETTINGS_PATH)) == 3
