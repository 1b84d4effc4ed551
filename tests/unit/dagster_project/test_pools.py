"""Waiting for a pool: asleep, with a sentence, and not for ever."""

import os
import resource
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster import DagsterInstance

from dagster_project.instance import open_instance
from dagster_project.pools import pool_turn
from minemap_assets.errors import BusyError
from minemap_assets.lake.store import Patience

POOL = "gpu"


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[DagsterInstance]:
    with open_instance(tmp_path / "dagster") as instance:
        yield instance


def claim(instance: DagsterInstance, run: str) -> None:
    """Take the pool's only slot, as a step of a run does."""
    storage = instance.event_log_storage
    storage.initialize_concurrency_limit_to_default(POOL)
    assert storage.claim_concurrency_slot(POOL, run, "step").is_claimed


def cpu_seconds() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_utime


def test_a_free_pool_is_not_waited_for(instance: DagsterInstance) -> None:
    told: list[str] = []
    with pool_turn(instance, {POOL}, Patience(0.0, told.append)):
        pass
    assert told == []


def test_processes_of_the_command_line_take_turns_and_say_for_whom_they_wait(instance: DagsterInstance) -> None:
    told: list[str] = []
    order: list[str] = []
    inside = threading.Event()

    def first() -> None:
        with pool_turn(instance, {POOL}, Patience(), "masks north 2019"):
            inside.set()
            time.sleep(1.0)
            order.append("first")

    thread = threading.Thread(target=first)
    thread.start()
    inside.wait()
    before = cpu_seconds()
    with pool_turn(instance, {POOL}, Patience(60.0, told.append)):
        order.append("second")
    assert cpu_seconds() - before < 0.5
    thread.join()
    assert order == ["first", "second"]
    assert len(told) == 1
    assert f"process {os.getpid()}" in told[0]
    assert told[0].endswith(", which makes masks north 2019 and holds the pool gpu")


def test_a_slot_of_another_run_is_waited_for_and_not_for_ever(instance: DagsterInstance) -> None:
    run = instance.create_run_for_job(dg.JobDefinition(graph_def=dg.GraphDefinition(name="other")))
    claim(instance, run.run_id)
    told: list[str] = []
    with (
        pytest.raises(BusyError, match=rf"the pool gpu is held by run {run.run_id[:8]}; run the same command again"),
        pool_turn(instance, {POOL}, Patience(0.5, told.append)),
    ):
        pytest.fail("it began though the slot was taken")
    assert told == [f"run {run.run_id[:8]}, which holds the pool gpu"]
    instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
    with pool_turn(instance, {POOL}, Patience(0.0)):
        pass
