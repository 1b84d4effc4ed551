"""Who may import whom: data flows through the rooms in one direction, and only the doors know Dagster."""

import ast
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from house import Project, normalised

ROOMS = (
    "geo",
    "reference",
    "sites",
    "imagery",
    "chips",
    "segmentation",
    "polygons",
    "tables",
    "validation",
    "detection",
    "publication",
)
"""In the order data flows."""

SIMULATION_READS = ("geo", "reference", "sites", "imagery")
BASE = frozenset({"errors", "workspaces", "stores", "object_store", "manifests", "lake", "columns"})
"""Modules below every room."""

DOORS = frozenset({"assets", "checks", "io_managers", "partitions"})
"""The only modules of `minemap_assets` that know Dagster."""

HEAVY = ("torch", "transformers", "rasterio", "ee", "planet", "zarr", "duckdb", "matplotlib")
"""Imported where they are used, so that the code server starts light."""


@dataclass(frozen=True)
class Import:
    """One imported module, and where."""

    module: str
    line: int


def imports(tree: ast.Module, package: str) -> list[Import]:
    """All modules a file names in import statements, at any depth; `from a import b` names both `a` and `a.b`."""
    found: list[Import] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [Import(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*parts, *([node.module] if node.module else [])])
            found += [Import(base, node.lineno)]
            found += [Import(f"{base}.{alias.name}", node.lineno) for alias in node.names]
    return found


def package_of(path: Path) -> str:
    return ".".join(path.parent.parts)


def layer(module: str) -> str:
    """What a module of `minemap_assets` is: door, base, frame, the name of its room, or empty for the package."""
    parts = module.split(".")[1:]
    if not parts:
        return ""
    if parts[0] in (*ROOMS, "simulation"):
        return "door" if len(parts) == 2 and parts[1] in DOORS else parts[0]
    return "door" if parts[0] in DOORS else "base" if parts[0] in BASE else "frame"


def allowed(importer: str) -> frozenset[str]:
    """Layers that a module may import from."""
    kind, parts = layer(importer), importer.split(".")
    if kind == "door":
        return frozenset({"", "door", "base", "frame", *ROOMS})
    if kind in ("base", ""):
        return frozenset({"", "base"})
    if kind == "frame":
        return frozenset({"", "base", "frame", *ROOMS})
    earlier = SIMULATION_READS if kind == "simulation" else ROOMS[: ROOMS.index(kind)]
    frame = {"frame"} if parts[2:] == ["recipes"] else set[str]()
    return frozenset({"", "base", kind, *earlier, *frame})


def misdirected(path: Path, tree: ast.Module) -> list[str]:
    module = ".".join(path.with_suffix("").parts).removesuffix(".__init__")
    wrong = []
    for imported in imports(tree, package_of(path)):
        if imported.module.split(".")[0] == "dagster_project":
            wrong.append(f"{path}:{imported.line} imports {imported.module}, which drives it")
        if imported.module.split(".")[0] == "minemap_assets" and layer(imported.module) not in allowed(module):
            wrong.append(f"{path}:{imported.line} imports {imported.module}")
    return wrong


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("minemap_assets/sites/x.py", "from minemap_assets.chips import tiling"),
        ("minemap_assets/sites/x.py", "import minemap_assets.imagery.source"),
        ("minemap_assets/sites/x.py", "from minemap_assets import project"),
        ("minemap_assets/sites/x.py", "from ..imagery import source"),
        ("minemap_assets/sites/x.py", "from minemap_assets.reference.assets import reference_assets"),
        ("minemap_assets/sites/x.py", "from minemap_assets import partitions"),
        ("minemap_assets/imagery/sources/x.py", "from minemap_assets.simulation.world import World"),
        ("minemap_assets/simulation/x.py", "from minemap_assets.chips.config import ChipsConfig"),
        ("minemap_assets/lake.py", "from minemap_assets.geo import grid"),
        ("minemap_assets/project.py", "from minemap_assets import partitions"),
        ("minemap_assets/chips/assets.py", "from dagster_project import definitions"),
    ],
)
def test_the_rule_finds_an_import_against_the_flow(path: str, line: str) -> None:
    assert misdirected(Path(path), ast.parse(f"def f():\n    {line}\n"))


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("minemap_assets/sites/x.py", "from minemap_assets.reference.regions import Region"),
        ("minemap_assets/sites/x.py", "from . import windows"),
        ("minemap_assets/sites/x.py", "from minemap_assets import lake"),
        ("minemap_assets/sites/recipes.py", "from minemap_assets.recipes import Recipe"),
        ("minemap_assets/chips/assets.py", "from minemap_assets.partitions import region_year"),
        ("minemap_assets/settings.py", "from minemap_assets.chips.config import ChipsConfig"),
        ("minemap_assets/simulation/x.py", "from minemap_assets.imagery.source import Composite"),
    ],
)
def test_the_rule_admits_an_import_along_the_flow(path: str, line: str) -> None:
    assert not misdirected(Path(path), ast.parse(line))


def test_rooms_import_only_rooms_before_them(project: Project) -> None:
    wrong = [w for path, tree in project.trees("minemap_assets") for w in misdirected(path, tree)]
    assert not wrong, "\n".join(wrong)


def test_every_folder_of_the_package_is_a_known_room(project: Project) -> None:
    folders = {path.parts[1] for path, _ in project.trees("minemap_assets") if len(path.parts) > 2}
    assert folders <= {*ROOMS, "simulation"}


def test_only_doors_import_dagster(project: Project) -> None:
    wrong = [
        f"{path}:{imported.line} imports {imported.module}"
        for path, tree in project.trees("minemap_assets")
        if path.stem not in DOORS
        for imported in imports(tree, package_of(path))
        if imported.module.split(".")[0].startswith("dagster")
    ]
    assert not wrong, "\n".join(wrong)


def test_every_imported_package_is_a_declared_dependency(project: Project) -> None:
    declared = {normalised(r.name) for r in project.requirements(extras=True)}
    distributions = packages_distributions()
    own = {"dagster_project", "minemap_assets", "benchmarks", *sys.stdlib_module_names}
    wrong = set()
    for path, tree in (*project.trees("minemap_assets"), *project.trees("dagster_project")):
        for imported in imports(tree, package_of(path)):
            top = imported.module.split(".")[0]
            names = {normalised(name) for name in distributions.get(top, [top])}
            if top not in own and not names & declared:
                wrong.add(f"{path}:{imported.line} imports {top}, which pyproject.toml does not name")
    assert not wrong, "\n".join(sorted(wrong))


LOAD = f"""
import sys

def no_network(event, args):
    if event in ("socket.connect", "socket.getaddrinfo"):
        raise RuntimeError(f"loading the definitions reached for the network: {{args}}")

sys.addaudithook(no_network)
from dagster_project.definitions import build_definitions
build_definitions()
print(",".join(sorted(set({HEAVY!r}) & set(sys.modules))))
"""


def test_definitions_load_light_and_offline(tmp_path: Path) -> None:
    state = {"MINEMAP_HOME": str(tmp_path / "lake"), "MINEMAP_STATE": str(tmp_path / "state"), "HOME": str(tmp_path)}
    loaded = subprocess.run(
        [sys.executable, "-c", LOAD], cwd=tmp_path, env=state, capture_output=True, text=True, check=False
    )
    assert loaded.returncode == 0, loaded.stderr
    assert not loaded.stdout.strip(), f"loading the definitions imports {loaded.stdout.strip()}"
    assert not list(tmp_path.iterdir()), "loading the definitions writes files"
