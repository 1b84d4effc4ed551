"""Runs of some assets in this process, as Dagster's own `execute_in_process` makes them.

Dagster cuts the job of a selection out of the whole graph, plans it and describes it for the UI anew for every run;
here that is done once for each selection.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import dagster as dg
from dagster import DagsterInstance, DagsterRun
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import ExecuteRunWithPlanIterable, create_execution_plan, job_execution_iterator
from dagster._core.execution.context_creation_job import (
    PlanOrchestrationContextManager,
    orchestration_context_event_generator,
)
from dagster._core.execution.execute_in_process import merge_run_tags
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._core.snap import ExecutionPlanSnapshot, snapshot_from_execution_plan

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass(frozen=True)
class _Planned:
    """The job of a selection, how it is executed, and what the UI is told of that."""

    job: InMemoryJob
    plan: ExecutionPlan
    described: ExecutionPlanSnapshot


class InProcessJobs:
    """The jobs of selections of some definitions' assets."""

    def __init__(self, definitions: dg.Definitions) -> None:
        self._definitions = definitions
        self._planned: dict[frozenset[dg.AssetKey], _Planned] = {}

    def run(
        self, instance: DagsterInstance, keys: Sequence[dg.AssetKey], partition: str | None, tags: Mapping[str, str]
    ) -> bool:
        """Make one partition of some assets, or all of those that have no partitions, in one run with these tags.

        Returns whether it went well; what went wrong stands in the run.
        """
        chosen = frozenset(keys)
        if chosen not in self._planned:
            self._planned[chosen] = self._plan(chosen)
        planned = self._planned[chosen]
        own = merge_run_tags(planned.job.get_definition(), partition, tags, keys, instance, QUIET)
        run = _new_run(instance, planned, chosen, own)
        list(ExecuteRunWithPlanIterable(planned.plan, job_execution_iterator, _orchestration(instance, planned, run)))
        ended = instance.get_run_by_id(run.run_id)
        return ended is not None and ended.is_success

    def _plan(self, keys: frozenset[dg.AssetKey]) -> _Planned:
        whole = self._definitions.resolve_implicit_job_def_def_for_assets(keys)
        if whole is None:
            raise RuntimeError(f"no job holds {sorted(keys)}")
        part = whole.as_ephemeral_job(resource_defs={}, input_values={}, asset_selection=list(keys))
        plan = create_execution_plan(part, run_config=QUIET)
        return _Planned(InMemoryJob(part), plan, snapshot_from_execution_plan(plan, part.get_job_snapshot_id()))


def _new_run(
    instance: DagsterInstance, planned: _Planned, keys: frozenset[dg.AssetKey], tags: Mapping[str, str]
) -> DagsterRun:
    job = planned.job.get_definition()
    return instance.create_run(
        job_name=job.name,
        run_id=None,
        run_config=QUIET,
        status=None,
        tags={**job.run_tags, **tags},
        root_run_id=None,
        parent_run_id=None,
        step_keys_to_execute=planned.plan.step_keys_to_execute,
        execution_plan_snapshot=planned.described,
        job_snapshot=job.get_job_snapshot(),
        parent_job_snapshot=job.get_parent_job_snapshot(),
        asset_selection=keys,
        asset_check_selection=None,
        resolved_op_selection=None,
        op_selection=None,
        remote_job_origin=None,
        job_code_origin=None,
        asset_graph=job.asset_layer.asset_graph,
    )


def _orchestration(instance: DagsterInstance, planned: _Planned, run: DagsterRun) -> PlanOrchestrationContextManager:
    return PlanOrchestrationContextManager(
        context_event_generator=orchestration_context_event_generator,
        job=planned.job,
        execution_plan=planned.plan,
        run_config=QUIET,
        dagster_run=run,
        instance=instance,
        raise_on_error=False,
    )
