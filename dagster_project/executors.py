"""How steps are run: one executor for every run, so that what the UI and automation ask for is routed too.

Runs that the UI, a backfill or automation starts have the executor of the definitions, whatever a job's own is. Which
steps go where is in their tags (`minemap_assets/graph/routing.py`).
"""

from collections.abc import Collection
from importlib.util import find_spec
from typing import Literal

import dagster as dg

from dagster_project.environment import Environment
from dagster_project.waiting_executor import waiting_in_process_executor, waiting_multiprocess_executor
from minemap_assets.errors import BadInputError

PRELOADED = ["torch", "transformers", "geopandas", "rasterio"]
"""Imported once in the fork server, so that a step does not pay for them again."""

_ENGINES: dict[Literal["ray", "k8s"], tuple[str, ...]] = {"ray": ("dagster_ray", "ray"), "k8s": ("dagster_k8s",)}
"""What executors need that comes with the extra of their name."""


def executor_for(environment: Environment, accelerated: Collection[str] = ()) -> dg.ExecutorDefinition:
    """The executor that the environment names; `accelerated` are the ops that want a GPU.

    `in_process` runs the steps of a run one after the other in its process; `multiprocess` each in a process of its
    own, several at once, and those of one pool (the accelerator, the database, an account) one at a time; `ray` and
    `k8s` as jobs of a cluster. Raises `BadInputError` where the packages for that are not installed.
    """
    match environment.executor:
        case "multiprocess":
            forkserver = {"start_method": {"forkserver": {"preload_modules": PRELOADED}}}
            return waiting_multiprocess_executor.configured(forkserver, name="multiprocess")
        case "ray":
            _check_installed("ray")
            from dagster_project.ray_steps import ray_steps

            return ray_steps(environment)
        case "k8s":
            _check_installed("k8s")
            from dagster_project.kubernetes_steps import kubernetes_steps, read_placement

            return kubernetes_steps(accelerated, read_placement())
        case "in_process":
            return waiting_in_process_executor


def _check_installed(extra: Literal["ray", "k8s"]) -> None:
    missing = [module for module in _ENGINES[extra] if find_spec(module) is None]
    if missing:
        raise BadInputError(
            f"MINEMAP_EXECUTOR is {extra}, and {' and '.join(missing)} cannot be imported; "
            f"install what it needs with: pip install 'minemap[{extra}]'"
        )
