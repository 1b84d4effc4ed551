"""Dagster's own executors on one machine, with a patient way of waiting for a slot of a pool, or to try again.

Dagster's keep a core busy meanwhile (dagster 1.13.27: the time to the next question is never above zero in process, and
the multiprocess one does not pause at all while nothing of its run goes on), and do not say who has the slot. These
sleep, say for whom they wait, and close what dead processes hold. While they run, their process holds the run's lock
file, so that it can be told whether a run that seems to go on still does (`run_locks.py`).
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import dagster as dg
from dagster import DagsterInstance
from dagster._core.definitions.executor_definition import (
    IN_PROC_CONFIG,
    MULTI_PROC_CONFIG,
    _core_in_process_executor_creation,
    _core_multiprocess_executor_creation,
)
from dagster._core.definitions.executor_definition import multiple_process_executor_requirements as across_processes
from dagster._core.events import DagsterEvent, EngineEventData
from dagster._core.execution.api import ExecuteRunWithPlanIterable
from dagster._core.execution.context.system import PlanExecutionContext, PlanOrchestrationContext
from dagster._core.execution.context_creation_job import PlanExecutionContextManager
from dagster._core.execution.plan.active import ActiveExecution
from dagster._core.execution.plan.execute_plan import inner_plan_execution_iterator
from dagster._core.execution.plan.instance_concurrency_context import InstanceConcurrencyContext
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._core.executor import multiprocess
from dagster._core.executor.in_process import InProcessExecutor
from dagster._core.executor.multiprocess import MultiprocessExecutor
from dagster._core.log_manager import DagsterLogManager

from dagster_project.run_locks import close_orphans, keep_alive, told_of

_LONGEST_PAUSE = 5.0
"""Seconds after which a slot that was taken is asked for again, at most."""

_LOOK = 0.5
"""Seconds between two looks where other things might happen meanwhile, such as being cancelled."""


class PatientConcurrencyContext(InstanceConcurrencyContext):
    """Slots of pools for a run, waited for asleep."""

    def __init__(self, instance: DagsterInstance, dagster_run: dg.DagsterRun, log: DagsterLogManager) -> None:
        super().__init__(instance, dagster_run)
        self._log = log
        self._told: dict[str, str] = {}

    def claim(self, concurrency_key: str, step_key: str, step_priority: int = 0) -> bool:
        """Take a slot if there is one. Who has it is told whenever that is somebody else than before."""
        asked = self._pending_timeouts.get(step_key)
        if super().claim(concurrency_key, step_key, step_priority):
            self._told.pop(step_key, None)
            return True
        ready_at = self._pending_timeouts[step_key]
        if ready_at != asked:
            self._pending_timeouts[step_key] = min(ready_at, time.time() + _LONGEST_PAUSE)
            self._tell(concurrency_key, step_key)
            close_orphans(self._instance)
        return False

    def interval_to_next_pending_claim_check(self) -> float:
        """Seconds until a slot is to be asked for again."""
        now = time.time()
        waits = [ready_at - now for step, ready_at in self._pending_timeouts.items() if step in self._pending_claims]
        return max(0.0, min(waits, default=0.0))

    def _tell(self, pool: str, step_key: str) -> None:
        claimed = self._instance.event_log_storage.get_concurrency_info(pool).claimed_slots
        who = " and by ".join(told_of(self._instance, slot.run_id, slot.step_key) for slot in claimed)
        if who and self._told.get(step_key) != who:
            self._told[step_key] = who
            self._log.info(f"{step_key} waits for the pool {pool}, which is held by {who}")


class PausingExecution(ActiveExecution):
    """The steps of a run, with a pause wherever all that is left waits for a slot or to be tried again."""

    def check_for_interrupts(self) -> bool:
        """True where the run is to stop; asked once in each round."""
        pause: float = 0 if self.has_in_flight_steps else self.sleep_interval()  # type: ignore[no-untyped-call]
        if pause > 0:
            time.sleep(min(pause, _LOOK))
        return super().check_for_interrupts()


class WaitingInProcessExecutor(InProcessExecutor):
    """All steps in the process of the run, one after the other."""

    def execute(self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan) -> Iterator[DagsterEvent]:
        """Run the steps."""
        keep_alive(plan_context.instance, plan_context.dagster_run)
        steps = EngineEventData.in_process(os.getpid(), execution_plan.step_keys_to_execute)
        yield DagsterEvent.engine_event(plan_context, f"Executing steps in process (pid: {os.getpid()})", steps)
        manager = PlanExecutionContextManager(
            job=plan_context.job,
            retry_mode=plan_context.retry_mode,
            execution_plan=execution_plan,
            run_config=plan_context.run_config,
            dagster_run=plan_context.dagster_run,
            instance=plan_context.instance,
            raise_on_error=plan_context.raise_on_error,
            output_capture=plan_context.output_capture,
            step_dependency_config=self.step_dependency_config,
        )
        yield from ExecuteRunWithPlanIterable(execution_plan, _in_process, manager)


def _in_process(job_context: PlanExecutionContext, execution_plan: ExecutionPlan) -> Iterator[DagsterEvent]:
    log = job_context.log
    with PatientConcurrencyContext(job_context.instance, job_context.dagster_run, log) as concurrency:
        yield from inner_plan_execution_iterator(job_context, execution_plan, concurrency)


class WaitingMultiprocessExecutor(MultiprocessExecutor):
    """Each step in a process of its own."""

    def execute(self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan) -> Iterator[DagsterEvent]:
        """Run the steps."""
        keep_alive(plan_context.instance, plan_context.dagster_run)
        with _patient(plan_context.log):
            yield from super().execute(plan_context, execution_plan)


@contextmanager
def _patient(log: DagsterLogManager) -> Iterator[None]:
    """Have Dagster's multiprocess executor use our two pieces: it makes them by name, and a process has one run."""
    ours: dict[str, Any] = {
        "InstanceConcurrencyContext": partial(PatientConcurrencyContext, log=log),
        "ActiveExecution": PausingExecution,
    }
    theirs = {name: getattr(multiprocess, name) for name in ours}
    vars(multiprocess).update(ours)
    try:
        yield
    finally:
        vars(multiprocess).update(theirs)


@dg.executor(name="in_process", config_schema=IN_PROC_CONFIG)
def waiting_in_process_executor(context: dg.InitExecutorContext) -> WaitingInProcessExecutor:
    """All steps in the process of the run; waits for pools asleep and says for whom."""
    plain = _core_in_process_executor_creation(context.executor_config)
    return WaitingInProcessExecutor(retries=plain.retries, step_dependency_config=plain.step_dependency_config)


@dg.executor(name="multiprocess", config_schema=MULTI_PROC_CONFIG, requirements=across_processes())
def waiting_multiprocess_executor(context: dg.InitExecutorContext) -> WaitingMultiprocessExecutor:
    """Each step in a process of its own; waits for pools asleep and says for whom."""
    plain = _core_multiprocess_executor_creation(context.executor_config)
    return WaitingMultiprocessExecutor(
        retries=plain.retries,
        max_concurrent=plain._max_concurrent,
        tag_concurrency_limits=plain._tag_concurrency_limits,
        start_method=plain._start_method,
        explicit_forkserver_preload=plain._explicit_forkserver_preload,
        step_dependency_config=plain.step_dependency_config,
    )
