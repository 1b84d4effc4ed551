"""Full or locked disks, a lake of a newer version, two runs at once: one sentence, and nothing half-written."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from commands import DEMO, Command, command
from minemap_assets.errors import StorageError
from minemap_assets.lake.manifests import PartitionRef
from minemap_assets.simulation.built_in_worlds import ALDER
from tiny import YEARS, Chain

pytestmark = [pytest.mark.integration, pytest.mark.slow]

MEGABYTE = 1 << 20


@contextmanager
def mounted(folder: Path, *options: str) -> Iterator[Path]:
    """A mount at a new folder. Skips where this machine does not allow mounting."""
    folder.mkdir()
    done = subprocess.run(["mount", *options, str(folder)], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"mounting is not allowed here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """A disk in memory."""
    with mounted(folder, "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs") as mount:
        yield mount


def fill(folder: Path, left: int) -> Path:
    """Fill the disk up to so many bytes."""
    ballast = folder / "ballast"
    with ballast.open("wb") as handle:
        for _ in range(max(0, shutil.disk_usage(folder).free - left) // 4096):
            handle.write(bytes(4096))
    return ballast


def assert_whole(chain: Chain) -> None:
    """Every manifest tells the truth, and nothing lies about."""
    lake = chain.project.lake
    assert all(lake.is_whole(manifest) for manifest in chain.manifests())
    assert not list((Path(lake.store.root) / ".staging").iterdir())


@pytest.mark.parametrize(
    ("asset", "left"),
    [
        ("sites/sites", 0),
        ("imagery/imagery", 64_000),
        ("chips/chips", MEGABYTE),
        ("segmentation/segmentation_model", 64_000),
        ("segmentation/raw_masks", 128_000),
        ("tables/polygons", 16_000),
    ],
)
def test_a_full_disk_ends_the_run_in_one_sentence(finished: Chain, tmp_path: Path, asset: str, left: int) -> None:
    with disk(tmp_path / "disk", 256) as mount:
        shutil.copytree(finished.folder / "lake", mount / "lake")
        shutil.copytree(finished.folder / "state", tmp_path / "state")
        (tmp_path / "lake").symlink_to(mount / "lake")
        chain = Chain(tmp_path)
        shutil.rmtree(mount / "lake" / asset)
        before = chain.contents()
        ballast = fill(mount, left)
        with pytest.raises(StorageError, match=r"^the disk that holds .* is full \(\d+ MB free\); free space there"):
            chain.run()
        assert_whole(chain)
        assert chain.contents().items() >= before.items()
        ballast.unlink()
        assert not chain.run().failures
        assert chain.contents() == finished.contents()


@pytest.mark.parametrize("gone", ["polygons/mining_polygons", "tables/database"])
def test_a_full_disk_under_the_state_is_told_from_one_under_the_lake(
    finished: Chain, tmp_path: Path, gone: str
) -> None:
    with disk(tmp_path / "disk", 64) as mount:
        chain = finished.copied(tmp_path / "copy")
        shutil.move(tmp_path / "copy" / "state", mount / "state")
        (tmp_path / "copy" / "state").symlink_to(mount / "state")
        shutil.rmtree(tmp_path / "copy" / "lake" / gone)
        ballast = fill(mount, 300_000 if gone == "tables/database" else 0)
        end = command(chain, *DEMO)
        assert end.code == 1, end.text
        assert f"the disk that holds {chain.environment.state}" in end.text.replace("\n", "")
        assert "is full" in end.text
        assert "Traceback" not in end.text
        assert_whole(chain)
        ballast.unlink()
        assert not chain.run().failures
        assert chain.contents() == finished.contents()


def test_a_lake_that_may_only_be_read_is_kept_and_says_so(finished: Chain, tmp_path: Path) -> None:
    whole = finished.copied(tmp_path / "whole")
    lacking = finished.copied(tmp_path / "lacking")
    shutil.rmtree(tmp_path / "lacking" / "lake" / "tables" / "region_summary")
    for chain in (whole, lacking):
        lake = chain.folder / "lake"
        lake.rename(chain.folder / "source")
        with mounted(lake, "--bind", "-o", "ro", str(chain.folder / "source")):
            if chain is whole:
                assert {r.state.value for r in chain.run().results} == {"kept"}
                continue
            end = command(chain, *DEMO)
            assert end.code == 1
            assert f"Error: {lake} is on a read-only file system; choose another folder with MINEMAP_HOME" in end.text
            assert "Stopped with" in end.text
            assert "Traceback" not in end.text


def test_a_lake_of_a_newer_version_is_left_alone(finished: Chain, tmp_path: Path) -> None:
    chain = finished.copied(tmp_path / "copy")
    marker = tmp_path / "copy" / "lake" / "lake.json"
    marker.write_text(json.dumps(json.loads(marker.read_text()) | {"layout": 7}))
    shutil.rmtree(tmp_path / "copy" / "lake" / "tables")
    sentence = "was written by a newer minemap (layout 7, this one reads up to 1); update minemap"
    for words in (DEMO, ("status",)):
        end = command(chain, *words)
        assert end.code == 1
        assert sentence in end.text
    assert not (tmp_path / "copy" / "lake" / "tables").exists()


def test_a_partition_that_another_run_writes_is_left_to_it(finished: Chain, tmp_path: Path) -> None:
    chain = finished.copied(tmp_path / "copy")
    shutil.rmtree(tmp_path / "copy" / "lake" / "segmentation" / "segmentation_model")
    chain.change("[imagery]\n", "wait_minutes = 0.02\n\n[imagery]\n")
    with chain.project.lake.writer(PartitionRef("segmentation", "segmentation_model"), "other"):
        end = command(chain, *DEMO)
    assert end.code == 1
    said = " ".join(end.text.split())
    assert f"segmentation_model waits for process {os.getpid()} on " in said
    assert f"is held by process {os.getpid()} on " in said
    assert "run the same command again when that has ended" in said
    assert "Traceback" not in end.text
    assert not chain.run().failures
    assert chain.contents() == finished.contents()


def test_two_runs_from_the_start_share_the_work(finished: Chain, tmp_path: Path) -> None:
    chain = Chain(tmp_path).prepared()
    words = ("run", "--years", str(YEARS[0]), "--regions", ALDER, "--select", "+imagery,chips")
    runs = [Command(chain, *words) for _ in range(2)]
    ends = [run.end() for run in runs]
    for end in ends:
        assert "Traceback" not in end.text
        assert end.code == 0, end.text
        assert "0 failed, 0 held up" in end.text
    assert command(chain, *words).code == 0
    assert_whole(chain)
    assert chain.contents().items() <= finished.contents().items()
