"""Killed processes give back what they held, what they did is done again, and whoever waits meanwhile sleeps."""

import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster import DagsterInstance

from backfills import begin_backfill, made_now, wait_for_backfills
from commands import Command
from daemons import Daemon, running_daemon
from held_steps import (
    UNHURRIED,
    cpu_seconds,
    eventually,
    held,
    holders,
    messages,
    step_process,
    wait_for_holder,
    wait_for_message,
    worker,
)
from minemap_assets.lake.manifests import PartitionRef
from tiny import Chain

pytestmark = [pytest.mark.operations, pytest.mark.integration, pytest.mark.slow]

YEAR = "2019"
ASSETS = ("chips/chips", "segmentation/raw_masks")
POOL = "gpu"

SLOT_SECONDS = 60.0
"""Time after which a slot of a killed process is free."""

WATCHED = 8.0
"""Seconds for which it is looked what waiting costs."""

MOST_CPU = 0.05
"""Share of a core that waiting may cost."""


def without(chain: Chain, *regions: str) -> None:
    """Take away what the tests have made again."""
    for asset in ASSETS:
        for region in regions:
            shutil.rmtree(chain.folder / "lake" / asset / region / YEAR)


def masks(region: str) -> PartitionRef:
    return PartitionRef("segmentation", "raw_masks", (region, YEAR))


def freed_after(instance: DagsterInstance, run_id: str) -> float:
    """Seconds until a run holds no slot any more."""
    since = time.monotonic()
    eventually(lambda: run_id not in holders(instance, POOL), "a free slot", pause=0.2)
    return time.monotonic() - since


def assert_asleep(pid: int) -> None:
    before, since = cpu_seconds(pid), time.monotonic()
    time.sleep(WATCHED)
    assert cpu_seconds(pid) - before < MOST_CPU * (time.monotonic() - since)


@pytest.fixture
def chain(finished: Chain, tmp_path: Path) -> Chain:
    return finished.copied(tmp_path / "chain")


@pytest.fixture
def daemon(chain: Chain) -> Iterator[Daemon]:
    with running_daemon(chain, UNHURRIED) as daemon:
        yield daemon


def test_a_killed_run_worker_and_a_killed_command_give_back_their_slots(chain: Chain, daemon: Daemon) -> None:
    first, second = chain.project.active_regions()
    without(chain, first, second)
    contents, began = chain.contents(), time.time()
    with daemon.instance() as instance:
        with held(chain, masks(first)):
            one = begin_backfill(chain, instance, ASSETS, [f"{first}|{YEAR}"])
            killed = wait_for_holder(instance, POOL, f"{first}|{YEAR}")
            two = begin_backfill(chain, instance, ASSETS, [f"{second}|{YEAR}"])
            waits = wait_for_message(instance, f"{second}|{YEAR}", f"which is held by run {killed[:8]}")
            assert_asleep(worker(instance, waits))
            os.kill(worker(instance, killed), signal.SIGKILL)
            assert freed_after(instance, killed) < SLOT_SECONDS
            wait_for_backfills(instance, two)
        wait_for_backfills(instance, one)
        again = instance.get_runs(dg.RunsFilter(tags={"dagster/parent_run_id": killed}))
        assert [run.status for run in again] == [dg.DagsterRunStatus.SUCCESS]
        made = made_now(instance, began)
        assert {key: made[key] for key in made if key[0] == "segmentation/raw_masks"} == {
            ("segmentation/raw_masks", f"{region}|{YEAR}"): 1 for region in (first, second)
        }
        killed_command(chain, instance, first, second)
    assert contents.items() <= chain.contents().items()


def killed_command(chain: Chain, instance: DagsterInstance, first: str, second: str) -> None:
    """The command line holds the pool, a backfill waits for it, and the command is killed."""
    without(chain, first, second)
    with held(chain, masks(first)):
        command = Command(chain, "run", "--select", "chips,raw_masks", "--regions", first, "--years", YEAR)
        killed = wait_for_holder(instance, POOL, f"{first}|{YEAR}")
        two = begin_backfill(chain, instance, ASSETS, [f"{second}|{YEAR}"])
        waits = wait_for_message(instance, f"{second}|{YEAR}", f"which is held by run {killed[:8]}")
        assert_asleep(worker(instance, waits))
        command.end(signal.SIGKILL)
        assert freed_after(instance, killed) < SLOT_SECONDS
        wait_for_backfills(instance, two)
    run = instance.get_run_by_id(killed)
    assert run is not None
    assert run.status is dg.DagsterRunStatus.FAILURE
    assert Command(chain, "run", "--select", "chips,raw_masks", "--regions", first, "--years", YEAR).end().code == 0


def test_a_killed_step_is_tried_again_in_its_run(chain: Chain) -> None:
    region = next(iter(chain.project.active_regions()))
    without(chain, region)
    with (
        running_daemon(chain, {"MINEMAP_EXECUTOR": "multiprocess", **UNHURRIED}) as daemon,
        daemon.instance() as instance,
    ):
        with held(chain, masks(region)):
            one = begin_backfill(chain, instance, ASSETS, [f"{region}|{YEAR}"])
            run_id = wait_for_holder(instance, POOL, f"{region}|{YEAR}")
            eventually(lambda: any("which makes it" in said for said in messages(instance, run_id)), "the step's wait")
            step = step_process(instance, run_id)
            assert step != worker(instance, run_id)
            assert_asleep(step)
            os.kill(step, signal.SIGKILL)
            assert freed_after(instance, run_id) < SLOT_SECONDS
            eventually(
                lambda: bool(instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_UP_FOR_RETRY)), "another try"
            )
        wait_for_backfills(instance, one)
        assert [run.run_id for run in instance.get_runs(dg.RunsFilter(tags={"dagster/backfill": one}))] == [run_id]
