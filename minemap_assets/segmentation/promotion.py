"""Promotion: which model maps are made with, as a person decided, and a copy of that model which outlives retraining.

The decisions are an input of the project, `inputs/promotion.json`; the last one holds. Each keeps the verdict that
stood when it was made, which the tables carry. The models that were ever in use or came from elsewhere lie below
`inputs/models/`, each under the hash of its content.
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
from minemap_assets.reference.registered import has_labels
from minemap_assets.segmentation.artefact import (
    MODEL,
    NEEDED,
    Model,
    content_version,
    load_model,
    model_files,
    open_model,
)
from minemap_assets.segmentation.model_origins import imports, origin_of
from minemap_assets.segmentation.verdict import Grade, Verdict, verdict_of

PROMOTION_PATH = "inputs/promotion.json"
MODELS_FOLDER = "inputs/models"

NEVER_PROMOTED = (
    "no model is in use yet; look at model_evaluation, then put the trained one in use with `minemap promote`"
)

NEVER_BROUGHT = (
    "no model is in use yet; `minemap model list` shows those that are kept, and `minemap model promote` puts one in "
    "use"
)

NOTHING_TO_TRAIN_ON = (
    "no model is in use, and no outlines with the role `labels` are registered to train one on; register some with "
    "`minemap reference add`, or bring a model that was made elsewhere with `minemap model import`"
)

NOT_RECORDED = "not recorded"
"""Stands in place of a grade where a model was put in use by a minemap that wrote none down."""

NONE_IN_USE = "no model in use"
"""Stands in place of a grade where no model is in use."""

NOT_SCORED = "it has not been scored; `minemap run --select +model_evaluation` scores the model that was trained last"

MADE_ELSEWHERE = "it was made elsewhere and has not been scored on this project's ground"


class Promotion(StrictModel):
    """One decision: the model's version (the hash of its content), who decided, when (ISO 8601, UTC), and why.

    `verdict` is the grade that the model had then, and `sentence` what it rests on.
    """

    version: str
    by: str
    at: str
    note: str = ""
    verdict: str = NOT_RECORDED
    sentence: str = ""


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
    if made:
        return made[-1].version
    if imports(project):
        raise BadInputError(NEVER_BROUGHT)
    raise BadInputError(NEVER_PROMOTED if has_labels(project) else NOTHING_TO_TRAIN_ON)


def in_use(project: Project) -> Promotion | None:
    """The decision that holds; None where no model is in use."""
    made = promotions(project)
    return made[-1] if made else None


def mark_of(project: Project) -> str:
    """The grade that tables carry: that of the model in use, as it was when that was decided."""
    decision = in_use(project)
    return NONE_IN_USE if decision is None else decision.verdict


def recorded_verdict(project: Project, version: str) -> Verdict | None:
    """The verdict that was written down when a model was last put in use; None where there is none."""
    for decision in reversed(promotions(project)):
        if decision.version == version and decision.verdict in set(Grade):
            return Verdict(Grade(decision.verdict), decision.sentence, version)
    return None


def verdict_on(project: Project, version: str) -> Verdict:
    """What is known of one model's worth: its scores here, or else what was written down when it was in use before.

    A model without either cannot be judged, and the sentence says why.
    """
    try:
        found = verdict_of(project)
    except DamagedError as damage:
        return Verdict(Grade.UNKNOWN, f"its scores cannot be read: {damage}", version)
    if found is not None and found.model_version == version:
        return found
    recorded = recorded_verdict(project, version)
    if recorded is not None:
        return recorded
    return Verdict(Grade.UNKNOWN, NOT_SCORED if origin_of(project, version) is None else MADE_ELSEWHERE, version)


def promote(project: Project, model: Model, by: str, note: str = "", now: datetime | None = None) -> Promotion:
    """Put a model in use from now on: keep a copy of it, then write down the decision with the verdict on it.

    Promoting what is in use already changes nothing, unless the verdict on it is another one by now. Raises
    `BadInputError` where the model's files are not what its version says.
    """
    store = project.lake.store
    keep(store, model)
    verdict = verdict_on(project, model.version)
    decision = Promotion(
        version=model.version,
        by=by,
        at=(now or datetime.now(UTC)).isoformat("T", "seconds"),
        note=note,
        verdict=str(verdict.grade),
        sentence=verdict.sentence,
    )
    told = (decision.version, decision.verdict, decision.sentence)

    def add(data: bytes | None) -> bytes:
        with Inputs(store).reading(PROMOTION_PATH, data):
            made = parse_promotions(data, store.root).promotions
        if data is not None and made and (made[-1].version, made[-1].verdict, made[-1].sentence) == told:
            return data
        text = Promotions(promotions=(*made, decision)).model_dump_json(indent=1)
        return f"{text}\n".encode()

    Inputs(store).change(PROMOTION_PATH, add)
    project.wrote(PROMOTION_PATH, store.read_bytes(PROMOTION_PATH))
    return promotions(project)[-1]


def find_model(lake: Lake, version: str, trained: PartitionRef, scratch: Path) -> Model | None:
    """The model whose version begins so: the trained one, or one that is kept; None where there is none.

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
    """Versions of the models that were ever in use, or came from elsewhere."""
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
        _copy(found.folder, folder)
    if content_version(folder) != version:
        raise BadInputError(f"the model in {found.folder} changed while it was copied; run this again")
    writer.add(MODEL)
    products = {name: dict(card.operating_points) for name, card in sorted(found.card.products.items())}
    decision = promotions(project)[-1]
    said = {"promoted_by": decision.by, "promoted_at": decision.at, "note": decision.note, "verdict": decision.verdict}
    return Outcome({"version": version, **said, "products": products, "bands": list(found.card.bands)})


def is_kept_whole(store: Store, version: str) -> bool:
    """Whether a kept model still has the content it is named by."""
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
    made = project.lake.manifest(pinned)
    held = (file.name.removeprefix(f"{MODEL}/") for file in made.files) if made is not None else iter(NEEDED)
    if not all(f"{MODELS_FOLDER}/{version}/{name}" in copy for name in held):
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
            keep(lake.store, model)
            yield model


def keep(store: Store, model: Model) -> None:
    """Copy a model below `inputs/models/`, unless it lies there whole. Raises `BadInputError` where it changed."""
    if content_version(model.folder) != model.version:
        raise BadInputError(f"the model in {model.folder} changed while it was read; run this again")
    if is_kept_whole(store, model.version):
        return
    with store.writing(), workspace(store.staging()) as folder:
        _copy(model.folder, folder)
        for name in model_files(folder):
            store.put(folder / name, f"{MODELS_FOLDER}/{model.version}/{name}")


def _copy(source: Path, target: Path) -> None:
    for name in model_files(source):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / name, target / name)


def _kept(store: Store, version: str, scratch: Path) -> Model | None:
    """A kept model as a local folder; None where it is gone or its content is not what its name says."""
    folder, prefix = scratch / version, f"{MODELS_FOLDER}/{version}/"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        for path in sorted(store.list(prefix.rstrip("/"))):
            store.forget(path)
            copy = folder / path.removeprefix(prefix)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(store.fetch(path), copy)
        return open_model(folder) if content_version(folder) == version else None
    except (NotFoundError, BadInputError, FileNotFoundError):
        return None
