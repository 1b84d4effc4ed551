"""Which executor the environment names, what it needs, and what its steps are told."""

import json
import sys

import dagster as dg
import pytest

from dagster_project.environment import Environment, read_environment
from dagster_project.executors import executor_for
from dagster_project.kubernetes_steps import Placement, kubernetes_steps, read_placement
from dagster_project.ray_steps import told_to_steps
from minemap_assets.errors import BadInputError, MinemapError, RetryableError
from servers.processes import free_port


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("in_process", "in_process"),
        ("local", "in_process"),
        ("multiprocess", "multiprocess"),
        ("ray", "ray"),
        ("k8s", "k8s"),
    ],
)
def test_the_environment_names_the_executor(word: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINEMAP_EXECUTOR", word)
    assert executor_for(read_environment()).name == name


def test_another_word_is_refused_with_those_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINEMAP_EXECUTOR", "dask")
    with pytest.raises(BadInputError, match=r"MINEMAP_EXECUTOR is 'dask'.*'multiprocess', 'ray' or 'k8s'"):
        read_environment()


@pytest.mark.parametrize(("extra", "module"), [("ray", "dagster_ray"), ("ray", "ray"), ("k8s", "dagster_k8s")])
def test_a_missing_extra_is_named(extra: str, module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setenv("MINEMAP_EXECUTOR", extra)
    with pytest.raises(BadInputError, match=rf"{module} cannot be imported.*pip install 'minemap\[{extra}\]'"):
        executor_for(read_environment())


@dg.op
def small() -> None:
    """Nothing."""


def small_job() -> dg.JobDefinition:
    """A job whose executor is Ray's."""

    @dg.job(executor_def=executor_for(Environment(executor="ray")))
    def only() -> None:
        small()

    return only


@pytest.mark.parametrize(
    ("address", "error", "said"),
    [
        ("", BadInputError, "RAY_ADDRESS is not set; name that of the head, such as http://head:8265"),
        ("head:6379", BadInputError, "RAY_ADDRESS is 'head:6379', which is no job server; name that of the head"),
        ("http://127.0.0.1:{port}", RetryableError, "does not answer: is the head up?"),
    ],
)
def test_a_cluster_that_cannot_be_reached_is_one_sentence(
    address: str, error: type[MinemapError], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAY_API_SERVER_ADDRESS", raising=False)
    monkeypatch.setenv("RAY_ADDRESS", address.format(port=free_port()))
    with pytest.raises(error, match=said), dg.instance_for_test() as instance:
        dg.execute_job(dg.reconstructable(small_job), instance=instance, raise_on_error=True)


def test_jobs_of_ray_are_told_where_the_project_lies_and_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PL_API_KEY", "AWS_SECRET_ACCESS_KEY", "MINEMAP_SMTP_PASSWORD"):
        monkeypatch.setenv(name, "planted")
    monkeypatch.setenv("MINEMAP_HOME", "lake")
    monkeypatch.setenv("MINEMAP_EXECUTOR", "ray")
    told = dict(one.split("=", 1) for one in told_to_steps(read_environment()))
    assert told.keys() == {"MINEMAP_HOME", "MINEMAP_STATE", "MINEMAP_EXECUTOR", "MINEMAP_CACHE_GB"}
    assert told["MINEMAP_HOME"].startswith("/")
    assert "planted" not in str(told)


def test_an_object_store_is_told_as_it_is_written() -> None:
    assert "MINEMAP_HOME=s3://bucket/lake" in told_to_steps(Environment(home="s3://bucket/lake"))


def test_a_placement_is_that_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    taint = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
    monkeypatch.setenv("MINEMAP_K8S_GPU_NODE_SELECTOR", json.dumps({"pool": "gpu"}))
    monkeypatch.setenv("MINEMAP_K8S_GPU_TOLERATIONS", json.dumps([taint]))
    placement = read_placement()
    assert placement == Placement(gpu_node_selector={"pool": "gpu"}, gpu_tolerations=[taint])


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("MINEMAP_K8S_GPU_NODE_SELECTOR", "pool=gpu", "gpu_node_selector"),
        ("MINEMAP_K8S_GPU_NODE_SELECTOR", '["gpu"]', "MINEMAP_K8S_GPU_NODE_SELECTOR is not as Kubernetes writes it"),
        ("MINEMAP_K8S_TOLERATIONS", '{"key": "a"}', "MINEMAP_K8S_TOLERATIONS is not as Kubernetes writes it"),
    ],
)
def test_a_placement_that_cannot_be_read_is_one_sentence(
    name: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(BadInputError, match=said):
        read_placement()


def test_kubernetes_is_told_nothing_of_nodes_that_nobody_named() -> None:
    assert kubernetes_steps(["segmentation__raw_masks"], Placement()).name == "k8s"
