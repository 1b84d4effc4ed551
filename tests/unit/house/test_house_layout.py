"""Where things lie: the tests mirror the packages, and no name is told from another by a plural alone."""

from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

import pytest

from house import PACKAGES, ROOT

TESTS = Path("tests/unit")


def folders(root: Path) -> set[str]:
    """Folders below a root that hold Python files, at any depth."""
    holding = {path.parent.relative_to(root) for path in root.rglob("*.py")}
    return {f.as_posix() for path in holding for f in (path, *path.parents) if f.parts}


def not_mirrored(root: Path) -> list[str]:
    """Folders of the packages without tests, and folders of tests without one of a package.

    A package's own modules count as a folder of its name; `house` holds the rules of the whole project.
    """
    known = {"dagster_project", "house"} | {f for package in PACKAGES for f in folders(root / package)}
    tested = folders(root / TESTS)
    lacking = sorted(f for f in known if "/" not in f and f not in tested)
    return [f"{TESTS}/{f} is lacking" for f in lacking] + [
        f"{TESTS}/{f} is no folder of a package" for f in sorted(tested - known)
    ]


def plurals_of(name: str) -> Iterator[str]:
    """The same word for more than one."""
    yield from (f"{name}s", f"{name}es")
    if name.endswith("y"):
        yield f"{name[:-1]}ies"


def near_namesakes(paths: Iterable[PurePosixPath]) -> list[str]:
    """Modules whose names differ only by a plural."""
    by_name: dict[str, list[str]] = {}
    for path in paths:
        by_name.setdefault(path.stem, []).append(str(path))
    return [
        f"{', '.join(sorted(by_name[name]))} and {', '.join(sorted(by_name[plural]))}"
        for name in sorted(by_name)
        for plural in plurals_of(name)
        if plural in by_name
    ]


def test_a_folder_without_tests_and_tests_without_a_folder_are_found(tmp_path: Path) -> None:
    for name in (
        "minemap_assets/sites/build.py",
        "minemap_assets/imagery/sources/stac/source.py",
        "dagster_project/cli/main.py",
        "tests/unit/house/test_a.py",
        "tests/unit/dagster_project/test_a.py",
        "tests/unit/cli/test_a.py",
        "tests/unit/imagery/sources/test_a.py",
        "tests/unit/imagery/clouds/test_a.py",
        "tests/unit/core/test_a.py",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert not_mirrored(tmp_path) == [
        "tests/unit/sites is lacking",
        "tests/unit/core is no folder of a package",
        "tests/unit/imagery/clouds is no folder of a package",
    ]


def test_the_tests_mirror_the_folders() -> None:
    wrong = not_mirrored(ROOT)
    assert not wrong, "\n".join(wrong)


def test_a_plural_is_found() -> None:
    paths = [PurePosixPath(path) for path in ("a/world.py", "b/worlds.py", "b/policy.py", "policies.py", "b/was.py")]
    assert near_namesakes(paths) == ["b/policy.py and policies.py", "a/world.py and b/worlds.py"]


@pytest.mark.parametrize("package", PACKAGES)
def test_no_two_modules_differ_only_by_a_plural(package: str) -> None:
    wrong = near_namesakes(PurePosixPath(path.relative_to(ROOT)) for path in (ROOT / package).rglob("*.py"))
    assert not wrong, "\n".join(wrong)
