"""Which file of the packages imports which: the whole graph, as Python would resolve it."""

import ast
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TypeVar

Node = TypeVar("Node")

BY_STRING = frozenset({"import_module", "__import__", "resolve_name", "spec_from_file_location"})
"""What imports a module without an import statement."""


@dataclass(frozen=True, order=True)
class Import:
    """One imported name of one file: from another file, or (without `target`) from another distribution."""

    importer: PurePosixPath
    line: int
    module: str
    name: str
    target: PurePosixPath | None

    def __str__(self) -> str:
        what = f"{self.module}.{self.name}" if self.name else self.module
        return f"{self.importer}:{self.line} imports {what}"


class ImportGraph:
    """The files of some packages below a root, and every import in them, at any depth and under any condition."""

    def __init__(self, root: Path, packages: Collection[str]) -> None:
        self.packages = tuple(packages)
        self.trees = {
            PurePosixPath(path.relative_to(root).as_posix()): ast.parse(path.read_text(encoding="utf-8"))
            for package in packages
            for path in sorted((root / package).rglob("*.py"))
        }
        self.modules = {module_of(path): path for path in self.trees}

    @cached_property
    def imports(self) -> tuple[Import, ...]:
        """Every imported name."""
        return tuple(found for path, tree in self.trees.items() for found in self._imports_of(path, tree))

    @cached_property
    def edges(self) -> tuple[tuple[Import, PurePosixPath], ...]:
        """Imports of one file of the packages by another, with the file that is imported."""
        return tuple((i, i.target) for i in self.imports if i.target is not None and i.target != i.importer)

    @property
    def outside(self) -> tuple[Import, ...]:
        """Imports of other distributions and of the standard library."""
        return tuple(i for i in self.imports if i.target is None)

    def link(self, importer: PurePosixPath, target: PurePosixPath) -> str:
        """What one file takes from another, in words."""
        names = {i.name or i.module for i, to in self.edges if (i.importer, to) == (importer, target)}
        return f"{importer} imports {', '.join(sorted(names))} of {target}"

    def by_string(self) -> list[str]:
        """Where a file uses something that imports without an import statement."""
        found = []
        for path, tree in self.trees.items():
            for node in ast.walk(tree):
                for name in _named(node):
                    if name in BY_STRING:
                        found.append(f"{path}:{getattr(node, 'lineno', 0)} names {name}")
        return found

    def _imports_of(self, path: PurePosixPath, tree: ast.Module) -> Iterator[Import]:
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield Import(path, node.lineno, alias.name, "", self._file(alias.name))
            elif isinstance(node, ast.ImportFrom):
                module = absolute(path, node)
                for alias in node.names:
                    yield Import(path, node.lineno, module, alias.name, self._file(f"{module}.{alias.name}"))

    def _file(self, name: str) -> PurePosixPath | None:
        """The module of that name, or the module or package that holds the name."""
        parts = name.split(".")
        candidates = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
        return next((self.modules[c] for c in candidates if c in self.modules), None)


def module_of(path: PurePosixPath) -> str:
    """A file's name in import statements; that of a package is its `__init__`'s."""
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def absolute(path: PurePosixPath, node: ast.ImportFrom) -> str:
    """The module that `from ... import` names, relative ones resolved."""
    if not node.level:
        return node.module or ""
    package = path.parent.parts[: len(path.parent.parts) - node.level + 1]
    return ".".join([*package, *([node.module] if node.module else [])])


def neighbours(pairs: Iterable[tuple[Node, Node]]) -> dict[Node, set[Node]]:
    """Who leads where; pairs within one node count for nothing."""
    graph: dict[Node, set[Node]] = {}
    for start, end in pairs:
        graph.setdefault(start, set())
        graph.setdefault(end, set())
        if start != end:
            graph[start].add(end)
    return graph


def reachable(
    graph: Mapping[Node, Collection[Node]], start: Node, through: Collection[Node] | None = None
) -> set[Node]:
    """All nodes that a path of at least one step leads to; where told so, through certain nodes only."""
    found: set[Node] = set()
    ahead = [start]
    while ahead:
        for node in graph.get(ahead.pop(), ()):
            if node not in found:
                found.add(node)
                if through is None or node in through:
                    ahead.append(node)
    return found


def circles(graph: Mapping[Node, Collection[Node]]) -> list[frozenset[Node]]:
    """Strongly connected components of more than one node: groups in which each leads to each."""
    reach = {node: reachable(graph, node) for node in graph}
    groups = {
        frozenset(other for other in reach[node] if node in reach[other]) for node in graph if node in reach[node]
    }
    return sorted(groups, key=lambda group: sorted(map(str, group)))


def _named(node: ast.AST) -> tuple[str, ...]:
    if isinstance(node, ast.Name):
        return (node.id,)
    if isinstance(node, ast.Attribute):
        return (node.attr,)
    if isinstance(node, ast.ImportFrom):
        return tuple(alias.name for alias in node.names)
    return ()
