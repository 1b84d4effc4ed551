"""Steps as jobs of a Ray cluster, each on a machine that has what its tags ask for.

The tags are those of `minemap_assets/graph/routing.py`.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
from dagster._core.definitions.executor_definition import multiple_process_executor_requirements
from dagster._core.events import DagsterEvent
from dagster._core.execution.context.system import PlanOrchestrationContext
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._core.execution.retries import RetryMode
from dagster._core.executor.step_delegating import StepDelegatingExecutor

from dagster_project.environment import Environment
from dagster_project.run_locks import keep_alive
from minemap_assets.errors import BadInputError, RetryableError

if TYPE_CHECKING:
    from ray.job_submission import JobSubmissionClient

ADDRESSES = ("RAY_API_SERVER_ADDRESS", "RAY_ADDRESS")
"""Variables in which Ray itself looks for its job server; the first that is set counts."""

HEALTH_SECONDS = 5
"""After so long a step that died with its machine is noticed, and begun anew as its retry policy says."""


class RaySteps(StepDelegatingExecutor):
    """Each step as a job of the cluster, watched from the process of the run."""

    def execute(self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan) -> Iterator[DagsterEvent]:
        """Run the steps."""
        keep_alive(plan_context.instance, plan_context.dagster_run)
        yield from super().execute(plan_context, execution_plan)


def ray_steps(environment: Environment) -> dg.ExecutorDefinition:
    """The executor: each step is a job of the cluster that RAY_ADDRESS names.

    It is dagster-ray's way to run a step, without its executor's settings: CPUs, GPUs or memory that are named there
    count for every step, before the tags of any.
    """

    @dg.executor(name="ray", requirements=multiple_process_executor_requirements())
    def ray(_: dg.InitExecutorContext) -> RaySteps:
        from dagster_ray.core.executor import RayStepHandler

        handler = RayStepHandler(
            client=_job_server(),
            env_vars=list(told_to_steps(environment)),
            runtime_env=None,
            num_cpus=None,
            num_gpus=None,
            memory=None,
            resources=None,
        )
        return RaySteps(
            handler,
            retries=RetryMode.ENABLED,
            check_step_health_interval_seconds=HEALTH_SECONDS,
            should_verify_step=True,
        )

    return ray


def told_to_steps(environment: Environment) -> Sequence[str]:
    """Variables that a step finds as the run has them, as `NAME=value`.

    No credentials: what a job is told can be read in Ray's dashboard. Those have to be in the environment of the
    machines. Lake and state have the same address everywhere.
    """
    home = environment.home if "://" in environment.home else str(Path(environment.home).expanduser().absolute())
    told = {
        "MINEMAP_HOME": home,
        "MINEMAP_STATE": str(environment.state.expanduser().absolute()),
        "MINEMAP_EXECUTOR": environment.executor,
        "MINEMAP_CACHE_GB": str(environment.cache_gb),
        "MINEMAP_CONTACT": environment.contact,
        "MINEMAP_SAMPLE": str(environment.sample or ""),
    }
    return [f"{name}={value}" for name, value in told.items() if value]


def _job_server() -> "JobSubmissionClient":
    """Ray's job server. Raises `BadInputError` where none is named, and `RetryableError` where it does not answer."""
    from ray.job_submission import JobSubmissionClient

    address = next((value for name in ADDRESSES if (value := os.environ.get(name))), "")
    if not address.startswith(("http://", "https://")):
        named = f"RAY_ADDRESS is {address!r}, which is no job server" if address else "RAY_ADDRESS is not set"
        raise BadInputError(f"{named}; name that of the head, such as http://head:8265 (MINEMAP_EXECUTOR is ray)")
    try:
        return JobSubmissionClient(address)
    except ConnectionError as error:
        raise RetryableError(f"Ray's job server at {address} (RAY_ADDRESS) does not answer: is the head up?") from error
    except RuntimeError as error:
        raise BadInputError(f"Ray's job server at {address} (RAY_ADDRESS) refuses: {error}") from error
