"""The archives of a project: which there are and where their files lie."""

import json
import re

from minemap_assets.errors import BadInputError
from minemap_assets.imagery.files.images import ArchiveIndex, read_index
from minemap_assets.lake.store import Store, read_if_there
from minemap_assets.project.project import Project

FOLDER = "inputs/archive"
ROOTS_PATH = f"{FOLDER}/roots.json"

_NAME = re.compile(r"[a-z0-9_-]{1,60}")


def read_roots(project: Project) -> dict[str, str]:
    """Folder or URL prefix of each archive, by name. Raises `BadInputError` where the file is damaged."""
    return _parse_roots(project.input(ROOTS_PATH), project.lake.store)


def _parse_roots(data: bytes | None, store: Store) -> dict[str, str]:
    try:
        roots = {} if data is None else json.loads(data)
        return {str(name): str(root) for name, root in sorted(roots.items())}
    except (ValueError, AttributeError) as error:
        raise BadInputError(
            f"{store.root}/{ROOTS_PATH} cannot be read; restore an earlier version, or remove it and index the "
            "archives again"
        ) from error


def check_archive_name(name: str) -> None:
    """Raises `BadInputError` for a name that could not name a file."""
    if not _NAME.fullmatch(name):
        raise BadInputError(
            f"{name!r} cannot name an archive; use 1 to 60 lower-case letters, digits, hyphens and underscores"
        )


def add_archive(store: Store, name: str, root: str, features: bytes) -> bool:
    """Keep an archive's index; True where it took the place of an earlier one. Raises `BadInputError`."""
    check_archive_name(name)
    roots = _parse_roots(read_if_there(store, ROOTS_PATH), store)
    store.write_bytes(f"{FOLDER}/{name}.geojson", features)
    store.write_bytes(ROOTS_PATH, _roots_text(roots | {name: root}))
    return name in roots


def remove_archive(store: Store, name: str) -> None:
    """Forget an archive; its images stay where they are. Raises `BadInputError` for a name that is none."""
    roots = _parse_roots(read_if_there(store, ROOTS_PATH), store)
    if name not in roots:
        known = ", ".join(roots) or "none yet"
        raise BadInputError(f"there is no archive {name!r}; the archives are {known}")
    del roots[name]
    store.write_bytes(ROOTS_PATH, _roots_text(roots))
    store.delete(f"{FOLDER}/{name}.geojson")


def _roots_text(roots: dict[str, str]) -> bytes:
    return json.dumps(roots, indent=1, sort_keys=True).encode()


def read_archives(project: Project) -> tuple[ArchiveIndex, ...]:
    """All archives of a project, sorted by name; each index is read once. Raises `BadInputError`."""
    return project.cached(_read_archives)


def _read_archives(project: Project) -> tuple[ArchiveIndex, ...]:
    return tuple(read_index(name, root, _index_of(name, project)) for name, root in read_roots(project).items())


def _index_of(name: str, project: Project) -> bytes:
    data = project.input(f"{FOLDER}/{name}.geojson")
    if data is None:
        raise BadInputError(
            f"{project.lake.store.root}/{FOLDER}/{name}.geojson is gone; make it again with `minemap archive index "
            f"FOLDER --name {name}`"
        )
    return data
