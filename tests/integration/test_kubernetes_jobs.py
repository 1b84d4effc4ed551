"""Steps on Kubernetes: the jobs that are submitted to its API, checked against its schemas, and run."""

import json
import os
import shutil
import sys
import urllib.request
from pathlib import Path
from typing import Any

import dagster as dg
import kubernetes_validate
import pytest
import yaml
from dagster import DagsterInstance

from daemons import MODULE, PATIENCE, wait_until
from mutations import mutated
from servers import processes
from servers.processes import free_port, running
from tiny import YEARS, Chain

pytestmark = [pytest.mark.integration, pytest.mark.slow]

Manifest = dict[str, Any]

IMAGE = "registry.example/minemap:1"
PER_STEP = {"segmentation__raw_masks": True, "polygons__raw_polygons": False}
"""Whether a step asks for a GPU."""

VERSIONS = ("1.33", "1.37")
"""Kubernetes' API as it is in these."""

PLACEMENT: dict[str, Any] = {
    "MINEMAP_K8S_NODE_SELECTOR": {"pool": "general"},
    "MINEMAP_K8S_GPU_NODE_SELECTOR": {"pool": "gpu"},
    "MINEMAP_K8S_GPU_TOLERATIONS": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
}

LAUNCH = """
mutation Launch($params: ExecutionParams!) {
  launchRun(executionParams: $params) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
  }
}
"""


def kubeconfig(folder: Path, port: int) -> Path:
    """What a client needs to reach the stand-in."""
    named = {"name": "here", "cluster": {"server": f"http://127.0.0.1:{port}"}}
    context = {"name": "here", "context": {"cluster": "here", "user": "tester"}}
    written = {
        "clusters": [named],
        "contexts": [context],
        "users": [{"name": "tester", "user": {}}],
        "current-context": "here",
    }
    path = folder / "kubeconfig.yaml"
    path.write_text(yaml.safe_dump({"apiVersion": "v1", "kind": "Config", **written}))
    return path


def configured(chain: Chain, port: int) -> None:
    """Have the instance launch its runs on the cluster, with what every job needs."""
    home = chain.environment.dagster_home
    own = chain.environment
    variables = {"MINEMAP_HOME": own.home, "MINEMAP_STATE": str(own.state), "MINEMAP_EXECUTOR": "k8s"}
    variables |= {name: json.dumps(value) for name, value in PLACEMENT.items()}
    launcher = {
        "load_incluster_config": False,
        "kubeconfig_file": str(kubeconfig(chain.folder, port)),
        "service_account_name": "minemap",
        "instance_config_map": "minemap-instance",
        "dagster_home": str(home),
        "job_namespace": "mines",
        "job_image": IMAGE,
        "env_secrets": ["minemap-credentials"],
        "env_vars": [f"{name}={value}" for name, value in variables.items()],
        "resources": {"limits": {"memory": "8Gi"}, "requests": {"cpu": "1", "memory": "4Gi"}},
    }
    config = {
        "telemetry": {"enabled": False},
        "run_launcher": {"module": "dagster_k8s", "class": "K8sRunLauncher", "config": launcher},
        # launches at once, without a daemon
        "run_coordinator": {"module": "dagster.core.run_coordinator", "class": "DefaultRunCoordinator"},
    }
    (home / "dagster.yaml").write_text(yaml.safe_dump(config))


def launched(chain: Chain, partition: str) -> str:
    """Launch a run of the steps for a partition as the UI does; its id."""
    assets = [{"path": step.split("__")} for step in PER_STEP]
    selector = {"repositoryLocationName": MODULE, "repositoryName": "__repository__", "pipelineName": "__ASSET_JOB"}
    metadata = {"tags": [{"key": "dagster/partition", "value": partition}]}
    params = {"selector": {**selector, "assetSelection": assets}, "mode": "default", "executionMetadata": metadata}
    own = chain.environment
    variables = {"MINEMAP_HOME": own.home, "MINEMAP_STATE": str(own.state), "DAGSTER_HOME": str(own.dagster_home)}
    env = {**os.environ, **variables, "MINEMAP_EXECUTOR": "k8s"}
    return str(mutated(LAUNCH, params, MODULE, chain.folder, env)["run"]["runId"])


def container(job: Manifest) -> Manifest:
    """The only container of a job."""
    (only,) = job["spec"]["template"]["spec"]["containers"]
    assert isinstance(only, dict)
    return only


def gpus(job: Manifest) -> str | None:
    """The GPUs that a job may use."""
    found: str | None = container(job)["resources"]["limits"].get("nvidia.com/gpu")
    return found


def test_each_step_is_a_job_that_the_api_accepts_and_model_steps_alone_have_a_gpu(
    finished: Chain, tmp_path: Path
) -> None:
    chain = finished.copied(tmp_path / "chain")
    wanted = finished.contents()
    region, year = sorted(chain.project.active_regions())[0], str(YEARS[-1])
    for step in PER_STEP:
        room, asset = step.split("__")
        shutil.rmtree(chain.folder / "lake" / room / asset / region / year)
    port = free_port()
    script = Path(processes.__file__).with_name("kubernetes_jobs.py")
    with running([sys.executable, str(script), str(port), str(tmp_path)], port):
        configured(chain, port)
        run_id = launched(chain, f"{region}|{year}")
        with DagsterInstance.from_config(str(chain.environment.dagster_home)) as instance:
            wait_until(
                lambda: (run := instance.get_run_by_id(run_id)) is not None and run.is_finished,
                "the run's end",
                3 * PATIENCE,
            )
            run = instance.get_run_by_id(run_id)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/jobs") as answer:
            jobs: list[Manifest] = json.load(answer)
    printed = "\n".join(path.read_text() for path in sorted(tmp_path.glob("*.log")))
    assert run is not None
    assert run.status is dg.DagsterRunStatus.SUCCESS, printed
    assert chain.contents() == wanted
    steps = {job["metadata"]["labels"].get("dagster/op", ""): job for job in jobs}
    assert steps.keys() == {"", *PER_STEP}
    for job in jobs:
        for version in VERSIONS:
            kubernetes_validate.validate(job, version, strict=True)
        _check_alike(job)
    _check_placed(steps)


def _check_alike(job: Manifest) -> None:
    """Every job has the image, its limits, and its credentials by reference alone."""
    only = container(job)
    assert only["image"] == IMAGE
    assert only["resources"]["limits"]["memory"] == "8Gi"
    assert {"secretRef": {"name": "minemap-credentials"}} in only["envFrom"]
    assert job["metadata"].get("namespace", "mines") == "mines"


def _check_placed(steps: dict[str, Manifest]) -> None:
    """The run and plain steps ask for no GPU, and plain steps see none; model steps go where the GPUs are."""
    model, plain, run = (steps[name] for name in (*PER_STEP, ""))
    assert [gpus(job) for job in (model, plain, run)] == ["1", None, None]
    hidden = {"name": "CUDA_VISIBLE_DEVICES", "value": ""}
    assert [hidden in container(job)["env"] for job in (model, plain, run)] == [False, True, False]
    pods = [job["spec"]["template"]["spec"] for job in (model, plain)]
    assert [pod["nodeSelector"] for pod in pods] == [{"pool": "gpu"}, {"pool": "general"}]
    assert [pod.get("tolerations", []) for pod in pods] == [PLACEMENT["MINEMAP_K8S_GPU_TOLERATIONS"], []]


def test_a_job_that_the_api_would_refuse_is_refused() -> None:
    pod = {"restartPolicy": "Never", "containers": [{"name": "dagster", "image": IMAGE, "gpus": 1}]}
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "one"}, "spec": {"template": {"spec": pod}}}
    with pytest.raises(kubernetes_validate.ValidationError, match="gpus"):
        kubernetes_validate.validate(job, VERSIONS[0], strict=True)
