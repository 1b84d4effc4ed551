"""The example of Helm values: what of it can be checked without a cluster."""

import json
import re
from typing import Any

import kubernetes_validate
import pytest
import yaml
from dagster._config import process_config
from dagster._core.instance.config import dagster_instance_config_schema
from dagster_k8s import K8sRunLauncher

from dagster_project.environment import Environment
from dagster_project.kubernetes_steps import PREFIX, Placement
from house import Project

Values = dict[str, Any]

KUBERNETES = "1.33"


@pytest.fixture(scope="module")
def checkout() -> Project:
    return Project()


@pytest.fixture(scope="module")
def values(checkout: Project) -> Values:
    parsed: Values = yaml.safe_load(checkout.text("docker/helm-values.yaml"))
    return parsed


@pytest.fixture(scope="module")
def location(values: Values) -> Values:
    """The code location."""
    (only,) = values["dagster-user-deployments"]["deployments"]
    assert isinstance(only, dict)
    return only


def in_snake_case(value: Any) -> Any:
    """With the names of dagster.yaml, as the chart's templates write it."""
    if isinstance(value, dict):
        return {re.sub(r"(?<=[a-z0-9])([A-Z])", lambda m: f"_{m[1].lower()}", n): v for n, v in value.items()}
    return value


def test_it_says_at_its_top_how_far_it_was_validated(checkout: Project) -> None:
    head = checkout.text("docker/helm-values.yaml").split("\n\n")[0]
    assert "VALIDATED BY SCHEMA ONLY" in head
    assert f"--version {checkout.locked['dagster']} " in head


def test_dagster_k8s_accepts_the_launcher(values: Values) -> None:
    config = in_snake_case(values["runLauncher"]["config"]["k8sRunLauncher"])
    config["run_k8s_config"] = in_snake_case(config["run_k8s_config"])
    added = {"service_account_name": "minemap", "instance_config_map": "minemap", "dagster_home": "/opt/dagster"}
    outcome = process_config(K8sRunLauncher.config_type(), config | added)
    assert outcome.success, outcome.errors
    assert not process_config(K8sRunLauncher.config_type(), config | added | {"gpus": 1}).success


def test_dagster_accepts_what_goes_into_its_configuration(values: Values) -> None:
    daemon = values["dagsterDaemon"]
    monitoring, retries = in_snake_case(daemon["runMonitoring"]), in_snake_case(daemon["runRetries"])
    schema = dagster_instance_config_schema()
    written = {"run_monitoring": monitoring, "run_retries": retries, **values["additionalInstanceConfig"]}
    outcome = process_config({name: schema[name] for name in written}, written)
    assert outcome.success, outcome.errors


def test_pools_and_limits_are_those_of_the_compose_file(checkout: Project, values: Values) -> None:
    deployed = yaml.safe_load(checkout.text("docker/dagster.yaml"))["concurrency"]
    assert values["additionalInstanceConfig"]["concurrency"]["pools"] == deployed["pools"]
    queue = values["dagsterDaemon"]["runCoordinator"]["config"]["queuedRunCoordinator"]
    assert queue["tagConcurrencyLimits"] == deployed["runs"]["tag_concurrency_limits"]


def test_the_api_accepts_the_pod_of_the_code_location(location: Values) -> None:
    taken = ("env", "volumeMounts", "securityContext", "resources")
    container = {"name": location["name"], "image": "minemap", **{name: location[name] for name in taken}}
    container["envFrom"] = [{"secretRef": secret} for secret in location["envSecrets"]]
    container["ports"] = [{"containerPort": location["port"]}]
    pod = {
        "containers": [container],
        "volumes": location["volumes"],
        "securityContext": location["podSecurityContext"],
    }
    manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "minemap"}, "spec": pod}
    kubernetes_validate.validate(manifest, KUBERNETES, strict=True)


def test_every_variable_is_one_that_the_project_reads(location: Values) -> None:
    read = {f"MINEMAP_{name}".upper() for name in Environment.model_fields}
    placement = {f"{PREFIX}{name}".upper(): name for name in Placement.model_fields}
    given = {variable["name"]: variable["value"] for variable in location["env"]}
    assert given.keys() <= read | placement.keys()
    assert given["MINEMAP_EXECUTOR"] == "k8s"
    Placement.model_validate({placement[name]: json.loads(v) for name, v in given.items() if name in placement})


def test_credentials_reach_the_code_location_alone_and_stand_nowhere(values: Values, location: Values) -> None:
    assert location["includeConfigInLaunchedRuns"] == {"enabled": True}
    assert location["envSecrets"] == [{"name": "minemap-credentials"}]
    for service in ("dagsterWebserver", "dagsterDaemon"):
        assert not {"env", "envSecrets", "envConfigMaps"} & values[service].keys()
        assert values[service]["image"] == location["image"]
    assert not re.findall(r"(?i)(?:key|password|token|secret)\w*\": \"[^\"]", json.dumps(values["postgresql"]))


def test_the_ui_is_not_published(values: Values) -> None:
    assert values["dagsterWebserver"]["service"]["type"] == "ClusterIP"
    assert "ingress" not in values
