"""The project's files as the house rules see them."""

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("dagster_project", "minemap_assets")
CODE = (*PACKAGES, "tests", "benchmarks")


def normalised(name: str) -> str:
    """A distribution's name as indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


class Project:
    """Sources, dependencies and lock file below one root."""

    @cached_property
    def pyproject(self) -> dict[str, Any]:
        """pyproject.toml."""
        return tomllib.loads(self.text("pyproject.toml"))

    @cached_property
    def locked(self) -> dict[str, Version]:
        """The lock file: version by normalised name."""
        lines = [line for line in self.text("requirements.lock").splitlines() if line and not line.startswith("#")]
        pins = [Requirement(line) for line in lines]
        return {normalised(pin.name): Version(next(iter(pin.specifier)).version) for pin in pins}

    def text(self, path: str) -> str:
        """A file's text."""
        return (ROOT / path).read_text(encoding="utf-8")

    def trees(self, folder: str) -> Iterator[tuple[Path, ast.Module]]:
        """Every Python file of a folder with its syntax tree, by path from the root."""
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path.relative_to(ROOT), ast.parse(path.read_text(encoding="utf-8"))

    def requirements(self, *, extras: bool = False) -> list[Requirement]:
        """Direct dependencies of the core, and of every extra where asked for."""
        table = self.pyproject["project"]
        lines = list(table["dependencies"])
        if extras:
            lines += [line for extra in table["optional-dependencies"].values() for line in extra]
        return [Requirement(line) for line in lines]

    def checked_in(self) -> list[Path]:
        """Files that git tracks or would track."""
        listed = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        return [ROOT / name for name in sorted(set(listed.stdout.split("\0"))) if name and (ROOT / name).is_file()]
