"""Where a step is run: what clusters are told of it, from the one tag by which a statement asks for the accelerator."""

from collections.abc import Mapping
from typing import Any

ACCELERATOR = "minemap/accelerator"
"""Tag of what computes on a GPU where it finds one; its value is `WANTED`."""

WANTED = "wanted"

RAY = "dagster-ray/config"
"""Tag that dagster-ray's executor reads: what a step is given of the cluster."""

KUBERNETES = "dagster-k8s/config"
"""Tag that dagster-k8s' executor reads: what is merged into the job of a step."""

_HIDDEN = {"CUDA_VISIBLE_DEVICES": ""}
"""A step that was given no GPU sees none, though there be one on its machine: another step has it."""


def wants_accelerator(op_tags: Mapping[str, Any]) -> bool:
    """True for the tags of a step that wants a GPU."""
    return op_tags.get(ACCELERATOR) == WANTED


def routing_tags(op_tags: Mapping[str, Any]) -> dict[str, Any]:
    """The tags of a statement, with what Ray and Kubernetes are to be told of its step.

    A step that wants the accelerator asks for one GPU; the others ask for none, and see none. Each takes one CPU of
    Ray's count, so that Ray deals steps out to its machines and does not begin them all at once. What a statement says
    for a cluster itself counts before this.
    """
    wanted = wants_accelerator(op_tags)
    return _ray(wanted) | _kubernetes(wanted) | dict(op_tags)


def _ray(wanted: bool) -> dict[str, Any]:
    given = {"num_gpus": 1} if wanted else {"runtime_env": {"env_vars": _HIDDEN}}
    return {RAY: {"num_cpus": 1, **given}}


def _kubernetes(wanted: bool) -> dict[str, Any]:
    if wanted:
        return {KUBERNETES: {"container_config": {"resources": {"limits": {"nvidia.com/gpu": "1"}}}}}
    return {KUBERNETES: {"container_config": {"env": [{"name": n, "value": v} for n, v in _HIDDEN.items()]}}}
