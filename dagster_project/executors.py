"""How steps are run."""

import dagster as dg

from dagster_project.environment import Environment

PRELOADED = ["torch", "transformers", "geopandas", "rasterio"]
"""Imported once in the fork server, so that a step does not pay for them again."""


def executor_for(environment: Environment) -> dg.ExecutorDefinition:
    """In-process by default; `multiprocess` runs each step in a process of its own."""
    if environment.executor == "multiprocess":
        forkserver = {"start_method": {"forkserver": {"preload_modules": PRELOADED}}}
        return dg.multiprocess_executor.configured(forkserver)
    return dg.in_process_executor
