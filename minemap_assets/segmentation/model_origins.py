"""Models that a project did not train: who brought each of them here, when, and from where.

The record is an input of the project, `inputs/model_imports.json`; the models lie below `inputs/models/`.
"""

from datetime import UTC, datetime

from pydantic import ValidationError

from minemap_assets.errors import BadInputError
from minemap_assets.lake.inputs import Inputs
from minemap_assets.project.project import Project
from minemap_assets.project.settings import StrictModel

IMPORTS_PATH = "inputs/model_imports.json"


class ModelImport(StrictModel):
    """One model from elsewhere: its version (the hash of its content), who brought it, when (ISO 8601, UTC), the folder
    that it was read from, and why.
    """

    version: str
    by: str
    at: str
    source: str
    note: str = ""


class ModelImports(StrictModel):
    """Every model from elsewhere, in the order in which they came."""

    imports: tuple[ModelImport, ...] = ()


def imports(project: Project) -> tuple[ModelImport, ...]:
    """Every model from elsewhere. Raises `BadInputError` where the record is damaged."""
    root = project.lake.store.root
    return project.parsed(IMPORTS_PATH, lambda data: _parsed(data, root)).imports


def origin_of(project: Project, version: str) -> ModelImport | None:
    """How a model came here; None for one that was trained here. Raises `BadInputError` like `imports`."""
    return next((one for one in imports(project) if one.version == version), None)


def record_import(project: Project, version: str, by: str, source: str, note: str = "") -> ModelImport:
    """Write down that a model came from elsewhere; one that is written down already stays as it is."""
    store = project.lake.store
    new = ModelImport(version=version, by=by, at=datetime.now(UTC).isoformat("T", "seconds"), source=source, note=note)

    def add(data: bytes | None) -> bytes:
        with Inputs(store).reading(IMPORTS_PATH, data):
            known = _parsed(data, store.root).imports
        if data is not None and any(one.version == version for one in known):
            return data
        return (ModelImports(imports=(*known, new)).model_dump_json(indent=1) + "\n").encode()

    Inputs(store).change(IMPORTS_PATH, add)
    project.wrote(IMPORTS_PATH, store.read_bytes(IMPORTS_PATH))
    return next(one for one in imports(project) if one.version == version)


def _parsed(data: bytes | None, root: str) -> ModelImports:
    try:
        return ModelImports() if data is None else ModelImports.model_validate_json(data)
    except ValidationError as error:
        raise BadInputError(
            f"{root}/{IMPORTS_PATH}, which says which models came from elsewhere, cannot be read; restore an earlier "
            "version"
        ) from error
