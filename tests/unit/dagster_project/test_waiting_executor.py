"""Waiting for a pool inside a run: asleep, with a sentence, in both of Dagster's executors on one machine."""

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster import DagsterInstance

from dagster_project.instance import open_instance
from dagster_project.waiting_executor import waiting_in_process_executor, waiting_multiprocess_executor

POOL = "gpu"

WAITED = 6.0
"""Seconds for which the slot is held by another run."""


@dg.op(pool=POOL)
def uses_the_pool() -> None:
    """Do nothing, with the pool's only slot."""


@dg.op(retry_policy=dg.RetryPolicy(max_retries=1, delay=WAITED))
def fails_once(context: dg.OpExecutionContext) -> None:
    """Fail at the first try."""
    if context.retry_number == 0:
        raise ValueError("the first try fails")


@dg.job(executor_def=waiting_in_process_executor)
def in_process() -> None:
    """In the process of the run."""
    uses_the_pool()


@dg.job(executor_def=waiting_multiprocess_executor)
def multiprocess() -> None:
    """In processes of its steps."""
    uses_the_pool()


@dg.job(executor_def=waiting_multiprocess_executor)
def retried() -> None:
    """Tried again after a while."""
    fails_once()


JOBS = {"in_process": in_process, "multiprocess": multiprocess}


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[DagsterInstance]:
    with open_instance(tmp_path / "dagster") as instance:
        yield instance


def execute(job: dg.JobDefinition, instance: DagsterInstance) -> tuple[str, float]:
    """Run a job; gives its run's id, and the CPU seconds that this process used, without those of its children."""
    before = os.times()
    with dg.execute_job(dg.reconstructable(globals()[job.name]), instance=instance) as result:
        assert result.success
        after = os.times()
        return result.run_id, after.user + after.system - before.user - before.system


@pytest.mark.parametrize("name", JOBS)
def test_a_slot_is_waited_for_asleep_and_it_is_said_who_has_it(instance: DagsterInstance, name: str) -> None:
    _, usual = execute(JOBS[name], instance)
    other = instance.create_run_for_job(in_process, tags={"minemap/step": "masks north 2019"})
    storage = instance.event_log_storage
    assert storage.claim_concurrency_slot(POOL, other.run_id, "step").is_claimed
    timer = threading.Timer(WAITED, storage.free_concurrency_slots_for_run, [other.run_id])
    timer.start()
    begun = time.monotonic()
    run_id, used = execute(JOBS[name], instance)
    assert time.monotonic() - begun >= WAITED
    timer.join()
    assert used - usual < 0.05 * WAITED + 0.3
    said = [entry.user_message for entry in instance.all_logs(run_id)]
    who = f"uses_the_pool waits for the pool gpu, which is held by run {other.run_id[:8]}, which makes masks north 2019"
    assert said.count(who) == 1


def test_what_a_dead_process_holds_is_taken_from_it_by_whoever_waits(instance: DagsterInstance) -> None:
    from dagster_project.run_locks import PROCESS

    lock = Path(instance.root_directory) / "processes" / "1-dead.lock"
    storage = instance.event_log_storage
    dead = instance.create_run_for_job(in_process, status=dg.DagsterRunStatus.STARTED, tags={PROCESS: str(lock)})
    storage.initialize_concurrency_limit_to_default(POOL)
    assert storage.claim_concurrency_slot(POOL, dead.run_id, "step").is_claimed
    execute(in_process, instance)
    closed = instance.get_run_by_id(dead.run_id)
    assert closed is not None
    assert closed.status is dg.DagsterRunStatus.FAILURE


def test_a_step_that_is_to_be_tried_again_is_waited_for_asleep(instance: DagsterInstance) -> None:
    _, usual = execute(multiprocess, instance)
    _, used = execute(retried, instance)
    assert used - usual < 0.05 * WAITED + 0.5
