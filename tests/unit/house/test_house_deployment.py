"""What is deployed agrees with what runs on a laptop: the same pools, the same code location, the same variables."""

import re
from typing import Any

import pytest
import yaml

from dagster_project.environment import Environment
from dagster_project.instance import CONFIGURATION
from house import Project

OURS = ("code", "webserver", "daemon")
"""Services of compose.yaml that run this project's image."""

PROBES = {
    "postgres": "pg_isready",
    "code": "dagster api grpc-health-check",
    "webserver": "/server_info",
    "daemon": "dagster-daemon liveness-check",
}
"""What tells of each service whether it does its work."""


@pytest.fixture(scope="module")
def compose(project: Project) -> dict[str, Any]:
    parsed: dict[str, Any] = yaml.safe_load(project.text("docker/compose.yaml"))
    return parsed


def test_deployed_pools_are_those_of_a_laptop(project: Project) -> None:
    deployed, local = yaml.safe_load(project.text("docker/dagster.yaml")), yaml.safe_load(CONFIGURATION)
    assert deployed["concurrency"] == local["concurrency"]
    assert deployed["telemetry"] == {"enabled": False}
    assert deployed["nux"] == {"enabled": False}


def test_dagster_accepts_the_deployed_configuration(project: Project, tmp_path: Any) -> None:
    from dagster._core.instance.config import dagster_instance_config

    (tmp_path / "dagster.yaml").write_text(project.text("docker/dagster.yaml"))
    configuration, _ = dagster_instance_config(str(tmp_path))
    assert configuration["storage"]["postgres"]["postgres_db"]["hostname"] == {"env": "DAGSTER_POSTGRES_HOST"}


def test_every_database_variable_is_given_to_our_services(project: Project, compose: dict[str, Any]) -> None:
    asked = set(re.findall(r"env: (\w+)", project.text("docker/dagster.yaml")))
    assert len(asked) == 4
    for name in OURS:
        assert asked <= set(compose["services"][name]["environment"]), name


def test_services_restart_and_report_their_health(compose: dict[str, Any]) -> None:
    assert compose["services"].keys() == PROBES.keys() == {"postgres", *OURS}
    for name, service in compose["services"].items():
        assert service["restart"] == "unless-stopped", name
        assert PROBES[name] in " ".join(service["healthcheck"]["test"]), name


def test_health_is_asked_at_the_port_that_is_served(project: Project, compose: dict[str, Any]) -> None:
    (location,) = yaml.safe_load(project.text("docker/workspace.yaml"))["load_from"]
    code, webserver = (compose["services"][name] for name in ("code", "webserver"))
    assert code["healthcheck"]["test"][-2:] == ["--port", str(location["grpc_server"]["port"])]
    port = webserver["command"][webserver["command"].index("--port") + 1]
    assert f"127.0.0.1:{port}/" in webserver["healthcheck"]["test"][-1]
    assert webserver["ports"][0].endswith(f":{port}")


def test_only_this_machine_reaches_the_ui(compose: dict[str, Any]) -> None:
    published = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_the_code_location_is_the_same_everywhere(project: Project) -> None:
    (local,) = yaml.safe_load(project.text("workspace.yaml"))["load_from"]
    (deployed,) = yaml.safe_load(project.text("docker/workspace.yaml"))["load_from"]
    module = project.pyproject["tool"]["dg"]["project"]["code_location_target_module"]
    assert local["python_module"]["module_name"] == module
    assert local["python_module"]["location_name"] == deployed["grpc_server"]["location_name"]
    assert f'"--module-name", "{module}"' in project.text("docker/Dockerfile")


def test_the_example_environment_names_every_variable(project: Project) -> None:
    named = set(re.findall(r"^#?(MINEMAP_\w+)=", project.text(".env.example"), re.MULTILINE))
    assert named == {f"MINEMAP_{field}".upper() for field in Environment.model_fields}


def test_the_example_environment_holds_no_secret(project: Project) -> None:
    secrets = re.findall(r"^#?(\w*(?:KEY|PASSWORD|SECRET|TOKEN)\w*)=(.*)$", project.text(".env.example"), re.MULTILINE)
    assert secrets
    assert all(not value for _, value in secrets)
