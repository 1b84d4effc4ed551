"""What a run would do, before it does anything: which partitions it would make, keep, or could not make, and why."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from minemap_assets.graph.graph import Graph, Step
from minemap_assets.graph.partition_states import PartitionState, PartitionStates
from minemap_assets.graph.reasons import Reasons
from minemap_assets.graph.statement import Asset
from minemap_assets.lake.manifests import PartitionRef


@dataclass(frozen=True)
class Expected:
    """A partition that would not be kept: the sentences say where that begins."""

    ref: PartitionRef
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Sorted:
    """Partitions of some steps: `made` anew, made only if what they read `follows` with other content, `kept`, and
    `stuck` for lack of an input that nobody makes.
    """

    made: tuple[PartitionRef, ...]
    follows: tuple[PartitionRef, ...]
    kept: tuple[PartitionRef, ...]
    stuck: tuple[PartitionRef, ...]

    @property
    def due(self) -> frozenset[PartitionRef]:
        """What is likely to be made."""
        return frozenset((*self.made, *self.follows))


def sort(graph: Graph, states: PartitionStates, steps: Sequence[Step]) -> Sorted:
    """Sort the partitions of steps by what a run would do with them. Nothing is written."""
    made: dict[PartitionRef, None] = {}
    follows: dict[PartitionRef, None] = {}
    kept: dict[PartitionRef, None] = {}
    stuck: dict[PartitionRef, None] = {}
    for step in steps:
        for asset in step.assets:
            ref, reads = asset.ref(step.keys), graph.reads(asset, step.keys)
            if states.state(asset, step.keys) is PartitionState.CURRENT:
                changing = any(one in made or one in follows for one in reads)
                (follows if changing else kept)[ref] = None
            elif any(one in stuck or not _is_there(states, one, made) for one in graph.needs(asset, step.keys)):
                stuck[ref] = None
            else:
                made[ref] = None
    return Sorted(tuple(made), tuple(follows), tuple(kept), tuple(stuck))


def _is_there(states: PartitionStates, ref: PartitionRef, made: dict[PartitionRef, None]) -> bool:
    manifest = states.manifest(ref)
    return ref in made or (manifest is not None and not manifest.rejected)


def explained(graph: Graph, reasons: Reasons, refs: Sequence[PartitionRef]) -> Iterator[Expected]:
    """Partitions that are not current, each with where that begins."""
    for ref in refs:
        yield Expected(ref, tuple(_sentences(graph.asset(ref), ref, reasons)))


def hindered(graph: Graph, reasons: Reasons, refs: Sequence[PartitionRef]) -> Iterator[Expected]:
    """Partitions that cannot be made, each with what it lacks."""
    for ref in refs:
        yield Expected(ref, tuple(reason.sentence for reason in reasons.why(graph.asset(ref), ref.keys)))


def _sentences(asset: Asset, ref: PartitionRef, reasons: Reasons) -> Iterator[str]:
    for cause in reasons.causes(asset, ref.keys):
        yield cause.reason.sentence if cause.ref == ref else f"{cause.ref}: {cause.reason.sentence}"
