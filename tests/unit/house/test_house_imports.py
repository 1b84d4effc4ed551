"""Who may import whom: the kernel on the ground, the rooms above it in the order data flows, and no circle anywhere."""

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

import pytest

from house import PACKAGES, ROOT
from import_graph import Import, ImportGraph, circles, neighbours, reachable

KERNEL = ("errors", "messages", "caching", "lake", "net", "geo", "project", "graph")
"""From the ground up; every other folder of `minemap_assets` is a room."""

SOURCES = PurePosixPath("minemap_assets/imagery/sources")

HEAVY = ("torch", "transformers", "rasterio", "ee", "planet", "zarr", "duckdb", "matplotlib")
"""Imported where they are used, so that the code server starts light."""

Rule = Callable[[ImportGraph], list[str]]


def place(path: PurePosixPath) -> str:
    """The kernel's part or the room that a file of `minemap_assets` belongs to; empty elsewhere."""
    package, *below = path.with_suffix("").parts
    return below[0] if package == "minemap_assets" and below[0] != "__init__" else ""


def rooms(graph: ImportGraph) -> set[str]:
    """Folders of `minemap_assets` that are not the kernel's."""
    return {place(path) for path in graph.trees if len(path.parts) > 2 and place(path)} - {*KERNEL}


def source_of(path: PurePosixPath) -> str:
    """The source package that a file belongs to; empty elsewhere, also directly in `imagery/sources`."""
    return path.parts[len(SOURCES.parts)] if SOURCES in path.parent.parents else ""


def between_rooms(graph: ImportGraph) -> list[tuple[Import, str, str]]:
    """Imports of one room by another, `assets.py` included."""
    known = rooms(graph)
    found = [(i, place(i.importer), place(target)) for i, target in graph.edges]
    return [(i, above, below) for i, above, below in found if above in known and below in known and above != below]


def files_in_a_circle(graph: ImportGraph) -> list[str]:
    wrong = []
    for circle in circles(neighbours((i.importer, target) for i, target in graph.edges)):
        inside = {(i.importer, target) for i, target in graph.edges if {i.importer, target} <= circle}
        wrong += [f"{graph.link(*link)}, which leads back to it" for link in sorted(inside)]
    return wrong


def kernel_that_looks_up(graph: ImportGraph) -> list[str]:
    def floor(part: str) -> int:
        return KERNEL.index(part) if part in KERNEL else len(KERNEL)

    wrong = [
        f"{i}, which is above {place(i.importer)}"
        for i, target in graph.edges
        if place(i.importer) in KERNEL and floor(place(target)) > floor(place(i.importer))
    ]
    package = PurePosixPath("minemap_assets/__init__.py")
    return wrong + [str(i) for i, target in graph.edges if i.importer == package]


def modules_without_a_floor(graph: ImportGraph) -> list[str]:
    return [
        f"{path} stands neither in the kernel nor in a room"
        for path in graph.trees
        if path.parts[0] == "minemap_assets" and place(path) not in {"", *KERNEL, *rooms(graph)}
    ]


def rooms_in_a_circle(graph: ImportGraph) -> list[str]:
    links = between_rooms(graph)
    wrong = []
    for circle in circles(neighbours((above, below) for _, above, below in links)):
        files = {(i.importer, i.target) for i, above, below in links if i.target and {above, below} <= circle}
        wrong += [f"{graph.link(*link)}, in the circle of {', '.join(sorted(circle))}" for link in sorted(files)]
    return wrong


def rooms_against_the_flow(graph: ImportGraph, order: Sequence[str]) -> list[str]:
    """Rooms of the order that import later ones, themselves or through rooms without assets."""
    links = between_rooms(graph)
    leads = neighbours((above, below) for _, above, below in links)
    assetless = rooms(graph) - {*order}
    wrong = []
    for room in order:
        for later in order[order.index(room) + 1 :]:
            if later in reachable(leads, room, assetless):
                direct = [str(i) for i, above, below in links if (above, below) == (room, later)]
                wrong += direct or [f"{room} leads to {later} through {', '.join(sorted(leads[room] & assetless))}"]
    return wrong


def rooms_unlike_their_registration(graph: ImportGraph, order: Sequence[str]) -> list[str]:
    """A room is registered exactly where it has assets."""
    with_assets = {place(path) for path in graph.trees if path.name == "assets.py" and place(path)}
    return sorted(f"{room} has assets but is not registered" for room in with_assets - {*order}) + sorted(
        f"{room} is registered but has no assets.py" for room in {*order} - with_assets
    )


def sources_known_elsewhere(graph: ImportGraph) -> list[str]:
    """A source package is known to no other and to nothing else of imagery."""
    return [
        str(i)
        for i, target in graph.edges
        if place(i.importer) == "imagery" and source_of(target) and source_of(target) != source_of(i.importer)
    ]


def knowledge_of_the_driver(graph: ImportGraph) -> list[str]:
    return [
        str(i)
        for i, target in graph.edges
        if i.importer.parts[0] == "minemap_assets" and target.parts[0] == "dagster_project"
    ]


def commands_that_know_the_command_line(graph: ImportGraph) -> list[str]:
    """What commands do lies below how they are called."""
    commands, line = PurePosixPath("dagster_project/commands"), PurePosixPath("dagster_project/cli")
    return [str(i) for i, target in graph.edges if commands in i.importer.parents and line in target.parents]


def dagster_elsewhere(graph: ImportGraph) -> list[str]:
    """Dagster outside of `graph/` and of `assets.py` right in a room."""
    known = rooms(graph)
    return [
        str(i)
        for i in graph.outside
        if i.module.split(".")[0].startswith("dagster")
        and i.importer.parts[0] == "minemap_assets"
        and place(i.importer) != "graph"
        and not (place(i.importer) in known and i.importer.parts[2:] == ("assets.py",))
    ]


def imports_by_string(graph: ImportGraph) -> list[str]:
    return [wrong for wrong in graph.by_string() if wrong.startswith("minemap_assets/")]


RULES: tuple[Rule, ...] = (
    files_in_a_circle,
    kernel_that_looks_up,
    modules_without_a_floor,
    rooms_in_a_circle,
    sources_known_elsewhere,
    knowledge_of_the_driver,
    commands_that_know_the_command_line,
    dagster_elsewhere,
    imports_by_string,
)

ORDER = ("sites", "imagery", "tables")
"""Rooms of the small tree with assets."""

GOOD = {
    "dagster_project/cli/main.py": "from dagster_project.commands.context import Session",
    "dagster_project/commands/context.py": "from dagster_project.registry import Registry",
    "dagster_project/registry.py": "import dagster\nfrom minemap_assets.imagery.sources.near import reader",
    "minemap_assets/__init__.py": "",
    "minemap_assets/errors.py": "",
    "minemap_assets/lake/lake.py": "from minemap_assets import errors",
    "minemap_assets/lake/store.py": "from .lake import Lake",
    "minemap_assets/graph/statement.py": "import dagster as dg\nfrom minemap_assets.lake.lake import Lake",
    "minemap_assets/sites/__init__.py": "",
    "minemap_assets/sites/assets.py": "import dagster\nfrom minemap_assets.graph.statement import Statement",
    "minemap_assets/sites/windows.py": "from minemap_assets.lake import lake",
    "minemap_assets/imagery/assets.py": "import dagster\nfrom minemap_assets.sites.assets import sites",
    "minemap_assets/imagery/source.py": "from minemap_assets.sites import Window, windows",
    "minemap_assets/imagery/files/reading.py": "from minemap_assets.lake.lake import Lake",
    "minemap_assets/imagery/sources/near/__init__.py": "",
    "minemap_assets/imagery/sources/near/reader.py": "from minemap_assets.imagery.source import Source",
    "minemap_assets/imagery/sources/far/reader.py": "from ... import source",
    "minemap_assets/planning/costs.py": "from minemap_assets.imagery.source import Source",
    "minemap_assets/tables/assets.py": "from minemap_assets.planning.costs import Cost",
}
"""A small tree that breaks no rule."""


@pytest.fixture(scope="module")
def tree() -> ImportGraph:
    """The packages as they are."""
    return ImportGraph(ROOT, PACKAGES)


@pytest.fixture(scope="module")
def order() -> tuple[str, ...]:
    """The rooms as the project registers them."""
    from dagster_project.registry import ROOMS

    return tuple(room.name for room in ROOMS)


def graph_with(root: Path, path: str, text: str) -> ImportGraph:
    """The small tree with something appended to one file."""
    for name, content in {**GOOD, path: f"{GOOD.get(path, '')}\n{text}\n"}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    return ImportGraph(root, PACKAGES)


def test_the_small_tree_breaks_no_rule(tmp_path: Path) -> None:
    graph = graph_with(tmp_path, "minemap_assets/errors.py", "")
    for rule in RULES:
        assert rule(graph) == [], rule.__name__
    assert rooms_against_the_flow(graph, ORDER) == []
    assert rooms_unlike_their_registration(graph, ORDER) == []


@pytest.mark.parametrize(
    ("rule", "path", "line"),
    [
        (files_in_a_circle, "lake/lake.py", "from minemap_assets.lake.store import Store"),
        (files_in_a_circle, "lake/lake.py", "from . import store"),
        (files_in_a_circle, "lake/lake.py", "import minemap_assets.graph.statement, minemap_assets.lake.store"),
        (files_in_a_circle, "sites/__init__.py", "from minemap_assets.imagery.source import Source"),
        (files_in_a_circle, "sites/windows.py", "from minemap_assets.imagery.sources.near.reader import Reader"),
        (kernel_that_looks_up, "errors.py", "from minemap_assets.lake import disk_errors"),
        (kernel_that_looks_up, "lake/lake.py", "from minemap_assets.graph.statement import Statement"),
        (kernel_that_looks_up, "graph/statement.py", "from ..sites.windows import Window"),
        (kernel_that_looks_up, "lake/lake.py", "from minemap_assets import sites"),
        (kernel_that_looks_up, "__init__.py", "from minemap_assets.errors import MinemapError"),
        (modules_without_a_floor, "helpers.py", ""),
        (rooms_in_a_circle, "sites/__init__.py", "from minemap_assets.imagery import source"),
        (rooms_in_a_circle, "sites/assets.py", "from minemap_assets.imagery.files.reading import read"),
        (rooms_in_a_circle, "imagery/files/reading.py", "from minemap_assets.planning.costs import Cost"),
        (sources_known_elsewhere, "imagery/source.py", "from .sources.near import reader"),
        (sources_known_elsewhere, "imagery/files/reading.py", "import minemap_assets.imagery.sources.far.reader"),
        (sources_known_elsewhere, "imagery/sources/far/reader.py", "from ..near.reader import Reader"),
        (sources_known_elsewhere, "imagery/sources/__init__.py", "from minemap_assets.imagery.sources import near"),
        (knowledge_of_the_driver, "tables/assets.py", "from dagster_project import registry"),
        (dagster_elsewhere, "sites/windows.py", "from dagster import asset"),
        (dagster_elsewhere, "sites/checks.py", "import dagster as dg"),
        (dagster_elsewhere, "lake/assets.py", "import dagster_k8s"),
        (dagster_elsewhere, "imagery/sources/near/assets.py", "import dagster"),
        (imports_by_string, "sites/windows.py", "import importlib\nimportlib.import_module('minemap_assets.tables')"),
        (imports_by_string, "sites/windows.py", "from importlib import import_module as load"),
        (imports_by_string, "sites/windows.py", "__import__('minemap_assets.tables.assets')"),
    ],
)
def test_a_rule_finds_what_breaks_it(tmp_path: Path, rule: Rule, path: str, line: str) -> None:
    assert rule(graph_with(tmp_path, f"minemap_assets/{path}", line))


@pytest.mark.parametrize(
    "line", ["from dagster_project.cli.main import main", "from ..cli import main", "import dagster_project.cli.main"]
)
def test_a_command_that_knows_how_it_is_called_is_found(tmp_path: Path, line: str) -> None:
    graph = graph_with(tmp_path, "dagster_project/commands/context.py", line)
    assert len(commands_that_know_the_command_line(graph)) == 1


@pytest.mark.parametrize(
    ("path", "line", "order"),
    [
        ("sites/windows.py", "from minemap_assets.imagery.files.reading import read", ORDER),
        ("sites/windows.py", "from minemap_assets.planning.costs import Cost", ORDER),
        ("planning/costs.py", "from minemap_assets.simulation.world import World", ("tables", "sites", "imagery")),
    ],
)
def test_a_room_that_reads_a_later_one_is_found(tmp_path: Path, path: str, line: str, order: Sequence[str]) -> None:
    """Also where a room without assets stands between them."""
    assert rooms_against_the_flow(graph_with(tmp_path, f"minemap_assets/{path}", line), order)


def test_a_room_that_is_not_registered_is_found(tmp_path: Path) -> None:
    graph = graph_with(tmp_path, "minemap_assets/chips/assets.py", "import dagster")
    assert rooms_unlike_their_registration(graph, (*ORDER, "planning")) == [
        "chips has assets but is not registered",
        "planning is registered but has no assets.py",
    ]


@pytest.mark.parametrize(
    "form",
    [
        "{}",
        "def f():\n    {}",
        "if TYPE_CHECKING:\n    {}",
        "class A:\n    def f(self):\n        try:\n            {}\n        finally: ...",
    ],
    ids=["module", "function", "type checking", "method"],
)
def test_an_import_counts_wherever_it_stands(tmp_path: Path, form: str) -> None:
    graph = graph_with(tmp_path, "minemap_assets/lake/lake.py", form.format("from .store import Store, open_store"))
    assert files_in_a_circle(graph) == [
        "minemap_assets/lake/lake.py imports Store, open_store of minemap_assets/lake/store.py, which leads back to it",
        "minemap_assets/lake/store.py imports Lake of minemap_assets/lake/lake.py, which leads back to it",
    ]


@pytest.mark.parametrize(
    ("line", "target"),
    [
        ("from minemap_assets.sites import windows", "sites/windows.py"),
        ("from minemap_assets.sites import Window", "sites/__init__.py"),
        ("from minemap_assets.sites.windows import Window", "sites/windows.py"),
        ("from minemap_assets import sites", "sites/__init__.py"),
        ("import minemap_assets.sites.windows as w", "sites/windows.py"),
        ("from .. import sites", "sites/__init__.py"),
        ("from ..sites.windows import *", "sites/windows.py"),
    ],
)
def test_an_import_is_resolved_to_the_file_it_means(tmp_path: Path, line: str, target: str) -> None:
    graph = graph_with(tmp_path, "minemap_assets/tables/x.py", line)
    found = {str(to) for i, to in graph.edges if i.importer.name == "x.py"}
    assert found == {f"minemap_assets/{target}"}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_packages_keep_the_rule(tree: ImportGraph, rule: Rule) -> None:
    wrong = rule(tree)
    assert not wrong, "\n".join(wrong)


def test_rooms_import_only_rooms_before_them(tree: ImportGraph, order: tuple[str, ...]) -> None:
    wrong = rooms_against_the_flow(tree, order)
    assert not wrong, "\n".join(wrong)


def test_every_room_with_assets_is_registered(tree: ImportGraph, order: tuple[str, ...]) -> None:
    wrong = rooms_unlike_their_registration(tree, order)
    assert not wrong, "\n".join(wrong)


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
