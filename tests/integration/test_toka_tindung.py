"""The example of a real place, by its one command, against open catalogues of this machine."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox
from PIL import Image

import stac_world
from commands import command
from minemap_assets.geo.grid import utm_epsg
from minemap_assets.imagery.reader import open_imagery
from minemap_assets.imagery.sources.stac.blocks import FIRST_BYTES
from minemap_assets.imagery.strip import LABEL
from minemap_assets.lake.manifests import PartitionRef
from minemap_assets.project.project import Project
from minemap_assets.project.settings import SETTINGS_PATH
from projects import project_at
from stac_service import World
from stac_world import SIZE, Shot
from tiny import Chain

pytestmark = [pytest.mark.integration, pytest.mark.slow]

EXAMPLE = Path(__file__).parents[2] / "examples" / "toka-tindung"
YEARS = (2022, 2023)
PLACE = GeoBox((SIZE, SIZE), Affine(10.0, 0.0, 730_600.0, 0.0, -10.0, 178_300.0), "EPSG:32651")
"""A tile of the tests' scenes moved to the example mine."""


@pytest.fixture(scope="module")
def catalogues(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Catalogues with seven scenes a year; each year is brighter than the one before."""
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(stac_world, "TILE", PLACE)
        patch.setattr(stac_world, "EPSG", 32651)
        world = World(tmp_path_factory.mktemp("catalogues"), stack)
        days = ("06-20", "07-15", "08-10", "09-05", "10-01", "10-25", "11-15")
        world.fill([Shot(f"{year}-{day}", drift=400 * n) for n, year in enumerate(YEARS) for day in days])
        yield world


@pytest.fixture
def world(catalogues: World) -> World:
    """The same, not asked for anything yet."""
    catalogues.server.set()
    return catalogues


INIT = ("init", "--source", "stac", "--region", str(EXAMPLE / "toka-tindung.geojson"), "--title", "Toka Tindung")
"""The script's first command, which changes nothing where it is said again."""


def begin(project: Project, world: World) -> None:
    """The example's project, with the first of the default's collections where the test serves it."""
    minemap(project, *INIT)
    first = world.collections[0]
    text = project.lake.store.read_bytes(SETTINGS_PATH).decode() + (
        f'\n[[sources.stac.collections]]\nname = "{first.name}"\nendpoint = "{first.endpoint}"\n'
        f'collection = "{first.collection}"\noffset = "{first.offset}"\n'
    )
    project.lake.store.write_bytes(SETTINGS_PATH, text.encode())


def run(project: Project, *words: str, code: int = 0) -> str:
    """A program as a shell starts it."""
    program = Path(sys.executable).parent
    environment = os.environ | {
        "PATH": f"{program}{os.pathsep}{os.environ['PATH']}",
        "MINEMAP_HOME": project.lake.store.root,
        "MINEMAP_STATE": str(project.lake.state),
    }
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def minemap(project: Project, *words: str, code: int = 0) -> str:
    """A command in a process that has imported everything."""
    ended = command(Chain(Path(project.lake.store.root).parent), *words)
    assert ended.code == code, ended.text
    return ended.text


def test_one_command_makes_yearly_composites_and_a_strip(world: World, tmp_path: Path) -> None:
    assert utm_epsg(125.1, 1.5833) == 32651
    project = project_at(tmp_path / "home" / "lake", tmp_path / "home" / "state")
    begin(project, world)
    script = str(EXAMPLE / "run.sh")
    assert "0 failed" in run(project, script, "2022-2023")

    means = []
    for year in YEARS:
        images = open_imagery(project.lake.open(PartitionRef("imagery", "imagery", ("toka-tindung", str(year)))))
        (site,) = images.site_ids
        image = images.read(site)
        assert image.bands == ("blue", "green", "red", "nir")
        assert image.observed.mean() > 0.95
        assert images.index["source"].tolist() == ["stac"]
        assert images.index["redistributable"].all()
        means.append(float(image.pixels[2][image.observed].mean()))
    assert np.diff(means) == pytest.approx([400] * (len(YEARS) - 1), abs=10)

    picture = np.asarray(Image.open(tmp_path / "home" / "state" / "toka-tindung.png"))
    tiles = [picture[2 * LABEL :, n * 260 : n * 260 + 200].mean() for n in range(len(YEARS))]
    assert tiles == sorted(tiles)
    assert tiles[-1] > tiles[0] + 10

    asked = len(world.asked("/files"))
    again = minemap(project, "run", "--select", "+imagery/imagery", "--years", "2022-2023")
    assert "0 failed" in again
    assert len(world.asked("/files")) == asked, "a second run fetches nothing"
    plan = ("plan", "--select", "imagery/imagery", "--years", "2022-2024")
    assert "no source has sentinel-2-l2a for 1 sites of toka-tindung in 2024" in minemap(project, *plan)
    assert "stac: hours at the rate measured over 2 site-years" in minemap(project, *plan, "--no-ask")


def test_without_a_network_the_script_says_so_at_once(tmp_path: Path) -> None:
    project = project_at(tmp_path / "home" / "lake", tmp_path / "home" / "state")
    minemap(project, *INIT)
    text = project.lake.store.read_bytes(SETTINGS_PATH).decode()
    nowhere = 'name = "nowhere"\nendpoint = "https://catalogue.invalid/v1"\ncollection = "c"\noffset = "always"\n'
    project.lake.store.write_bytes(SETTINGS_PATH, f"{text}\n[[sources.stac.collections]]\n{nowhere}".encode())
    said = run(project, str(EXAMPLE / "run.sh"), "2021-2023", code=1)
    assert "stac does not work" in said
    assert "cannot be found, as without a network" in said
    assert "imagery[" not in said, "nothing was tried"
    # the run alone gives up as soon, instead of looking for a minute
    minemap(project, "sites", "promote", str(EXAMPLE / "site.geojson"))
    said = minemap(project, "run", "--select", "+imagery/imagery", "--years", "2022", code=1)
    assert "cannot be found, as without a network" in said
    assert "after 3 attempts" in said


def test_a_plan_counts_clear_scenes_by_month_before_anything_is_fetched(world: World, tmp_path: Path) -> None:
    project = project_at(tmp_path / "home" / "lake", tmp_path / "home" / "state")
    begin(project, world)
    minemap(project, "sites", "promote", str(EXAMPLE / "site.geojson"))
    minemap(project, "run", "--select", "+sites/sites")
    said = minemap(project, "plan", "--years", "2022")
    row = next(line for line in said.splitlines() if "toka" in line and "2022" in line)
    # one scene of 10 % cloud each month, two in October
    assert [cell.strip() for cell in row.split("│")[4:-1]] == ["0.9", "0.9", "0.9", "0.9", "1.8", "0.9"]
    heads = f"bytes=0-{FIRST_BYTES - 1}"
    assert {entry["range"] for entry in world.asked("/files")} == {heads}, "a plan reads heads of files, never pixels"
    assert "asked the catalogue" in said
    assert minemap(project, "sources", "stac").startswith("stac works, serves sentinel-2-l2a")
