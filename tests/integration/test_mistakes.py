"""A person who errs at the terminal, in processes of their own: wrong folders, regions without mines or renamed."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import pytest
import shapely

from commands import command
from minemap_assets.errors import BadInputError
from minemap_assets.lake.inputs import Inputs
from minemap_assets.lake.store import LocalStore
from tiny import Chain

pytestmark = [pytest.mark.integration, pytest.mark.slow]

YEAR = "2017"
SITES = ("run", "--select", "+imagery,region_summary", "--years", YEAR)


@pytest.fixture(scope="module")
def mapped(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    """The tiny world with sites and images of one year, and no model."""
    chain = Chain(tmp_path_factory.mktemp("mistakes")).prepared()
    ended = command(chain, *SITES)
    assert ended.code == 0, ended.text
    return chain


@pytest.fixture
def copy(mapped: Chain, tmp_path: Path) -> Chain:
    return mapped.copied(tmp_path / "copy")


@dataclass(frozen=True)
class SiteFile:
    """An image of a site as it lies on the disk."""

    path: Path
    inode: int
    changed: int


def site_files(chain: Chain, region: str) -> dict[str, SiteFile]:
    partition = chain.open("imagery", "imagery", region, YEAR)
    files = {name: partition.file(name) for name in partition.names() if name.endswith(".tif")}
    return {n.removesuffix(".tif"): SiteFile(p, p.stat().st_ino, p.stat().st_mtime_ns) for n, p in files.items()}


def regions_of(chain: Chain) -> set[str]:
    return set(chain.table("region_summary", int(YEAR))["region"])


def draw(path: Path, shape: shapely.Geometry) -> str:
    gpd.GeoDataFrame(geometry=[shape], crs="EPSG:4326").to_file(path)
    return str(path)


def test_an_edited_boundary_redoes_that_region_and_keeps_the_images_of_sites_that_stay(
    copy: Chain, tmp_path: Path
) -> None:
    before, other = site_files(copy, "alder-basin"), site_files(copy, "birch-delta")
    sites = copy.frame("sites", "sites", "alder-basin", file="sites.parquet").set_index("site_id")
    stays, *gone = sorted(before)
    assert gone
    region = copy.project.regions["alder-basin"].geometry
    edited = region.difference(shapely.union_all([sites.geometry[site] for site in gone]).envelope)
    assert command(copy, "regions", "add", "alder-basin", draw(tmp_path / "edited.gpkg", edited), "--replace").code == 0
    refused = command(copy, *SITES)
    assert refused.code == 1
    assert f"imagery[alder-basin|{YEAR}] would lose 1 of its 2 files" in refused.text
    assert site_files(copy, "alder-basin") == before
    ended = command(copy, *SITES, "--accept-losses")
    assert ended.code == 0, ended.text
    assert set(refused.said("made") + ended.said("made")) == {
        "sites alder-basin: ground_truth",
        "sites alder-basin: sites",
        f"imagery alder-basin {YEAR}: imagery",
        f"tables {YEAR}: region_summary",
    }
    assert site_files(copy, "alder-basin") == {stays: before[stays]}
    assert site_files(copy, "birch-delta") == other


def test_a_renamed_region_is_made_under_its_new_name_and_the_old_one_stays_readable(copy: Chain) -> None:
    before = set(site_files(copy, "birch-delta"))
    assert regions_of(copy) == {"alder-basin", "birch-delta"}
    assert command(copy, "regions", "rename", "birch-delta", "birch").code == 0
    ended = command(copy, *SITES)
    assert ended.code == 0, ended.text
    assert "sites alder-basin: sites" in ended.said("kept")
    assert "sites birch: sites" in ended.said("made")
    assert set(site_files(copy, "birch")) == set(site_files(copy, "birch-delta")) == before
    assert regions_of(copy) == {"alder-basin", "birch"}


def test_a_retired_region_is_no_longer_expected(copy: Chain) -> None:
    assert command(copy, "regions", "retire", "birch-delta").code == 0
    ended = command(copy, *SITES)
    assert ended.code == 0, ended.text
    assert regions_of(copy) == {"alder-basin"}
    assert site_files(copy, "birch-delta")
    assert "birch-delta" not in ended.text
    assert command(copy, "regions", "restore", "birch-delta").code == 0
    ended = command(copy, *SITES)
    assert f"imagery birch-delta {YEAR}: imagery" in ended.said("kept")
    assert regions_of(copy) == {"alder-basin", "birch-delta"}


def test_masks_before_a_model_was_put_in_use(copy: Chain) -> None:
    ended = command(copy, "run", "--select", "raw_masks", "--years", YEAR)
    assert ended.code == 1
    assert f"Error: raw_masks[alder-basin|{YEAR}] needs " in ended.text
    assert "which has not been made; make it with `minemap run --select +" in ended.text
    assert "Traceback" not in ended.text


def test_a_region_without_a_mine_is_mapped_as_empty_and_said_so(copy: Chain, tmp_path: Path) -> None:
    copy.change("steps = 48", "steps = 4")
    west, south, *_ = copy.project.regions["alder-basin"].geometry.bounds
    quiet = draw(tmp_path / "quiet.gpkg", shapely.box(west - 3.0, south - 3.0, west - 2.9, south - 2.9))
    assert command(copy, "regions", "add", "quiet", quiet).code == 0
    ended = command(copy, "run", "--regions", "quiet", "--years", YEAR, "--promote-anyway")
    assert ended.code == 0, ended.text
    assert "Note: region quiet has no sites, so nothing is mapped there" in ended.text
    assert not ended.said("failed")
    assert not ended.said("held up")
    for room, asset, file in (
        ("imagery", "imagery", "index.parquet"),
        ("chips", "chips", "index.parquet"),
        ("segmentation", "raw_masks", "index.parquet"),
        ("polygons", "raw_polygons", "raw_polygons.parquet"),
        ("polygons", "mining_polygons", "mining_polygons.parquet"),
    ):
        assert len(copy.frame(room, asset, "quiet", YEAR, file=file)) == 0, asset
    row = copy.table("region_summary", int(YEAR)).set_index("region").loc["quiet"]
    assert row.sites_expected == 0
    assert "quiet: no sites" in command(copy, "sites", "list").text


def test_a_missing_reference_file_holds_up_only_what_needs_it(copy: Chain) -> None:
    assert command(copy, "reference", "remove", "country_boundaries").code == 0
    ended = command(copy, "run", "--select", "reference/*,sites")
    assert ended.code == 1
    assert "Error: country_boundaries: the reference file 'country_boundaries' is not registered" in ended.text
    assert "sites alder-basin: sites" in ended.said("kept")


def test_points_are_not_needed(copy: Chain) -> None:
    assert command(copy, "reference", "remove", "validation_points").code == 0
    ended = command(copy, *SITES)
    assert ended.code == 0, ended.text


def test_a_pilot_is_part_of_the_whole_and_never_takes_sites_away(copy: Chain, tmp_path: Path) -> None:
    ended = command(copy, *SITES, "--sample", "1")
    assert ended.code == 2
    assert "a pilot on 1 would take the others away" in ended.text
    pilot = Chain(tmp_path / "pilot").prepared()
    assert command(pilot, "run", "--select", "+sites", "--sample", "1").code == 0
    whole = copy.frame("sites", "sites", "alder-basin", file="sites.parquet")
    part = pilot.frame("sites", "sites", "alder-basin", file="sites.parquet")
    assert len(part) == 1 < len(whole)
    assert set(part["site_id"]) < set(whole["site_id"])
    assert command(pilot, "run", "--select", "+sites").code == 0
    assert pilot.frame("sites", "sites", "alder-basin", file="sites.parquet").equals(whole)


def test_another_folder_is_another_project(tmp_path: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MINEMAP_")}
    ended = subprocess.run(
        [sys.executable, "-m", "dagster_project.cli.main", "run"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"Error: the project at {tmp_path}/minemap-data/lake has no region yet")
    assert ended.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_demo_that_was_stopped_while_it_wrote_its_inputs_goes_on(copy: Chain) -> None:
    store = LocalStore(copy.folder / "lake")
    Inputs(store).remove("inputs/regions.geojson")
    chain = copy.prepared()
    assert set(chain.project.regions) == {"alder-basin", "birch-delta"}
    store.write_bytes("inputs/minemap.toml", b"# mine\n")
    with pytest.raises(BadInputError, match="holds another project"):
        copy.prepared()
    assert json.loads(store.read_bytes("inputs/regions.geojson"))["features"]
