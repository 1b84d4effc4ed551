"""Dependencies: each has a reason, all are locked, and the lock installs on any machine."""

import re

import pytest
from packaging.requirements import Requirement

from house import Project, normalised

MISSION = (
    "dagster",
    "dagster-webserver",
    "earthengine-api",
    "planet",
    "torch",
    "transformers",
    "rasterio",
    "geopandas",
    "duckdb",
)
"""What the project is built on; all of it is core."""

ACCELERATOR = re.compile(r"^(nvidia|cuda|triton)")
"""Packages that a build of torch brings where it needs them."""


def test_the_packages_of_the_mission_are_core(project: Project) -> None:
    core = {normalised(r.name) for r in project.requirements()}
    assert core.issuperset(MISSION)


def test_every_direct_dependency_has_a_lower_bound_and_a_reason(project: Project) -> None:
    text, wrong = project.text("pyproject.toml"), []
    for requirement in _direct(project):
        line = next(line for line in text.splitlines() if line.strip().startswith(f'"{requirement}"'))
        if not any(s.operator == ">=" for s in Requirement(requirement).specifier):
            wrong.append(f"{requirement} has no lower bound")
        if not re.search(r'",\s*#\s*\S.{10,}', line):
            wrong.append(f"{requirement} has no reason")
    assert not wrong, "\n".join(wrong)


def test_the_lock_holds_the_core_and_what_the_tests_need(project: Project) -> None:
    table = project.pyproject["project"]
    wrong = []
    for line in [*table["dependencies"], *table["optional-dependencies"]["dev"]]:
        requirement = Requirement(line)
        version = project.locked.get(normalised(requirement.name))
        if version is None or not requirement.specifier.contains(version):
            wrong.append(f"{line} is locked as {version}: run `make lock`")
    assert not wrong, "\n".join(wrong)


def test_the_lock_installs_on_any_machine(project: Project) -> None:
    pins = [line for line in project.text("requirements.lock").splitlines() if line and not line.startswith("#")]
    assert all(re.match(r"^[A-Za-z0-9._-]+(\[[\w,-]+\])?==[\w.!]+( ; .+)?$", pin) for pin in pins)
    assert not [name for name in project.locked if ACCELERATOR.match(name)]
    assert project.locked["torch"].local is None


def test_the_packages_of_dagster_are_one_release(project: Project) -> None:
    core = {"dagster", "dagster-webserver", "dagster-graphql", "dagster-dg-cli"}
    assert len({project.locked[name] for name in core}) == 1


@pytest.mark.parametrize("script", ["minemap"])
def test_the_command_is_installed(project: Project, script: str) -> None:
    from importlib.metadata import entry_points

    (found,) = entry_points(group="console_scripts", name=script)
    assert found.value == project.pyproject["project"]["scripts"][script]


def _direct(project: Project) -> list[str]:
    table = project.pyproject["project"]
    return [*table["dependencies"], *(line for extra in table["optional-dependencies"].values() for line in extra)]
