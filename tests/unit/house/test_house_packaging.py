"""Dependencies: each is used, each has a reason that holds, all are locked, and the lock installs on any machine."""

import json
import re
import subprocess
from collections import Counter
from collections.abc import Callable, Mapping
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from house import ROOT, Project, normalised

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

REASON = re.compile(r'^\s*"(?P<requirement>[^"]+)",?\s*#\s*(?P<reason>\S.{10,})$', re.MULTILINE)

Bounds = Mapping[str, Version]


def lower_bound(requirement: Requirement) -> Version | None:
    """The oldest version that a requirement admits, where it says one."""
    return next((Version(s.version) for s in requirement.specifier if s.operator in (">=", "==")), None)


def asked_for(name: str, bounds: Bounds, asking: str) -> bool:
    """Our bound is that of an installed package's own metadata."""
    wanted = [Requirement(line) for line in requires(asking) or ()]
    return any(normalised(w.name) == name and lower_bound(w) == bounds[name] for w in wanted)


def one_release(name: str, bounds: Bounds) -> bool:
    """Our bound is that of dagster."""
    return bounds[name] == bounds["dagster"]


def numbered(name: str, bounds: Bounds, ours: str, dagster: str) -> bool:
    """Our bound and that of dagster are of these lines."""
    return (bounds[name].minor, bounds["dagster"].minor) == (int(ours), int(dagster))


def first_for(_name: str, _bounds: Bounds, python: str) -> bool:
    """The Python of the reason is the newest that the project admits; a newer one needs newer bounds."""
    admitted = SpecifierSet(Project().pyproject["project"]["requires-python"])
    return f"3.{max(minor for minor in range(30) if admitted.contains(f'3.{minor}'))}" == python


CLAIMS: dict[str, Callable[..., bool]] = {
    r"what ([\w-]+)(?: [\d.]+)? asks for": asked_for,
    r"released together with dagster": one_release,
    r"numbered 0\.(\d+)\.x where dagster is 1\.(\d+)\.x": numbered,
    r"first (?:with wheels for|to support) Python (3\.\d+)": first_for,
}
"""What a reason may say that can be checked here."""


def faults(reasons: Mapping[str, str]) -> list[str]:
    """Reasons by requirement that are not true, and those that only repeat another's."""
    parsed = {line: Requirement(line) for line in reasons}
    found = {normalised(r.name): lower_bound(r) for r in parsed.values()}
    bounds = {name: bound for name, bound in found.items() if bound is not None}
    wrong, unchecked = [], []
    for line, requirement in parsed.items():
        name = normalised(requirement.name)
        claims = [(check, said) for text, check in CLAIMS.items() if (said := re.search(text, reasons[line]))]
        wrong += [
            f'{line}: "{said.group()}" is not so' for check, said in claims if not check(name, bounds, *said.groups())
        ]
        if not claims:
            unchecked.append(line)
    times = Counter(reasons[line] for line in unchecked)
    return wrong + [f"{line} repeats another's reason" for line in unchecked if times[reasons[line]] > 1]


def test_the_packages_of_the_mission_are_core(project: Project) -> None:
    core = {normalised(r.name) for r in project.requirements()}
    assert core.issuperset(MISSION)


@pytest.mark.parametrize(
    ("requirement", "reason"),
    [
        ("rich>=12.0", "what typer asks for"),
        ("rich>=13.8", "what shapely asks for"),
        ("dagster-webserver>=1.12", "released together with dagster, and must be the same release"),
        ("dagster-k8s>=0.28.1", "numbered 0.29.x where dagster is 1.13.x"),
        ("pyproj>=3.6", "first with wheels for Python 3.12"),
        ("zarr>=3.0", "the release that was tested"),
    ],
)
def test_a_reason_that_does_not_hold_is_found(requirement: str, reason: str) -> None:
    others = {
        "dagster>=1.13.27": "the release on which automation was verified",
        "numpy>=2.1": "first with wheels for Python 3.13",
        "pillow>=11.0": "first with wheels for Python 3.13",
        "affine>=3.0": "the release that was tested",
    }
    assert not faults(others)
    assert faults(others | {requirement: reason})


def test_every_direct_dependency_has_a_lower_bound_and_a_reason_that_holds(project: Project) -> None:
    written = {m["requirement"]: m["reason"] for m in REASON.finditer(project.text("pyproject.toml"))}
    direct = _direct(project)
    wrong = [f"{line} has no lower bound" for line in direct if lower_bound(Requirement(line)) is None]
    wrong += [f"{line} has no reason" for line in direct if line not in written]
    wrong += faults({line: written[line] for line in direct if line in written})
    assert not wrong, "\n".join(wrong)


def test_every_exemption_of_the_dependency_check_is_needed_and_has_a_reason(project: Project, tmp_path: Path) -> None:
    """Without its exemptions deptry finds just what they name."""
    exempt: dict[str, list[str]] = project.pyproject["tool"]["deptry"]["per_rule_ignores"]
    (checked,) = re.findall(r"^\t(\.venv/bin/deptry \. .*)$", project.text("Makefile"), re.MULTILINE)
    report = tmp_path / "deptry.json"
    command = [*checked.split(), "--per-rule-ignores", "DEP001=nothing", "--json-output", str(report)]
    subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    found = json.loads(report.read_text())
    assert {(f["error"]["code"], f["module"]) for f in found} == {(c, n) for c, names in exempt.items() for n in names}
    section = project.text("pyproject.toml").split("[tool.deptry.per_rule_ignores]")[1].split("\n[")[0]
    reasoned = {m["requirement"] for m in REASON.finditer(section)}
    assert reasoned == {name for names in exempt.values() for name in names}


def test_the_lock_holds_the_core_and_what_the_tests_need(project: Project) -> None:
    table = project.pyproject["project"]
    extras = table["optional-dependencies"]
    wrong = []
    locked = ("dev", "open-weights", "clouds", "ray", "k8s", "postgres")
    for line in [*table["dependencies"], *(line for extra in locked for line in extras[extra])]:
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
