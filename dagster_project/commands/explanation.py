"""What `minemap explain` finds of a partition or an asset, and how it is printed; `--json` prints what is found."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rich.table import Column, Table

from dagster_project.commands.context import Session, console, counted, parse_years
from dagster_project.commands.partition_names import long_name
from minemap_assets.graph.context import Keys
from minemap_assets.graph.partition_states import PartitionState
from minemap_assets.graph.partitioning import REGION, YEAR
from minemap_assets.graph.reasons import Cause, Kind, Reason, Reasons
from minemap_assets.graph.statement import Asset
from minemap_assets.lake.manifests import Manifest, Missing, PartitionRef
from minemap_assets.lake.partitions import MANIFEST

ROWS = 12
"""Rows of a list that are printed at most."""

PARTITIONS = 60
"""Partitions of an asset that are printed at most."""


@dataclass(frozen=True)
class Input:
    """What a partition was, or would be, made from: its state now, and when it was published (ISO 8601, UTC)."""

    partition: str
    state: PartitionState
    written: str | None
    optional: bool


@dataclass(frozen=True)
class Held:
    """A file of a partition."""

    name: str
    path: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Origin:
    """Where a reason begins."""

    partition: str
    kind: Kind
    subject: str
    sentence: str


@dataclass(frozen=True)
class Explanation:
    """All that is known of one partition. `keys` by dimension; `follows` counts what was made from it, by asset, and
    `headline` is what is to be known of it before its figures.
    """

    partition: str
    asset: str
    keys: Mapping[str, str]
    description: str
    applies: bool
    state: PartitionState
    reasons: tuple[Reason, ...]
    causes: tuple[Origin, ...]
    made_from_what_is_not_current: tuple[Origin, ...]
    written: str | None
    folder: str
    code_version: str | None
    code_version_now: str
    settings: Mapping[str, str]
    inputs: tuple[Input, ...]
    files: tuple[Held, ...]
    bytes: int
    headline: Mapping[str, str]
    summary: Mapping[str, Any]
    missing: tuple[Missing, ...]
    follows: Mapping[str, int]
    command: str


@dataclass(frozen=True)
class Short:
    """A partition of an asset in a line; `why` is empty where it is current."""

    partition: str
    keys: Mapping[str, str]
    state: PartitionState
    why: str


@dataclass(frozen=True)
class AssetExplanation:
    """An asset and its partitions in short."""

    asset: str
    description: str
    applies: bool
    partitions: tuple[Short, ...]


def describe_asset(session: Session, asset: Asset) -> AssetExplanation:
    """All partitions of an asset but those of years that are not over and of which nothing was made."""
    reasons, closed = Reasons(session.graph, session.states), {str(year) for year in parse_years(None, session.project)}
    found = []
    for keys in asset.partitions.every(session.project):
        named = dict(zip(asset.partitions.names, keys, strict=True))
        if named.get(YEAR, min(closed, default="")) in closed or session.states.manifest(asset.ref(keys)) is not None:
            why = next((reason.sentence for reason in reasons.why(asset, keys)), "")
            found.append(Short(long_name(asset.ref(keys)), named, reasons.state(asset, keys), why))
    return AssetExplanation(str(asset), asset.description, session.graph.applies(asset), tuple(found))


def describe_partition(session: Session, asset: Asset, keys: Keys) -> Explanation:
    """All that is known of a partition."""
    reasons, ref = Reasons(session.graph, session.states), asset.ref(keys)
    manifest, lake = session.states.manifest(ref), session.project.lake
    files = () if manifest is None else manifest.files
    why = reasons.why(asset, keys)
    return Explanation(
        partition=long_name(ref),
        asset=str(asset),
        keys=dict(zip(asset.partitions.names, keys, strict=True)),
        description=asset.description,
        applies=session.graph.applies(asset),
        state=reasons.state(asset, keys),
        reasons=why,
        causes=_origins(reasons.causes(asset, keys)),
        made_from_what_is_not_current=_origins(reasons.pending(asset, keys)) if manifest is not None else (),
        written=_written(session, ref),
        folder=f"{lake.store.root}/{ref.prefix}",
        code_version=None if manifest is None else manifest.code_version,
        code_version_now=asset.code_version,
        settings={} if manifest is None else manifest.settings,
        inputs=_inputs(session, reasons, ref),
        files=tuple(Held(f.name, f"{lake.store.root}/{ref.prefix}/{f.path}", f.bytes, f.sha256) for f in files),
        bytes=sum(f.bytes for f in files),
        headline={} if manifest is None else asset.headline(session.project, manifest),
        summary={} if manifest is None else manifest.summary,
        missing=() if manifest is None else manifest.missing,
        follows=_follows(session, ref),
        command=_command(asset, keys, why, manifest),
    )


def _origins(causes: Iterable[Cause]) -> tuple[Origin, ...]:
    return tuple(Origin(long_name(c.ref), c.reason.kind, c.reason.subject, c.reason.sentence) for c in causes)


def _written(session: Session, ref: PartitionRef) -> str | None:
    """When it was published, as its store says; None where it was not.

    The manifest is written last, but its time moves on where its files were read again and found whole.
    """
    entries = dict(session.project.lake.store.entries(ref.prefix))
    own = entries.pop(f"{ref.prefix}/{MANIFEST}", None)
    if own is None:
        return None
    changed = min(own.changed, max((entry.changed for entry in entries.values()), default=own.changed))
    return datetime.fromtimestamp(changed / 1e9, UTC).isoformat("T", "seconds")


def _inputs(session: Session, reasons: Reasons, ref: PartitionRef) -> tuple[Input, ...]:
    """What it is made from; of what it may do without, only what exists."""
    return tuple(
        Input(long_name(one), reasons.state(session.graph.asset(one), one.keys), _written(session, one), dep.optional)
        for one, dep in reasons.reads(ref).items()
        if not dep.optional or session.states.manifest(one) is not None
    )


def _follows(session: Session, ref: PartitionRef) -> dict[str, int]:
    """How many partitions that exist were made from it, directly or not, by asset."""
    lake = session.project.lake
    followers = session.graph.followers(ref)
    assets = dict.fromkeys((one.room, one.asset) for one in followers)
    made = {one for room, asset in assets for one in lake.refs(room, asset)}
    return dict(Counter(f"{one.room}/{one.asset}" for one in followers if one in made))


def _command(asset: Asset, keys: Keys, why: Sequence[Reason], manifest: Manifest | None) -> str:
    """The command that makes the partition, with all that it lacks where it lacks something."""
    named = dict(zip(asset.partitions.names, keys, strict=True))
    lacks = manifest is None and any(reason.kind is Kind.UPSTREAM for reason in why)
    words = ["minemap run --select", f"+{asset}" if lacks else str(asset)]
    words += [f"--regions {named[REGION]}"] if REGION in named else []
    words += [f"--years {named[YEAR]}"] if YEAR in named else []
    return " ".join(words)


def show_asset(found: AssetExplanation) -> None:
    """Print an asset and its partitions in short."""
    _say(f"{found.asset}: {found.description}")
    if not found.applies:
        _say("This project has nothing to make it from.")
    table = Table("partition", "state", "why")
    for one in found.partitions[:PARTITIONS]:
        table.add_row(_plain(" ".join(one.keys.values())), one.state.value, _plain(one.why))
    console.print(table)
    if len(found.partitions) > PARTITIONS:
        _say(f"{len(found.partitions) - PARTITIONS} more; --json names them all.")
    states = Counter(one.state for one in found.partitions)
    told = ", ".join(f"{states[state]} {state.value}" for state in PartitionState if states[state])
    _say(f"{counted(len(found.partitions), 'partition')}: {told or 'none yet'}.")


def show_partition(found: Explanation) -> None:
    """Print all that is known of a partition, the state first."""
    _say(f"{found.partition} is {_IN_WORDS.get(found.state, found.state.value)}.")
    _say(found.description)
    if not found.applies:
        _say("This project has nothing to make it from.")
    _show_reasons(found)
    if found.code_version is not None:
        _show_contents(found)
    _show_inputs(found)
    if found.follows:
        when = "Once it is made" if found.state is PartitionState.MISSING else "If it changes"
        counts = ", ".join(f"{asset} {number}" for asset, number in found.follows.items())
        _say(f"{when}, up to {counted(sum(found.follows.values()), 'partition')} are made again: {counts}.")
    if not found.applies:
        return
    if found.state is PartitionState.CURRENT:
        _say(f"`{found.command}` has nothing to do; with --force it makes it again.")
    else:
        _say(f"`{found.command}` makes it.")


_IN_WORDS = {PartitionState.GAPS: "made, with gaps", PartitionState.MISSING: "not made"}


def _show_reasons(found: Explanation) -> None:
    told = [reason.sentence for reason in found.reasons if reason.kind is not Kind.NEVER_MADE]
    _list(told, "reason")
    if found.state is PartitionState.CURRENT and found.made_from_what_is_not_current:
        _say("It is made again where what it is made from comes out different, which is not all current:")
        _list([_placed(cause) for cause in found.made_from_what_is_not_current], "cause")
    elsewhere = [_placed(cause) for cause in found.causes if not any(_is_told(cause, sentence) for sentence in told)]
    if told and elsewhere:
        _say("It begins with:")
        _list(elsewhere, "cause")


def _is_told(cause: Origin, sentence: str) -> bool:
    """Whether a sentence on an input says already what begins there."""
    never_made = cause.kind is Kind.NEVER_MADE and f"{cause.subject}, which has not been made" in sentence
    return never_made or cause.sentence in sentence


def _placed(cause: Origin) -> str:
    """A cause with the partition that it concerns."""
    short = cause.partition.split("/", 1)[1]
    return cause.sentence if short in cause.sentence else f"{cause.partition}: {cause.sentence}"


def _list(sentences: Sequence[str], noun: str) -> None:
    for sentence in sentences[:ROWS]:
        _say(f"  - {sentence}")
    _more(len(sentences), noun)


def _show_contents(found: Explanation) -> None:
    written = str(found.written).replace("T", " ").removesuffix("+00:00")
    now = "" if found.code_version == found.code_version_now else f", now {found.code_version_now}"
    _say(f"Written {written} UTC by code version {found.code_version}{now}, in {found.folder}")
    _say(f"Holds {counted(len(found.files), 'file')}, {_size(found.bytes)}:")
    for file in found.files[:ROWS]:
        _say(f"  {file.name} ({_size(file.bytes)})")
    _more(len(found.files), "file")
    for name, told in found.headline.items():
        _say(f"{name[:1].upper()}{name[1:]}: {told}")
    facts = [f"  {name.replace('_', ' ')}: {_fact(value)}" for name, value in found.summary.items()]
    if facts:
        _say("Facts:")
    for fact in facts:
        _say(fact)
    if found.missing:
        _say(f"Missing {len(found.missing)}:")
    for missing in found.missing[:ROWS]:
        again = "tried again by the next run" if missing.retry else "not tried again while its inputs stay as they are"
        _say(f"  {missing.item}: {missing.reason} ({again})")
    _more(len(found.missing), "missing item")
    if found.settings:
        _say("Settings and files of the project that it was made with:")
    for name, value in found.settings.items():
        _say(f"  {name} = {value}")


def _show_inputs(found: Explanation) -> None:
    if not found.inputs:
        return
    table = Table(
        Column("made from" if found.written else "would be made from", no_wrap=True), "state", "written (UTC)"
    )
    for one in found.inputs[:ROWS]:
        written = (one.written or "·").replace("T", " ").removesuffix("+00:00")
        table.add_row(_plain(one.partition), one.state.value, written)
    console.print(table)
    _more(len(found.inputs), "input")


def _more(number: int, noun: str) -> None:
    if number > ROWS:
        _say(f"  and {counted(number - ROWS, f'more {noun}')}; --json names them all")


def _fact(value: Any) -> str:
    """A fact of a summary in one line."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_fact(inner)}" for name, inner in value.items()) or "none"
    if isinstance(value, list | tuple):
        shown = ", ".join(f"({_fact(one)})" if isinstance(one, Mapping) else _fact(one) for one in value[:ROWS])
        return f"{shown or 'none'}{', ...' if len(value) > ROWS else ''}"
    if isinstance(value, float):
        return f"{value:.6g}"
    return "none" if value is None or value == "" else str(value)


def _size(size: int) -> str:
    return f"{size / 1e6:,.1f} MB" if size >= 100_000 else f"{size:,} bytes"


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(text)


def _say(sentence: str) -> None:
    console.print(sentence, markup=False, soft_wrap=True)
