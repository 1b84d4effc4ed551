"""The archives of a project: which there are and where their files lie.

What belongs here: keeping archives' indexes in the lake under `inputs/archive/`. What does not: making an index
(`archive_index.py`) and reading pixels (`archive.py`).
"""

import json
import re

from minemap_assets.errors import BadInputError, NotFoundError
from minemap_assets.imagery.files.images import ArchiveIndex, read_index
from minemap_assets.imagery.sources.archive.source import ArchiveSource
from minemap_assets.lake.store import Store

FOLDER = "inputs/archive"
ROOTS_PATH = f"{FOLDER}/roots.json"

_NAME = re.compile(r"[a-z0-9_-]{1,60}")


def read_roots(store: Store) -> dict[str, str]:
    """Folder or URL prefix of each archive, by name. Raises `BadInputError` where the file is damaged."""
    try:
        roots = json.loads(store.read_bytes(ROOTS_PATH))
        return {str(name): str(root) for name, root in sorted(roots.items())}
    except NotFoundError:
        return {}
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
    roots = read_roots(store)
    store.write_bytes(f"{FOLDER}/{name}.geojson", features)
    store.write_bytes(ROOTS_PATH, _roots_text(roots | {name: root}))
    return name in roots


def remove_archive(store: Store, name: str) -> None:
    """Forget an archive; its images stay where they are. Raises `BadInputError` for a name that is none."""
    roots = read_roots(store)
    if name not in roots:
        known = ", ".join(roots) or "none yet"
        raise BadInputError(f"there is no archive {name!r}; the archives are {known}")
    del roots[name]
    store.write_bytes(ROOTS_PATH, _roots_text(roots))
    store.delete(f"{FOLDER}/{name}.geojson")


def _roots_text(roots: dict[str, str]) -> bytes:
    return json.dumps(roots, indent=1, sort_keys=True).encode()


def read_archives(store: Store) -> tuple[ArchiveIndex, ...]:
    """All archives of a project, sorted by name."""
    roots = read_roots(store)
    return tuple(read_index(name, root, _index_of(name, store)) for name, root in roots.items())


def _index_of(name: str, store: Store) -> bytes:
    try:
        return store.read_bytes(f"{FOLDER}/{name}.geojson")
    except NotFoundError as error:
        raise BadInputError(
            f"{store.root}/{FOLDER}/{name}.geojson is gone; make it again with `minemap archive index FOLDER --name "
            f"{name}`"
        ) from error


def open_archive(product: str, store: Store) -> ArchiveSource:
    """The source `archive` for a product, over all archives of the project."""
    return ArchiveSource(product, read_archives(store))
