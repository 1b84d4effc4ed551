"""The archives of a project: which there are and where their files lie."""

import json
import re
from functools import partial

from minemap_assets.errors import BadInputError
from minemap_assets.imagery.files.images import ArchiveIndex, read_index
from minemap_assets.lake.inputs import Inputs
from minemap_assets.lake.store import Store
from minemap_assets.messages import suggestion
from minemap_assets.project.project import Project

FOLDER = "inputs/archive"
ROOTS_PATH = f"{FOLDER}/roots.json"

_NAME = re.compile(r"[a-z0-9_][a-z0-9_-]{0,59}")


def read_roots(project: Project) -> dict[str, str]:
    """Folder or URL prefix of each archive, by name. Raises `BadInputError` where the file is damaged."""
    return project.parsed(ROOTS_PATH, lambda data: _parse_roots(data, project.lake.store))


def _parse_roots(data: bytes | None, store: Store) -> dict[str, str]:
    try:
        raw = {} if data is None else json.loads(data)
        roots = {str(name): str(root) for name, root in sorted(raw.items())}
    except (ValueError, AttributeError, RecursionError) as error:
        raise BadInputError(
            f"{store.root}/{ROOTS_PATH} cannot be read; restore an earlier version, or remove it and index the "
            "archives again"
        ) from error
    for name in roots:
        if not _NAME.fullmatch(name):
            raise BadInputError(
                f"{store.root}/{ROOTS_PATH} names an archive {name!r}; use 1 to 60 lower-case letters, digits, hyphens "
                "and underscores there"
            )
    return roots


def _parsed_roots(inputs: Inputs, data: bytes | None, store: Store) -> dict[str, str]:
    with inputs.reading(ROOTS_PATH, data):
        return _parse_roots(data, store)


def check_archive_name(name: str) -> None:
    """Raises `BadInputError` for a name that could not name a file."""
    if not _NAME.fullmatch(name):
        raise BadInputError(
            f"{name!r} cannot name an archive; use 1 to 60 lower-case letters, digits, hyphens and underscores, "
            "no hyphen first"
        )


def add_archive(store: Store, name: str, root: str, features: bytes) -> bool:
    """Keep an archive's index; True where it took the place of an earlier one. Raises `BadInputError`."""
    check_archive_name(name)
    inputs = Inputs(store)
    _parsed_roots(inputs, inputs.read(ROOTS_PATH), store)
    inputs.put(_index_path(name), features)

    def edit(data: bytes | None) -> bytes | None:
        roots = _parsed_roots(inputs, data, store)
        return data if roots.get(name) == root else _roots_text(roots | {name: root})

    change = inputs.change(ROOTS_PATH, edit)
    return name in _parse_roots(change.before, store)


def remove_archive(store: Store, name: str) -> None:
    """Forget an archive; its images stay where they are. Raises `BadInputError` for a name that is none."""
    inputs = Inputs(store)

    def edit(data: bytes | None) -> bytes:
        roots = _parsed_roots(inputs, data, store)
        if name not in roots:
            known = ", ".join(roots) or "none yet"
            raise BadInputError(f"there is no archive {name!r}{suggestion(name, roots)}; the archives are {known}")
        del roots[name]
        return _roots_text(roots)

    inputs.change(ROOTS_PATH, edit)
    inputs.remove(_index_path(name))


def _index_path(name: str) -> str:
    return f"{FOLDER}/{name}.geojson"


def _roots_text(roots: dict[str, str]) -> bytes:
    return json.dumps(roots, indent=1, sort_keys=True).encode()


def read_archives(project: Project) -> tuple[ArchiveIndex, ...]:
    """All archives of a project, sorted by name; each index is read once. Raises `BadInputError`."""
    return project.cached(_read_archives)


def _read_archives(project: Project) -> tuple[ArchiveIndex, ...]:
    return tuple(
        project.parsed(_index_path(name), partial(_read_index, name, root, project.lake.store))
        for name, root in read_roots(project).items()
    )


def _read_index(name: str, root: str, store: Store, data: bytes | None) -> ArchiveIndex:
    if data is None:
        raise BadInputError(
            f"{store.root}/{_index_path(name)} is gone; make it again with `minemap archive index FOLDER --name {name}`"
        )
    return read_index(name, root, data)
