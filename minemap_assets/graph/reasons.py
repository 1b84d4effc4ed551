"""Why a partition is not current: what differs from when it was made, what it lacks, and where that begins.

`Reasons(graph, states).why(asset, keys)` gives a partition's own reasons, `.causes(asset, keys)` those at the
beginning: its own, or those of what it is made from. What was looked up once stays so for as long as one `Reasons` is
used.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from minemap_assets.errors import MinemapError, StorageError
from minemap_assets.graph.context import Keys
from minemap_assets.graph.graph import Graph
from minemap_assets.graph.partition_states import PartitionState, PartitionStates
from minemap_assets.graph.setting_texts import HASHED, in_words, setting_texts
from minemap_assets.graph.statement import Asset, Dep
from minemap_assets.lake.manifests import Manifest, PartitionRef


class Kind(StrEnum):
    """What sort of reason it is."""

    NEVER_MADE = "never made"
    CANNOT = "cannot be made"
    UPSTREAM = "waits for an input"
    DAMAGED = "damaged"
    CHECK = "failed a check"
    GAPS = "gaps"
    OUTSIDE = "lost outside the lake"
    CODE = "code changed"
    SETTING = "setting changed"
    INPUT = "input changed"
    ASKED = "asked for again"


@dataclass(frozen=True)
class Reason:
    """One reason why a partition is not current, in a sentence.

    `subject` is what it is about: the name of a setting, a partition, a file, a site, a check; empty where there is
    nothing to name.
    """

    kind: Kind
    subject: str
    sentence: str


@dataclass(frozen=True)
class Cause:
    """Where something begins: a reason, and the partition whose own reason it is."""

    ref: PartitionRef
    reason: Reason


_STATES = {
    PartitionState.OUTDATED: "is outdated",
    PartitionState.DAMAGED: "is damaged",
    PartitionState.GAPS: "has gaps or failed a check",
    PartitionState.MISSING: "has not been made",
}


class Reasons:
    """Reasons for the partitions of one graph, as one project snapshot sees them."""

    def __init__(self, graph: Graph, states: PartitionStates) -> None:
        self._graph = graph
        self._states = states
        self._project = states.project
        self._found: dict[PartitionRef, PartitionState] = {}
        self._own: dict[PartitionRef, tuple[Reason, ...]] = {}
        self._lacking: dict[PartitionRef, list[PartitionRef]] = {}
        self._causes: dict[PartitionRef, tuple[Cause, ...]] = {}
        self._pending: dict[PartitionRef, bool] = {}

    def state(self, asset: Asset, keys: Keys) -> PartitionState:
        """The partition's state."""
        return self._state(asset.ref(keys))

    def why(self, asset: Asset, keys: Keys) -> tuple[Reason, ...]:
        """Why the partition is not current; empty where it is."""
        ref = asset.ref(keys)
        return () if self._state(ref) is PartitionState.CURRENT else (*self._of(ref), *self._upstream(ref))

    def causes(self, asset: Asset, keys: Keys) -> tuple[Cause, ...]:
        """Where it begins that the partition is not current; empty where it is."""
        return self._begins(asset.ref(keys))

    def is_pending(self, asset: Asset, keys: Keys) -> bool:
        """Whether something that the partition is made from, directly or not, is not current.

        A current one is made again where that comes out different.
        """
        return self._is_pending(asset.ref(keys))

    def pending(self, asset: Asset, keys: Keys) -> tuple[Cause, ...]:
        """Where it begins that something the partition is made from, directly or not, is not current."""
        found: dict[Cause, None] = {}
        seen, open_ = set[PartitionRef](), self._existing(asset.ref(keys))
        while open_:
            ref = open_.pop(0)
            if ref not in seen:
                seen.add(ref)
                found.update((cause, None) for cause in self._begins(ref))
                open_ += self._existing(ref)
        return tuple(found)

    def reads(self, ref: PartitionRef) -> Mapping[PartitionRef, Dep]:
        """What a partition is made from."""
        return self._graph.reads(self._graph.asset(ref), ref.keys)

    def _state(self, ref: PartitionRef) -> PartitionState:
        if ref not in self._found:
            self._found[ref] = self._states.state(self._graph.asset(ref), ref.keys)
        return self._found[ref]

    def _begins(self, ref: PartitionRef) -> tuple[Cause, ...]:
        if ref not in self._causes:
            found: dict[Cause, None] = {}
            if self._state(ref) is not PartitionState.CURRENT:
                found.update((Cause(ref, reason), None) for reason in self._of(ref))
                if not found:
                    found.update((cause, None) for one in self._lacks(ref) for cause in self._begins(one))
            self._causes[ref] = tuple(found)
        return self._causes[ref]

    def _is_pending(self, ref: PartitionRef) -> bool:
        if ref not in self._pending:
            self._pending[ref] = any(
                self._state(one) is not PartitionState.CURRENT or self._is_pending(one) for one in self._existing(ref)
            )
        return self._pending[ref]

    def _existing(self, ref: PartitionRef) -> list[PartitionRef]:
        """Inputs, without those that it may do without and that were never made."""
        return [one for one, dep in self.reads(ref).items() if not dep.optional or self._states.manifest(one)]

    def _of(self, ref: PartitionRef) -> tuple[Reason, ...]:
        """A partition's own reasons, without what it waits for."""
        if ref not in self._own:
            manifest = self._states.manifest(ref)
            found = self._unmade(ref) if manifest is None else self._differences(ref, manifest)
            self._own[ref] = tuple(found)
        return self._own[ref]

    def _unmade(self, ref: PartitionRef) -> Iterator[Reason]:
        unreadable = self._states.unreadable(ref)
        if unreadable is not None:
            yield Reason(Kind.DAMAGED, "manifest.json", str(unreadable))
        elif not self._lacks(ref):
            error = self._settings_error(ref)
            if error is not None:
                yield Reason(Kind.CANNOT, str(ref), error)
            else:
                yield Reason(Kind.NEVER_MADE, str(ref), f"{ref} has not been made yet")

    def _settings_error(self, ref: PartitionRef) -> str | None:
        """What keeps a partition from being made, however often it is tried."""
        try:
            self._graph.asset(ref).settings(self._project, ref.keys)
        except StorageError:
            raise
        except MinemapError as error:
            return str(error)
        return None

    def _differences(self, ref: PartitionRef, manifest: Manifest) -> Iterator[Reason]:
        """What is wrong with a partition that was made."""
        if self._state(ref) is PartitionState.DAMAGED:
            yield from _damages([f.name for f in self._project.lake.damaged(manifest)])
            return
        found = list(self._faults(ref, manifest))
        yield from found
        if not found and not self._lacks(ref):
            why = "its manifest does not name it" if manifest.settings else "an earlier version of minemap made it"
            yield Reason(
                Kind.SETTING, "", f"a setting or another file of the project changed; which one is not known, as {why}"
            )

    def _faults(self, ref: PartitionRef, manifest: Manifest) -> Iterator[Reason]:
        asset = self._graph.asset(ref)
        for sentence in manifest.rejected:
            yield Reason(Kind.CHECK, sentence.removeprefix("check ").split(" ", 1)[0], sentence)
        yield from _gaps(manifest)
        if self._project.is_forced(ref):
            yield Reason(Kind.ASKED, str(ref), "it was asked for again, though it is current")
        if not asset.intact(self._project, ref.keys):
            yield Reason(Kind.OUTSIDE, str(ref), "a file that it keeps outside its own folder is gone or was changed")
        yield from self._changes(ref, asset, manifest)

    def _changes(self, ref: PartitionRef, asset: Asset, manifest: Manifest) -> Iterator[Reason]:
        """What of its fingerprint is not what it was."""
        if manifest.code_version != asset.code_version:
            yield Reason(
                Kind.CODE,
                asset.code_version,
                f"the code that makes {asset} changed from version {manifest.code_version} to {asset.code_version}",
            )
        try:
            config = asset.settings(self._project, ref.keys)
        except StorageError:
            raise
        except MinemapError as error:
            yield Reason(Kind.CANNOT, str(ref), str(error))
        else:
            if manifest.settings:
                now = setting_texts(self._project, asset, ref.keys, config)
                yield from self._settings(manifest.settings, now)
        yield from self._inputs(ref, manifest)

    def _settings(self, before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[Reason]:
        for name in sorted({*before, *now}):
            old, new = before.get(name), now.get(name)
            if old != new:
                yield Reason(Kind.SETTING, name, f"{in_words(self._project, name)} {_changed(old, new)}")

    def _inputs(self, ref: PartitionRef, manifest: Manifest) -> Iterator[Reason]:
        """What happened to inputs since; what it lacks is told as such."""
        now, before = {}, manifest.inputs
        others = {str(one) for one in self._lacks(ref)}
        for one in self.reads(ref):
            found = self._states.manifest(one)
            if found is not None and found.rejected and str(one) in before.keys() - others:
                others.add(str(one))
                yield Reason(Kind.INPUT, str(one), f"input {one} failed a check since, and is left out")
            elif found is not None and not found.rejected:
                now[str(one)] = found.content
        different = sorted(name for name in before.keys() & now.keys() if before[name] != now[name])
        yield from _of_inputs(different, "was made again and holds something else now")
        yield from _of_inputs(sorted(now.keys() - before.keys()), "is new: it was not there when this was made")
        gone = sorted(before.keys() - now.keys() - others)
        yield from _of_inputs(gone, "is gone or no longer asked for")

    def _lacks(self, ref: PartitionRef) -> list[PartitionRef]:
        """Inputs that keep it from being made: never made or with a failed check where it needs them, or unreadable."""
        if ref not in self._lacking:
            reads = self.reads(ref)
            needed = [one for one, dep in reads.items() if not dep.optional]
            lacking = [
                one for one in reads if self._states.unreadable(one) or (one in needed and not self._usable(one))
            ]
            if not lacking and self._states.manifest(ref) is None:
                lacking = self._comes_after(ref) if needed or not reads else self._may_read(ref)
            self._lacking[ref] = lacking
        return self._lacking[ref]

    def _may_read(self, ref: PartitionRef) -> list[PartitionRef]:
        """Of a partition that needs nothing, all that it may read, where nothing of that exists."""
        reads = self.reads(ref)
        return [] if any(map(self._usable, reads)) else [one for one, dep in reads.items() if dep.mapping.reach is None]

    def _comes_after(self, ref: PartitionRef) -> list[PartitionRef]:
        """Of one that cannot be made, what only has to come before it and was never made."""
        asset = self._graph.asset(ref)
        earlier = [(dep, upstream) for dep, upstream in self._graph.upstream(asset) if dep.lineage]
        if not earlier or self._settings_error(ref) is None:
            return []
        before = [
            upstream.ref(keys)
            for dep, upstream in earlier
            for keys in dep.mapping.keys(self._project, upstream.partitions, asset.partitions, ref.keys)
        ]
        return [one for one in before if not self._usable(one)]

    def _usable(self, ref: PartitionRef) -> bool:
        manifest = self._states.manifest(ref)
        return manifest is not None and not manifest.rejected

    def _upstream(self, ref: PartitionRef) -> Iterator[Reason]:
        """Inputs that it lacks, or that are not current themselves; of each asset together."""
        by_asset: dict[str, list[PartitionRef]] = {}
        lacking = self._lacks(ref)
        for one in lacking or self._not_current(ref):
            by_asset.setdefault(f"{one.room}/{one.asset}", []).append(one)
        for asset, refs in by_asset.items():
            many = f"{len(refs)} partitions of {asset} such as " if len(refs) > 1 else ""
            yield Reason(Kind.UPSTREAM, str(refs[0]), f"it is made from {many}{self._condition(refs[0])}")

    def _not_current(self, ref: PartitionRef) -> list[PartitionRef]:
        if self._states.manifest(ref) is None:
            return []
        stale = (PartitionState.OUTDATED, PartitionState.DAMAGED)
        return [one for one in self.reads(ref) if self._state(one) in stale]

    def _condition(self, ref: PartitionRef) -> str:
        first = next(iter(self._begins(ref)), None)
        condition = f"{ref}, which {_STATES.get(self._state(ref), 'is not current')}"
        if first is None or (first.ref == ref and first.reason.kind is Kind.NEVER_MADE):
            return condition
        if first.reason.kind is Kind.NEVER_MADE:
            return f"{condition}; it begins with {first.ref}, which has not been made either"
        if first.ref == ref or str(first.ref) in first.reason.sentence:
            return f"{condition}: {first.reason.sentence}"
        return f"{condition}; it begins with {first.ref}: {first.reason.sentence}"


def _gaps(manifest: Manifest) -> Iterator[Reason]:
    """What is missing and tried again, of each reason together."""
    by_reason: dict[str, list[str]] = {}
    for missing in manifest.missing:
        if missing.retry:
            by_reason.setdefault(missing.reason, []).append(missing.item)
    for reason, items in by_reason.items():
        which = f"{items[0]} is missing" if len(items) == 1 else f"{len(items)} such as {items[0]} are missing"
        yield Reason(Kind.GAPS, items[0], f"{which} and tried again by the next run: {reason}")


def _damages(names: Iterable[str]) -> Iterator[Reason]:
    for name in names:
        yield Reason(Kind.DAMAGED, name, f"its file {name} is gone or not what was published")


def _of_inputs(names: Sequence[str], what: str) -> Iterator[Reason]:
    """What happened to inputs, of each asset together; names as in manifests, `sites[north]`."""
    by_asset: dict[str, list[str]] = {}
    for name in names:
        by_asset.setdefault(name.split("[", 1)[0], []).append(name)
    for asset, refs in by_asset.items():
        which = refs[0] if len(refs) == 1 else f"each of {len(refs)} partitions of {asset}, such as {refs[0]},"
        yield Reason(Kind.INPUT, refs[0], f"input {which} {what}")


def _changed(old: str | None, new: str | None) -> str:
    if old is None:
        return f"is new: {_shown(new)}" if _shown(new) else "is new"
    if new is None:
        return "does not count any more"
    return f"changed from {_shown(old)} to {_shown(new)}" if _shown(old) and _shown(new) else "changed"


def _shown(text: str | None) -> str:
    """A value's text for people; empty for one that is known by its hash only."""
    if text is None or text.startswith(HASHED):
        return ""
    return text.removesuffix(".0") if text.removesuffix(".0").lstrip("-").isdigit() else text
