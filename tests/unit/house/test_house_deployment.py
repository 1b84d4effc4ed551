"""What is deployed agrees with what runs on a laptop: the same pools, the same code location, the same variables."""

import re
from typing import Any

import pytest
import yaml

from dagster_project.alerts.alert_environment import AlertEnvironment, UiEnvironment
from dagster_project.environment import Environment
from dagster_project.instance import CONFIGURATION
from dagster_project.kubernetes_steps import PREFIX, Placement
from house import Project

CODE = {"code": "cpu", "code-gpu": "gpu", "code-ray": "ray"}
"""Services that serve the code location, and the profile of each."""

RAY = ("ray-head", "ray-gpu")

OURS = (*CODE, *RAY, "webserver", "daemon")
"""Services of compose.yaml that run this project's image."""

ANSWERS = "dagster api grpc-health-check"

PROBES = {
    "postgres": "pg_isready",
    **dict.fromkeys(CODE, ANSWERS),
    **dict.fromkeys(RAY, "ray health-check"),
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
    assert deployed["concurrency"]["pools"] == local["concurrency"]["pools"]
    for section in ("run_retries", "retention"):
        assert deployed[section] == local[section], section
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
    assert compose["services"].keys() == PROBES.keys()
    for name, service in compose["services"].items():
        assert service["restart"] == "unless-stopped", name
        assert PROBES[name] in " ".join(service["healthcheck"]["test"]), name


def test_one_code_server_a_profile_under_one_name(project: Project, compose: dict[str, Any]) -> None:
    (location,) = yaml.safe_load(project.text("docker/workspace.yaml"))["load_from"]
    host, port = location["grpc_server"]["host"], str(location["grpc_server"]["port"])
    for name, profile in CODE.items():
        service = compose["services"][name]
        assert service["profiles"] == [profile]
        assert service["networks"]["minemap"]["aliases"] == [host]
        words = service["command"]
        assert words[words.index("--known-as") + 1] == host
        assert words[words.index("--port") + 1] == service["healthcheck"]["test"][-1] == port
        grace = int(words[words.index("--grace") + 1])
        assert 0 < grace < 60 * int(service["stop_grace_period"].removesuffix("m"))
    assert all(compose["services"][name]["profiles"] == ["ray"] for name in RAY)
    assert all("profiles" not in compose["services"][name] for name in ("postgres", "webserver", "daemon"))


def test_health_is_asked_at_the_port_that_is_served(compose: dict[str, Any]) -> None:
    webserver = compose["services"]["webserver"]
    port = webserver["command"][webserver["command"].index("--port") + 1]
    assert f"127.0.0.1:{port}/" in webserver["healthcheck"]["test"][-1]
    assert webserver["ports"][0].endswith(f":{port}")


def test_services_are_confined(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert {"mem_limit", "cpus", "pids_limit"} <= service.keys(), name
        assert "privileged" not in service, name
        assert not any("docker.sock" in volume for volume in service["volumes"]), name


def test_accounts_of_imagery_reach_those_who_compute(project: Project, compose: dict[str, Any]) -> None:
    computing = {*CODE, *RAY}
    told = set(re.findall(r"^#?([A-Z]\w+)=", project.text(".env.example"), re.MULTILINE))
    accounts = {name for name in told if name.startswith(("PL_", "CDSE_", "PC_", "GOOGLE_"))}
    assert len(accounts) >= 6
    for name, service in compose["services"].items():
        assert ("env_file" in service) == (name in computing), name
        assert any("/secrets" in volume for volume in service["volumes"]) == (name in computing), name
        assert not accounts & set(service.get("environment", {})), name


def test_gpus_are_asked_for_where_models_run(compose: dict[str, Any]) -> None:
    with_gpu = {name for name, service in compose["services"].items() if "deploy" in service}
    assert with_gpu == {"code-gpu", "ray-gpu"}
    for name in with_gpu:
        (device,) = compose["services"][name]["deploy"]["resources"]["reservations"]["devices"]
        assert device == {"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}


def test_base_images_are_named_by_digest(project: Project, compose: dict[str, Any]) -> None:
    digest = re.compile(r"@sha256:[0-9a-f]{64}\b")
    dockerfile = project.text("docker/Dockerfile")
    (base,) = re.findall(r"^ARG PYTHON_IMAGE=(\S+)$", dockerfile, re.MULTILINE)
    assert digest.search(base)
    assert set(re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE)) == {"${PYTHON_IMAGE}"}
    assert digest.search(compose["services"]["postgres"]["image"])


def test_only_this_machine_reaches_the_ui(compose: dict[str, Any]) -> None:
    published = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_the_code_location_is_the_same_everywhere(project: Project, compose: dict[str, Any]) -> None:
    (local,) = yaml.safe_load(project.text("workspace.yaml"))["load_from"]
    (deployed,) = yaml.safe_load(project.text("docker/workspace.yaml"))["load_from"]
    module = project.pyproject["tool"]["dg"]["project"]["code_location_target_module"]
    assert local["python_module"]["module_name"] == module
    assert local["python_module"]["location_name"] == deployed["grpc_server"]["location_name"]
    assert f'"--module-name", "{module}"' in project.text("docker/Dockerfile")
    for name in CODE:
        assert compose["services"][name]["command"][-2:] == ["--module-name", module]


def test_the_example_environment_names_every_variable(project: Project) -> None:
    named = set(re.findall(r"^#?(MINEMAP_\w+)=", project.text(".env.example"), re.MULTILINE))
    read = {f"MINEMAP_{field}".upper() for field in Environment.model_fields}
    read |= {f"MINEMAP_ALERT_{field}".upper() for field in AlertEnvironment.model_fields}
    read |= {f"MINEMAP_UI_{field}".upper() for field in UiEnvironment.model_fields}
    read |= {f"{PREFIX}{field}".upper() for field in Placement.model_fields}
    assert named == read


def test_the_example_environment_names_what_compose_asks_for(project: Project) -> None:
    asked = set(re.findall(r"\$\{(\w+)", project.text("docker/compose.yaml")))
    assert asked
    assert asked <= set(re.findall(r"^#?(\w+)=", project.text(".env.example"), re.MULTILINE))


def test_the_example_environment_holds_no_secret(project: Project) -> None:
    secrets = re.findall(r"^#?(\w*(?:KEY|PASSWORD|SECRET|TOKEN)\w*)=(.*)$", project.text(".env.example"), re.MULTILINE)
    assert secrets
    assert all(not value for _, value in secrets)
