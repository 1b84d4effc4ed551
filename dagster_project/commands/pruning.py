"""What `minemap prune` finds and deletes: the trash, pixels, chips, old models, orphans and caches, each by itself."""

import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum
from pathlib import Path, PurePosixPath

from dagster_project.commands.context import Session
from dagster_project.commands.prunable_partitions import Choice, PrunablePartitions, take_pixels_out
from dagster_project.environment import CACHES, COPIES
from minemap_assets.errors import NotFoundError
from minemap_assets.graph.graph import Graph, Scope
from minemap_assets.graph.partitioning import REGION
from minemap_assets.lake.copies import Copies
from minemap_assets.lake.input_history import FOLDER as INPUTS
from minemap_assets.lake.kept_files import KeptFiles
from minemap_assets.lake.manifests import PartitionRef
from minemap_assets.lake.partitions import MANIFEST
from minemap_assets.lake.trash import Trash
from minemap_assets.net.ledger import FOLDER as LEDGERS
from minemap_assets.project.project import Project
from minemap_assets.segmentation.model_origins import imports
from minemap_assets.segmentation.promotion import MODELS_FOLDER, in_use

LEDGER_DAYS = 30
"""No run of a launch goes on for so long without asking a source for anything."""


class Kind(Enum):
    """What may be pruned."""

    TRASH = "trash"
    PIXELS = "pixels"
    CHIPS = "chips"
    MODELS = "old models"
    ORPHANS = "orphans"
    CACHES = "caches"


@dataclass(frozen=True)
class Found:
    """What of one kind would go: files, bytes, and what stays with the reason.

    `note` says where it goes, if it is not deleted at once. `delete` does it, and returns what it left where it was.
    """

    kind: Kind
    files: int
    bytes: int
    delete: Callable[[], int] = field(repr=False)
    kept: Mapping[str, int] = field(default_factory=dict)
    note: str = ""


def find(session: Session, kinds: Iterable[Kind], scope: Scope, days: int) -> list[Found]:
    """What of these kinds could go now; nothing is deleted. The trash is looked at for what is older than `days`."""
    wanted = set(kinds)
    finders: dict[Kind, Callable[[], Found]] = {
        Kind.TRASH: lambda: _trash(session, days),
        Kind.PIXELS: lambda: _taken_out(session, Kind.PIXELS, PrunablePartitions(session, scope).pixels()),
        Kind.CHIPS: lambda: _taken_out(session, Kind.CHIPS, PrunablePartitions(session, scope).chips()),
        Kind.MODELS: lambda: _models(session),
        Kind.ORPHANS: lambda: _orphans(session),
        Kind.CACHES: lambda: _caches(session.project.lake.state),
    }
    return [look() for kind, look in finders.items() if kind in wanted]


def _trash(session: Session, days: int) -> Found:
    """The trash, and the ledgers of budgets to which nobody has written for long: their runs are over."""
    store = session.project.lake.store
    trash, before = Trash(store), _days_ago(days)
    ledgers = {path: one for path, one in store.entries(LEDGERS).items() if one.changed < _days_ago(LEDGER_DAYS)}
    everything = list(trash.everything())
    old = [thrown for thrown in everything if thrown.since < before]
    younger = f"lie there for less than {days} days"
    kept = {younger: len(everything) - len(old)} if len(everything) > len(old) else {}

    def delete() -> int:
        trash.empty(before)
        for path in ledgers:
            store.delete(path)
        return 0

    size = sum(thrown.bytes for thrown in old) + sum(entry.bytes for entry in ledgers.values())
    return Found(Kind.TRASH, len(old) + len(ledgers), size, delete, kept)


def _days_ago(days: int) -> int:
    return time.time_ns() - int(timedelta(days=days).total_seconds() * 1e9)


def _taken_out(session: Session, kind: Kind, choice: Choice) -> Found:
    chosen = choice.candidates
    kept = {f"partitions: {reason}": number for reason, number in sorted(choice.kept.items())}

    def delete() -> int:
        return sum(len(one.files) for one in take_pixels_out(session, chosen))

    return Found(kind, sum(len(one.files) for one in chosen), sum(one.bytes for one in chosen), delete, kept)


def _models(session: Session) -> Found:
    """Kept models that are not in use, did not come from elsewhere, and that nothing in the lake was made with."""
    project = session.project
    named = {one.version: "came from elsewhere" for one in imports(project)}
    for asset in session.graph.assets:
        for manifest in project.lake.manifests(asset.room, asset.name):
            for name in ("model_version", "version"):
                named.setdefault(str(manifest.summary.get(name, "")), "something in the lake was made with it")
    decision = in_use(project)
    if decision is not None:
        named[decision.version] = "in use"
    going: dict[str, int] = {}
    kept: dict[str, set[str]] = {}
    for path, entry in project.lake.store.entries(MODELS_FOLDER).items():
        version = PurePosixPath(path).parts[2]
        if version in named:
            kept.setdefault(f"models: {named[version]}", set()).add(version)
        else:
            going[path] = entry.bytes
    counts = {reason: len(versions) for reason, versions in sorted(kept.items())}
    return _thrown(session, Kind.MODELS, going, counts)


def _orphans(session: Session) -> Found:
    """Partitions that the project has no longer: of assets, regions, years or products that it does not name."""
    project, graph, store = session.project, session.graph, session.project.lake.store
    going: dict[str, int] = {}
    retired = Counter[str]()
    listed = {path: entry for path, entry in store.entries("").items() if _is_of_a_partition(path)}
    prefixes = {path.removesuffix(f"/{MANIFEST}") for path in listed if path.endswith(f"/{MANIFEST}")}
    orphans = set()
    for prefix in prefixes:
        ref = ref_at(prefix)
        if ref is None:
            continue
        if is_orphan(ref, graph, project):
            orphans.add(prefix)
        elif any(key in project.regions and project.regions[key].retired for key in ref.keys):
            retired["partitions of retired regions, which can be brought back"] += 1
    for path, entry in listed.items():
        if any(str(parent) in orphans for parent in PurePosixPath(path).parents):
            going[path] = entry.bytes
    return _thrown(session, Kind.ORPHANS, going, retired)


def _is_of_a_partition(path: str) -> bool:
    room = path.split("/", 1)[0]
    return "/" in path and room != INPUTS and not room.startswith(".")


def ref_at(prefix: str) -> PartitionRef | None:
    """The partition whose folder has this path in the lake; None for a path that is none of a partition."""
    room, *names = PurePosixPath(prefix).parts
    return PartitionRef(room, names[0], tuple(names[1:])) if names else None


def is_orphan(ref: PartitionRef, graph: Graph, project: Project) -> bool:
    """True for a partition of an asset, region, year or product that the project does not name any more.

    Retired regions are still the project's.
    """
    try:
        asset = graph.asset(ref)
    except KeyError:
        return True
    if len(ref.keys) != len(asset.partitions.dimensions):
        return True
    for dimension, key in zip(asset.partitions.dimensions, ref.keys, strict=True):
        known = project.regions if dimension.name == REGION else dimension.keys(project)
        if key not in known:
            return True
    return False


def _thrown(session: Session, kind: Kind, going: Mapping[str, int], kept: Mapping[str, int]) -> Found:
    """Files that go into the trash, manifests first: nobody takes half a partition for a whole one."""
    store = session.project.lake.store
    note = "into the trash" if going else ""

    def delete() -> int:
        trash = Trash(store)
        for path in sorted(going, key=lambda path: (not path.endswith(f"/{MANIFEST}"), path)):
            with suppress(NotFoundError):  # somebody else was faster
                trash.throw(path)
        return 0

    return Found(kind, len(going), sum(going.values()), delete, kept, note)


def _caches(state: Path) -> Found:
    """Copies and downloads of this machine; what is in use stays."""
    folders = [state / name for name in (*COPIES, *CACHES)]
    files, size = size_of(folders)

    def delete() -> int:
        for name in COPIES:
            if (state / name).is_dir():
                Copies(state / name, None).sweep(0)
        for name in CACHES:
            if (state / name).is_dir():
                KeptFiles(state / name, 0.0).fit()
        return size_of(folders)[0]

    return Found(Kind.CACHES, files, size, delete)


def size_of(folders: Iterable[Path]) -> tuple[int, int]:
    """Files and bytes below folders; locks and notes of nobody's use are counted like any other file."""
    files, size = 0, 0
    for folder in folders:
        for root, _, names in os.walk(folder):
            for name in names:
                with suppress(FileNotFoundError):
                    size += (Path(root) / name).stat().st_size
                    files += 1
    return files, size
