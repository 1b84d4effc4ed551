"""Everything that can happen to a backfill, one thing after the other, and afterwards all is as if nothing had."""

import os
import shutil
import signal
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import dagster as dg
import pytest
from dagster import DagsterInstance

from backfills import begin_backfill, runs_of, wait_for_backfills
from chaos.full_disk import NotAllowedError, disk
from daemons import Daemon, running_daemon
from dagster_project.instance import open_instance, sync_regions
from dagster_project.restoring import restore_all
from held_steps import UNHURRIED, eventually, holders, messages, worker
from minemap_assets.graph.graph import Graph
from minemap_assets.graph.partition_states import PartitionStates
from tiny import Chain
from upgraded_definitions import upgraded, upgraded_daemon

pytestmark = [pytest.mark.operations, pytest.mark.integration, pytest.mark.slow]

YEARS = ("2019",)
ASSETS = ("imagery/imagery", "chips/chips", "segmentation/raw_masks", "polygons/raw_polygons")
FOLLOWS = ("polygons/mining_polygons", "tables")


def contents(chain: Chain) -> dict[str, str]:
    return {name: content for name, (content, _) in chain.contents().items()}


def rasters(chain: Chain) -> dict[str, int]:
    """Rasters of the years that are made again; each is another file, with a number of its own, once it is fetched."""
    folder = chain.folder / "lake" / "imagery" / "imagery"
    found: dict[str, int] = {}
    for path in (path for year in YEARS for path in folder.glob(f"*/{year}/*.tif")):
        with suppress(FileNotFoundError):
            found[str(path.relative_to(folder))] = path.stat().st_ino
    return found


def unfinished(finished: Chain, folder: Path, mount: Path) -> Chain:
    """A project whose lake lies on a disk of its own, and lacks what a backfill is to make."""
    finished.copied(folder)
    shutil.move(folder / "lake", mount / "lake")
    (folder / "lake").symlink_to(mount / "lake")
    for asset in ASSETS:
        for year in YEARS:
            for one in (mount / "lake" / asset).glob(f"*/{year}"):
                shutil.rmtree(one)
    for asset in FOLLOWS:
        shutil.rmtree(mount / "lake" / asset)
    return Chain(folder)


def test_after_a_bad_week_everything_is_as_without_it(finished: Chain, tmp_path: Path) -> None:
    try:
        with disk(tmp_path / "disk", 256) as mount:
            bad_week(unfinished(finished, tmp_path / "chain", mount), mount, contents(finished))
    except NotAllowedError as error:
        pytest.skip(f"a full disk needs the right to mount one: {error}")


def bad_week(chain: Chain, mount: Path, undisturbed: Mapping[str, str]) -> None:
    partitions = [f"{region}|{year}" for region in chain.project.active_regions() for year in YEARS]
    with running_daemon(chain, UNHURRIED) as daemon, daemon.instance() as instance:
        first = begin_backfill(chain, instance, ASSETS, partitions)
        kept = killed_worker(chain, instance)
        filled_disk(mount, instance, first)
        kept |= rasters(chain)
        cancelled_run(chain, instance, begin_backfill(chain, instance, ASSETS, partitions))
        kept |= rasters(chain)
        daemon.kill()
    lost_records(chain)
    with upgraded_daemon(chain) as daemon:
        with_the_next_version(chain, daemon, partitions)
    with upgraded():
        assert not chain.run().failures
    assert contents(chain) == undisturbed
    assert kept.items() <= rasters(chain).items()


def killed_worker(chain: Chain, instance: DagsterInstance) -> dict[str, int]:
    """As soon as a site is fetched, its run is killed; gives the rasters that are there then."""
    eventually(lambda: bool(rasters(chain)), "the first raster", pause=0.02)
    (run_id,) = holders(instance, "imagery")
    os.kill(worker(instance, run_id), signal.SIGKILL)
    return rasters(chain)


def filled_disk(mount: Path, instance: DagsterInstance, backfill_id: str) -> None:
    """The disk takes nothing more until a run has said so."""
    ballast = mount / "ballast"
    with suppress(OSError), ballast.open("wb") as handle:
        while True:
            handle.write(bytes(4096))

    def said() -> bool:
        failed = [run for run in runs_of(instance, backfill_id) if run.status is dg.DagsterRunStatus.FAILURE]
        return any("is full" in message for run in failed for message in messages(instance, run.run_id))

    eventually(said, "a run that failed because the disk is full")
    ballast.unlink()


def cancelled_run(chain: Chain, instance: DagsterInstance, backfill_id: str) -> None:
    """A run of a backfill is cancelled, as by a click in the UI."""

    def at_work() -> list[str]:
        runs = [run for run in runs_of(instance, backfill_id) if run.status is dg.DagsterRunStatus.STARTED]
        return [run.run_id for run in runs]

    eventually(lambda: bool(at_work()), f"a run of {chain.folder}", pause=0.1)
    run_id = at_work()[0]
    instance.run_launcher.terminate(run_id)

    def is_over() -> bool:
        run = instance.get_run_by_id(run_id)
        return run is not None and run.status is dg.DagsterRunStatus.CANCELED

    eventually(is_over, "the end of a cancelled run")


def lost_records(chain: Chain) -> None:
    """Dagster's database is gone, and told anew what the lake holds."""
    shutil.rmtree(chain.environment.dagster_home)
    project = chain.project
    with open_instance(chain.environment.dagster_home) as instance:
        sync_regions(instance, project)
        graph = Graph(chain.registry.rooms, project)
        assert restore_all(instance, graph, PartitionStates(graph, project)) > 0


def with_the_next_version(chain: Chain, daemon: Daemon, partitions: list[str]) -> None:
    with daemon.instance() as instance:
        wait_for_backfills(instance, begin_backfill(chain, instance, ASSETS, partitions))
