"""What is due though nothing asked for it: partitions that are not current, and can be made without deciding anything.

Automation asks when an input changes; this asks when something is not as it should be, whatever became of it: a setting
that changed, damage, a run that died, sites that failed. It leaves alone what is only missing because nobody asked for
it (images), what waits for a person (training, promotion, and everything that is outdated by these alone), and what
follows from something that is about to be made.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum

from minemap_assets.graph.graph import Graph
from minemap_assets.graph.partition_states import PartitionState, PartitionStates
from minemap_assets.graph.reasons import Kind, Reason, Reasons
from minemap_assets.graph.statement import Asset
from minemap_assets.lake.manifests import PartitionRef


class Turn(Enum):
    """What is to be done about a partition that is not current."""

    NOW = "now"
    RESTS = "rests"
    """It was tried, and is not to be tried again yet; what follows from it does not wait for it."""
    IS_MADE = "is made"
    """A run makes it; what follows from it waits."""


def _always_now(_: PartitionRef) -> Turn:
    return Turn.NOW


@dataclass
class Walk:
    """One walk over the graph, inputs before what is made from them.

    `turn` decides about a partition that is due; `is_over` tells that the time is over. `cut` is then the partition at
    which the next walk begins, and `hopeless` holds a sentence for each partition that no run could make.
    """

    graph: Graph
    states: PartitionStates
    turn: Callable[[PartitionRef], Turn] = _always_now
    is_over: Callable[[], bool] = lambda: False
    under_way: frozenset[PartitionRef] = frozenset()
    cut: PartitionRef | None = None
    hopeless: dict[PartitionRef, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._reasons = Reasons(self.graph, self.states)
        self._awaited = set(self.under_way)

    def due(self, limit: int, begin: PartitionRef | None = None) -> list[PartitionRef]:
        """At most `limit` partitions that are to be made now, from one on (None: from the first)."""
        found: list[PartitionRef] = []
        begun = begin is None
        for asset, ref in self._every():
            begun = begun or ref == begin
            if not begun:
                continue
            if len(found) >= limit or self.is_over():
                self.cut = ref
                break
            if self._is_due(asset, ref):
                found.append(ref)
        return found

    def _every(self) -> Iterator[tuple[Asset, PartitionRef]]:
        """Partitions of the assets that may be asked for, and of those that are read by them."""
        for asset in (asset for stage in self.graph.stages for asset in stage):
            if (asset.automated or asset.fetched) and self.graph.applies(asset):
                for keys in asset.partitions.every(self.states.project):
                    yield asset, asset.ref(keys)

    def _is_due(self, asset: Asset, ref: PartitionRef) -> bool:
        if self._awaited and any(one in self._awaited for one in self._reasons.reads(ref)):
            self._awaited.add(ref)
            return False
        if not self._is_wrong(asset, ref):
            return False
        turn = self.turn(ref)
        if turn is not Turn.RESTS:
            self._awaited.add(ref)
        return turn is Turn.NOW

    def _is_wrong(self, asset: Asset, ref: PartitionRef) -> bool:
        state = self._reasons.state(asset, ref.keys)
        if state is PartitionState.CURRENT or (state is PartitionState.MISSING and asset.fetched):
            return False
        why = self._reasons.why(asset, ref.keys)
        cannot = [reason.sentence for reason in why if reason.kind is Kind.CANNOT]
        if cannot:
            self.hopeless[ref] = cannot[0]
            return False
        if state is PartitionState.MISSING:
            return all(reason.kind is Kind.NEVER_MADE for reason in why) and self._is_begun(asset, ref)
        if self._would_come_out_the_same(asset, ref):
            return False
        own = [reason for reason in why if reason.kind is not Kind.UPSTREAM]
        return self._has_inputs(asset, ref) and not all(self._is_decided(asset, reason) for reason in own)

    def _would_come_out_the_same(self, asset: Asset, ref: PartitionRef) -> bool:
        """Whether it failed a check, and has to fail it again: what fetches nothing depends on its inputs alone."""
        manifest = self.states.manifest(ref)
        if asset.fetched or manifest is None or not manifest.rejected or any(one.retry for one in manifest.missing):
            return False
        return self.states.is_made_from_now(asset, ref.keys, manifest)

    def _is_begun(self, asset: Asset, ref: PartitionRef) -> bool:
        """Whether there is anything of it: of inputs that it may do without, and that ask for it, one at least."""
        asking = {upstream for dep, upstream in self.graph.upstream(asset) if dep.optional and dep.triggers}
        if not asking:
            return True
        refs = (one for one in self._reasons.reads(ref) if self.graph.asset(one) in asking)
        return any(manifest is not None and not manifest.rejected for manifest in map(self.states.manifest, refs))

    def _has_inputs(self, asset: Asset, ref: PartitionRef) -> bool:
        manifests = (self.states.manifest(one) for one in self.graph.needs(asset, ref.keys))
        return all(manifest is not None and not manifest.rejected for manifest in manifests)

    def _is_decided(self, asset: Asset, reason: Reason) -> bool:
        """Whether a reason is another input, of an asset whose changes ask for nothing: redoing is a decision."""
        silent = {upstream.name for dep, upstream in self.graph.upstream(asset) if not dep.triggers}
        loud = {upstream.name for dep, upstream in self.graph.upstream(asset) if dep.triggers}
        return reason.kind is Kind.INPUT and reason.subject.partition("[")[0] in silent - loud


def due_now(graph: Graph, states: PartitionStates, limit: int) -> list[PartitionRef]:
    """At most `limit` partitions that are not current, and can be made now without deciding anything."""
    return Walk(graph, states).due(limit)
