"""Steps as jobs of a Kubernetes cluster, and which of its machines they may be put on."""

from collections.abc import Collection, Mapping
from typing import Any

import dagster as dg
from pydantic import Field, JsonValue, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from minemap_assets.errors import BadInputError

PREFIX = "MINEMAP_K8S_"


class Placement(BaseSettings):
    """Where pods may be put, as Kubernetes writes it, in JSON; the `gpu_` ones are for steps that ask for a GPU."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_file=".env", extra="ignore", frozen=True)
    node_selector: dict[str, str] = Field({}, description="Labels of the nodes of every step")
    tolerations: list[dict[str, JsonValue]] = Field([], description="Taints that every step bears")
    gpu_node_selector: dict[str, str] = Field({}, description="Labels of the nodes with GPUs, beside or instead")
    gpu_tolerations: list[dict[str, JsonValue]] = Field([], description="Taints that steps with a GPU bear as well")


def read_placement() -> Placement:
    """The placement that the environment names. Raises `BadInputError` with the variable that is wrong."""
    try:
        return Placement()
    except ValidationError as error:
        first = error.errors()[0]
        name = f"{PREFIX}{first['loc'][0]}".upper()
        raise BadInputError(f"{name} is not as Kubernetes writes it ({first['msg']})") from error
    except SettingsError as error:
        raise BadInputError(f"{PREFIX}... holds what is no JSON ({error}); write it as {_EXAMPLE}") from error


_EXAMPLE = f"""{PREFIX}GPU_NODE_SELECTOR='{{"pool": "gpu"}}'"""


def kubernetes_steps(accelerated: Collection[str], placement: Placement) -> dg.ExecutorDefinition:
    """The executor: each step is a job, with what its tags ask for (`minemap_assets/graph/routing.py`).

    `accelerated` are the names of the ops that ask for a GPU. What else a job needs, such as image, volumes and
    secrets, is that of the run it belongs to.
    """
    from dagster_k8s import k8s_job_executor

    own = _pod(placement.gpu_node_selector, placement.gpu_tolerations)
    return k8s_job_executor.configured(
        {
            "step_k8s_config": _pod(placement.node_selector, placement.tolerations),
            "per_step_k8s_config": dict.fromkeys(sorted(accelerated), own) if own else {},
            "retries": {"enabled": {}},
        },
        name="k8s",
    )


def _pod(node_selector: Mapping[str, str], tolerations: Collection[Mapping[str, JsonValue]]) -> dict[str, Any]:
    placed = {"node_selector": dict(node_selector), "tolerations": [dict(one) for one in tolerations]}
    given = {name: value for name, value in placed.items() if value}
    return {"pod_spec_config": given} if given else {}
