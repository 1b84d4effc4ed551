"""What every source file looks like, and what no file says."""

import ast
import re
from pathlib import Path

import pytest

from house import CODE, PACKAGES, ROOT, Project

MAX_LINES = 400
MAX_FUNCTION_LINES = 60

MACHINE_PATHS = re.compile(r"(?<![\w.:~-])/(?:home|root|Users|work|farm)/\w")
"""Folders of one person's or one workplace's machine."""

REGISTRIES = re.compile(r"[p]ypi\.org|[p]ythonhosted|registry\.npm|deb\.debian|[d]ownload\.pytorch")
"""Where packages come from is the affair of whoever installs them."""

PRIVATE = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----|\bAKIA[0-9A-Z]{16}\b|\bPLAK[0-9a-f]{32}\b")
"""Keys: PEM, AWS, Planet."""


def long_functions(tree: ast.Module) -> list[str]:
    functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    return [f"{n.lineno} {n.name}" for n in functions if (n.end_lineno or 0) - n.lineno + 1 > MAX_FUNCTION_LINES]


def test_a_long_function_is_found() -> None:
    assert long_functions(ast.parse("def f():\n" + "    x = 1\n" * MAX_FUNCTION_LINES)) == ["1 f"]
    assert not long_functions(ast.parse("def f():\n" + "    x = 1\n" * (MAX_FUNCTION_LINES - 1)))


@pytest.mark.parametrize("folder", CODE)
def test_files_and_functions_are_short(project: Project, folder: str) -> None:
    wrong = []
    for path, tree in project.trees(folder):
        lines = len((ROOT / path).read_text(encoding="utf-8").splitlines())
        if lines > MAX_LINES:
            wrong.append(f"{path} has {lines} lines")
        wrong += [f"{path}:{function} is longer than {MAX_FUNCTION_LINES} lines" for function in long_functions(tree)]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("folder", [*PACKAGES, "benchmarks"])
def test_every_module_says_what_it_is_for(project: Project, folder: str) -> None:
    wrong = [str(path) for path, tree in project.trees(folder) if tree.body and not ast.get_docstring(tree)]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (MACHINE_PATHS, "see " + "/home" + "/ada/notes"),
        (MACHINE_PATHS, '"' + "/work" + '/shared"'),
        (REGISTRIES, "https://" + "pypi" + ".org/simple"),
        (PRIVATE, "-----BEGIN RSA " + "PRIVATE KEY-----"),
    ],
)
def test_what_no_file_may_say_is_found(pattern: re.Pattern[str], text: str) -> None:
    assert pattern.search(text)
    assert not pattern.search("https://example.com/home/ada and ../home/out and a public key")


def test_no_file_names_a_machine_a_registry_or_a_key(project: Project) -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: nothing says which files belong to the project")
    wrong = []
    for path in project.checked_in():
        for number, line in enumerate(_lines(path), start=1):
            if any(pattern.search(line) for pattern in (MACHINE_PATHS, REGISTRIES, PRIVATE)):
                wrong.append(f"{path.relative_to(ROOT)}:{number} {line.strip()[:120]}")
    assert not wrong, "\n".join(wrong)


def _lines(path: Path) -> list[str]:
    data = path.read_bytes()
    return [] if b"\0" in data[:8192] else data.decode("utf-8", errors="replace").splitlines()
