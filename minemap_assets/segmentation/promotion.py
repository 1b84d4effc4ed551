"""Promotion: which model maps are made with, as a person decided, and a copy of that model which outlives retraining.

The decisions are an input of the project, `inputs/promotion.json`; the last one holds. The models that were ever in use
lie below `inputs/models/`, each under the hash of its content.
"""

import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from minemap_assets.errors import BadInputError, NotFoundError
from minemap_assets.lake.inputs import Inputs
from minemap_assets.lake.lake import Lake
from minemap_assets.lake.manifests import DamagedError, Outcome, PartitionRef
from minemap_assets.lake.partitions import MANIFEST, Partition
from minemap_assets.lake.store import Store
from minemap_assets.lake.workspaces import workspace
from minemap_assets.lake.writer import PartitionWriter
from minemap_assets.project.project import Project
from minemap_assets.project.settings import StrictModel
from minemap_assets.segmentation.artefact import FILES, MODEL, Model, content_version, load_model, open_model

PROMOTION_PATH = "inputs/promotion.json"
MODELS_FOLDER = "inputs/models"

NEVER_PROMOTED = (
    "no model is in use yet; look at model_evaluation, then put the trained one in use with `minemap promote`"
)


class Promotion(StrictModel):
    """One decision: the model's version (the hash of its content), who decided, when (ISO 8601, UTC), and why."""

    version: str
    by: str
    at: str
    note: str = ""


class Promotions(StrictModel):
    """Every decision so far, in order; the last one holds."""

    promotions: tuple[Promotion, ...] = ()


def promotions(project: Project) -> tuple[Promotion, ...]:
    """Every decision so far. Raises `BadInputError` where the file is damaged."""
    root = project.lake.store.root
    return project.parsed(PROMOTION_PATH, lambda data: parse_promotions(data, root)).promotions


def parse_promotions(data: bytes | None, root: str) -> Promotions:
    """Decisions from the file's bytes. Raises `BadInputError` where it is damaged."""
    try:
        return Promotions() if data is None else Promotions.model_validate_json(data)
    except ValidationError as error:
        raise BadInputError(
            f"{root}/{PROMOTION_PATH}, which says which model is in use, cannot be read; restore an earlier version"
        ) from error


def promoted_version(project: Project) -> str:
    """The version in use. Raises `BadInputError` where there is none."""
    made = promotions(project)
    if not made:
        raise BadInputError(NEVER_PROMOTED)
    return made[-1].version


def promote(project: Project, model: Model, by: str, note: str = "", now: datetime | None = None) -> Promotion:
    """Put a model in use from now on: keep a copy of it, then write down the decision.

    Promoting what is in use already changes nothing. Raises `BadInputError` where the model's files are not what its
    version says.
    """
    store = project.lake.store
    _keep(store, model)
    decision = Promotion(
        version=model.version, by=by, at=(now or datetime.now(UTC)).isoformat("T", "seconds"), note=note
    )

    def add(data: bytes | None) -> bytes:
        with Inputs(store).reading(PROMOTION_PATH, data):
            made = parse_promotions(data, store.root).promotions
        if data is not None and made and made[-1].version == decision.version:
            return data
        text = Promotions(promotions=(*made, decision)).model_dump_json(indent=1)
        return f"{text}\n".encode()

    Inputs(store).change(PROMOTION_PATH, add)
    project.wrote(PROMOTION_PATH, store.read_bytes(PROMOTION_PATH))
    return promotions(project)[-1]


def find_model(lake: Lake, version: str, trained: PartitionRef, scratch: Path) -> Model | None:
    """The model whose version begins so: the trained one, or one that was in use before; None where there is none.

    Raises `BadInputError` where more than one begins so, and `DamagedError` where the trained one is damaged.
    """
    latest = lake.find(trained)
    if latest is not None and str(latest.manifest.summary.get("version", "")).startswith(version):
        return load_model(latest)
    known = sorted(name for name in kept_versions(lake.store) if name.startswith(version))
    if len(known) > 1:
        raise BadInputError(f"{len(known)} models begin with {version}; give more of its digits")
    return _kept(lake.store, known[0], scratch) if known else None


def kept_versions(store: Store) -> list[str]:
    """Versions of the models that were ever in use."""
    return sorted({path.removeprefix(f"{MODELS_FOLDER}/").split("/")[0] for path in store.list(MODELS_FOLDER)})


def restore_model(project: Project, trained: PartitionRef, writer: PartitionWriter) -> Outcome:
    """Write the model in use as the folder `model`, from wherever its bytes are still whole.

    Raises `BadInputError` where no model is in use, or where all that is left of it differs from its hash.
    """
    version = promoted_version(project)
    with tempfile.TemporaryDirectory() as scratch:
        found = next(_whole(project.lake, version, trained, writer, Path(scratch)), None)
        if found is None:
            raise BadInputError(
                f"the model in use, {version[:12]}, is damaged or gone from {project.lake.store.root}/{MODELS_FOLDER}: "
                "restore that folder, or put another model in use with `minemap promote`"
            )
        folder = writer.path(MODEL)
        folder.mkdir(parents=True, exist_ok=True)
        for name in FILES:
            shutil.copyfile(found.folder / name, folder / name)
    if content_version(folder) != version:
        raise BadInputError(f"the model in {found.folder} changed while it was copied; run this again")
    writer.add(MODEL)
    products = {name: dict(card.operating_points) for name, card in sorted(found.card.products.items())}
    decision = promotions(project)[-1]
    said = {"promoted_by": decision.by, "promoted_at": decision.at, "note": decision.note}
    return Outcome({"version": version, **said, "products": products, "bands": list(found.card.bands)})


def is_kept_whole(store: Store, version: str) -> bool:
    """Whether the copy of a model that was in use still has the content it is named by."""
    with tempfile.TemporaryDirectory() as scratch:
        return _kept(store, version, Path(scratch)) is not None


def is_copy_kept(project: Project, pinned: PartitionRef) -> bool:
    """Whether the copy of the model in use is there; it is read only where it changed since it was pinned."""
    store = project.lake.store
    try:
        version = promoted_version(project)
    except BadInputError:  # whoever makes it says so
        return True
    copy = store.entries(f"{MODELS_FOLDER}/{version}")
    own = store.entries(pinned.prefix).get(f"{pinned.prefix}/{MANIFEST}")
    if len(copy) < len(FILES):
        return False
    unchanged = own is not None and all(entry.changed <= own.changed for entry in copy.values())
    return unchanged or is_kept_whole(store, version)


def _whole(lake: Lake, version: str, trained: PartitionRef, writer: PartitionWriter, scratch: Path) -> Iterator[Model]:
    """The model of this version wherever it is found whole; a copy that was lost is kept again."""
    kept = _kept(lake.store, version, scratch)
    if kept is not None:
        yield kept
    held = [Partition(lake.store, writer.known)] if writer.known is not None else []
    latest = lake.find(trained)
    for partition in [*held, *([latest] if latest is not None else [])]:
        try:
            model = load_model(partition)
        except (DamagedError, BadInputError, NotFoundError):
            continue
        if model.version == version:
            _keep(lake.store, model)
            yield model


def _keep(store: Store, model: Model) -> None:
    """Copy a model below `inputs/models/`, unless it lies there whole. Raises `BadInputError` where it changed."""
    if content_version(model.folder) != model.version:
        raise BadInputError(f"the model in {model.folder} changed while it was read; run this again")
    if is_kept_whole(store, model.version):
        return
    with store.writing(), workspace(store.staging()) as folder:
        for name in FILES:
            shutil.copyfile(model.folder / name, folder / name)
            store.put(folder / name, f"{MODELS_FOLDER}/{model.version}/{name}")


def _kept(store: Store, version: str, scratch: Path) -> Model | None:
    """A kept model as a local folder; None where it is gone or its content is not what its name says."""
    folder = scratch / version
    folder.mkdir(parents=True, exist_ok=True)
    try:
        for name in FILES:
            path = f"{MODELS_FOLDER}/{version}/{name}"
            store.forget(path)
            shutil.copyfile(store.fetch(path), folder / name)
        return open_model(folder) if content_version(folder) == version else None
    except (NotFoundError, BadInputError, FileNotFoundError):
        return None
