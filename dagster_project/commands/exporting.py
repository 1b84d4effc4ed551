"""What `minemap export` does: make the dataset's files where they are not current, and put them into a folder."""

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.table import Column, Table

from dagster_project.commands.context import Session, complain, console, counted, errors, note
from dagster_project.commands.execution import Wishes, execute
from dagster_project.commands.json_output import print_json
from dagster_project.commands.run_report import exit_code, summarise
from dagster_project.exit_codes import STOPPED
from minemap_assets.errors import BadInputError
from minemap_assets.graph.existing_inputs import existing_inputs
from minemap_assets.graph.fact_words import file_size
from minemap_assets.graph.graph import Scope
from minemap_assets.graph.partition_states import PartitionState
from minemap_assets.lake.disk_errors import storage_errors
from minemap_assets.lake.store import LocalStore
from minemap_assets.publication.dataset.checksums import changed_files
from minemap_assets.publication.dataset.dataset_part import Part, part_of
from minemap_assets.publication.dataset.facts import Facts, facts_of
from minemap_assets.publication.dataset.folder import FORMATS, dataset_of, describe, write_data
from minemap_assets.publication.dataset.pixels import Wanted, copy_rasters, rasters, refuse_restricted
from minemap_assets.publication.dataset_assets import DATASET_FILES, FOLDER, check_made
from minemap_assets.publication.review_assets import RELEASE_REVIEW
from minemap_assets.publication.standing import waits_for_a_person
from minemap_assets.tables.assets import YEARLY


@dataclass(frozen=True)
class Order:
    """What a person asked for: the folder, the formats of the data, the rasters, and how it is told.

    `years` and `regions` (slugs) are None for all.
    """

    folder: Path
    formats: tuple[str, ...]
    wanted: Wanted
    as_json: bool = False
    years: tuple[int, ...] | None = None
    regions: tuple[str, ...] | None = None

    @property
    def as_in_lake(self) -> bool:
        """True for the folder as it lies in the lake, of all years and regions."""
        return set(self.formats) == set(FORMATS) and not (self.wanted.imagery or self.wanted.masks)


def parse_formats(text: str | None) -> tuple[str, ...]:
    """Formats from a comma-separated list; without text, all. Raises `BadInputError` for one that is not known."""
    if text is None:
        return tuple(FORMATS)
    chosen = tuple(dict.fromkeys(part.strip().lower() for part in text.split(",") if part.strip()))
    for one in chosen:
        if one not in FORMATS:
            raise BadInputError(f"--formats: {one!r} is not written; choose from {', '.join(FORMATS)}")
    if not chosen:
        raise BadInputError(f"--formats: {text!r} names none; choose from {', '.join(FORMATS)}")
    return chosen


def export_dataset(session: Session, order: Order) -> int:
    """Write the folder; returns the exit code. Raises `BadInputError` for what cannot be exported, or not there."""
    _check_folder(session, order)
    context = existing_inputs(session.project, session.graph, DATASET_FILES.ref())
    check_made(context)
    part = part_of(context, order.years, order.regions)
    if order.wanted.imagery:
        refuse_restricted(rasters(part.of(context)), order.wanted)
    scope = Scope(
        # a part is made from the tables; only the whole is kept in the lake
        frozenset({RELEASE_REVIEW, DATASET_FILES} if part.whole else {RELEASE_REVIEW}),
        tuple(session.project.active_regions()),
        tuple(session.project.closed_years()),
    )
    report = execute(session, scope, Wishes(as_json=order.as_json))
    after = session.reopened()
    if exit_code(report):
        return _not_made(after, summarise(report))
    _tell_outdated(after)
    with after.project.lake.store.using(), storage_errors(order.folder.parent, "--to"):
        facts = _write(after, order, part)
    _tell(order, facts)
    return 0


def _not_made(session: Session, code: int) -> int:
    """Say that figures wait, where that is why; returns the exit code."""
    if not waits_for_a_person(session.project):
        return code
    complain(
        "figures wait for a person, so nothing was exported; look at them with `minemap release review`, and accept "
        "them with `minemap release accept`",
        word="Stopped: ",
        colour="yellow",
    )
    return STOPPED


def _check_folder(session: Session, order: Order) -> None:
    """Refuse to replace what is not an earlier export. Raises `BadInputError`."""
    folder, store = order.folder, session.project.lake.store
    if isinstance(store, LocalStore) and folder.resolve().is_relative_to(Path(store.root).resolve()):
        raise BadInputError(f"{folder} lies in the lake, which holds results only; name a folder elsewhere with --to")
    if not folder.exists():
        return
    if not folder.is_dir():
        raise BadInputError(f"{folder} is a file; name a folder with --to")
    foreign = changed_files(folder)
    if foreign:
        raise BadInputError(
            f"{folder} holds what no export wrote, or what was changed since, such as {foreign[0]}; name another "
            "folder with --to, or move it away"
        )


def _tell_outdated(session: Session) -> None:
    """Say where the tables behind the dataset are not what a run would make now."""
    states = Counter(
        session.states.state(asset, keys)
        for asset in YEARLY
        for keys in asset.partitions.every(session.project)
        if session.states.manifest(asset.ref(keys)) is not None
    )
    old = sum(number for state, number in states.items() if state is not PartitionState.CURRENT)
    if old:
        note(f"{counted(old, 'table')} behind these files would be made anew now; `minemap run`, then export again")


def _write(session: Session, order: Order, part: Part) -> Facts:
    """Write beside, then rename: a reader of the folder sees the earlier export or this one."""
    context = existing_inputs(session.project, session.graph, DATASET_FILES.ref())
    order.folder.parent.mkdir(parents=True, exist_ok=True)
    with _beside(order.folder) as fresh, errors.status("writing files") as status:
        if part.whole:
            shutil.copytree(session.project.lake.open(DATASET_FILES.ref()).tree(FOLDER), fresh, dirs_exist_ok=True)
        if part.whole and order.as_in_lake:
            facts = facts_of(context)
        else:
            dataset = dataset_of(context, part)
            facts = dataset.facts
            if not part.whole:
                write_data(dataset, fresh)
            _leave_out(order, fresh)
            chosen = [one for one in dataset.rasters if not one.left_out(order.wanted)]
            _check_room(sum(one.bytes for one in chosen), order.folder.parent)
            copy_rasters(
                chosen,
                order.wanted,
                facts.metadata(),
                fresh,
                lambda done: status.update(f"copying rasters: {done:,} of {len(chosen):,}"),
            )
            status.update("writing checksums")
            describe(dataset, order.wanted, fresh)
        _put_in_place(fresh, order.folder)
    return facts


@contextmanager
def _beside(folder: Path) -> Iterator[Path]:
    """An empty folder on the same disk, which is gone afterwards whatever happens."""
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as scratch:
        fresh = Path(scratch) / "fresh"
        fresh.mkdir()
        yield fresh


def _put_in_place(fresh: Path, folder: Path) -> None:
    """Exchange the folder; where that fails, the earlier one stays."""
    earlier = fresh.with_name("earlier")
    if folder.exists():
        folder.rename(earlier)
    try:
        fresh.rename(folder)
    except OSError:
        if earlier.exists():
            earlier.rename(folder)
        raise


def _leave_out(order: Order, folder: Path) -> None:
    """Remove the data of formats that were not asked for."""
    for name, patterns in FORMATS.items():
        if name not in order.formats:
            for path in (path for pattern in patterns for path in sorted(folder.glob(pattern))):
                path.unlink()
    for inside in (path for path in folder.iterdir() if path.is_dir() and not any(path.iterdir())):
        inside.rmdir()


def _check_room(needed: int, folder: Path) -> None:
    """Raises `BadInputError` where rasters do not fit: better before than after hours of copying."""
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise BadInputError(
            f"the rasters are {file_size(needed)}, and the disk of {folder} has {file_size(free)} free; name a folder "
            "on another disk with --to"
        )


def _tell(order: Order, facts: Facts) -> None:
    """What was written, how large it is, what stands against its licence, and the verdict."""
    paths = sorted(path for path in order.folder.rglob("*") if path.is_file())
    sizes: dict[str, tuple[int, int]] = {}
    for path in paths:
        inside = path.relative_to(order.folder)
        name = f"{inside.parts[0]}/" if len(inside.parts) > 1 else inside.name
        count, size = sizes.get(name, (0, 0))
        sizes[name] = (count + 1, size + path.stat().st_size)
    total = sum(size for _, size in sizes.values())
    if order.as_json:
        verdict, conflicts = facts.standing.verdict, [one.sentence for one in facts.conflicts]
        print_json(
            {
                "folder": str(order.folder),
                "title": facts.title,
                "part": " ".join(facts.part),
                "files": len(paths),
                "bytes": total,
                "verdict": verdict,
                "held_out_score": facts.held_out,
                "licence": facts.config.licence_database,
                "conflicts": conflicts,
            }
        )
        return
    table = Table(
        Column("in the folder", no_wrap=True), Column("files", justify="right"), Column("size", justify="right")
    )
    for name, (count, size) in sizes.items():
        table.add_row(name, f"{count:,}", file_size(size))
    console.print(table)
    lines = [f"{counted(len(paths), 'file')} ({file_size(total)}) in {order.folder}", *facts.part]
    if facts.conflicts:
        lines.append(f"Against the licence {facts.config.licence_database} stand, or are not known:")
        lines += [f"  - {one.sentence}" for one in facts.conflicts]
    else:
        lines.append(f"Licence {facts.config.licence_database}: no input's terms stand against it by their words.")
    lines += [f"Verdict on the model: {facts.standing.verdict}", f"Held-out score: {facts.held_out}"]
    for line in lines:
        console.print(line, markup=False, soft_wrap=True)
