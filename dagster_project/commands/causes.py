"""Where it begins that partitions are not current, told once for all partitions that it concerns."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from dagster_project.commands.context import counted
from dagster_project.commands.partition_names import long_name
from minemap_assets.graph.partition_states import PartitionState
from minemap_assets.graph.reasons import Cause, Kind, Reasons
from minemap_assets.graph.statement import Asset
from minemap_assets.lake.manifests import PartitionRef

_NAMED = 3


@dataclass(frozen=True)
class Asked:
    """A partition that somebody asks about, and its state."""

    asset: Asset
    ref: PartitionRef
    state: PartitionState


@dataclass
class SharedCause:
    """Causes that are the same but for the partition, and every partition that they concern, in order."""

    causes: dict[Cause, None] = field(default_factory=dict)
    concerned: dict[PartitionRef, Asked] = field(default_factory=dict)

    @property
    def states(self) -> list[str]:
        """States of the concerned partitions."""
        return [state.value for state in PartitionState if any(a.state is state for a in self.concerned.values())]

    @property
    def sentence(self) -> str:
        """What it is, without how many partitions it concerns."""
        first = next(iter(self.causes))
        if first.reason.kind is Kind.NEVER_MADE:
            roots = list(dict.fromkeys(f"{cause.ref.room}/{cause.ref.asset}" for cause in self.causes))
            more = f" and {len(roots) - _NAMED} more" if len(roots) > _NAMED else ""
            return f"not made yet (first {', '.join(roots[:_NAMED])}{more})"
        if first.reason.kind in _ALIKE_EVERYWHERE:
            return f"{first.reason.sentence} (first affects {next(iter(self.concerned.values())).asset})"
        alike = f", and {len(self.causes) - 1} more like it" if len(self.causes) > 1 else ""
        return f"{long_name(first.ref)}: {first.reason.sentence}{alike}"

    @property
    def line(self) -> str:
        """One line for people."""
        states = " or ".join(_IN_WORDS.get(state, state) for state in self.states)
        return f"{counted(len(self.concerned), 'partition')} {states}: {self.sentence}"


_ALIKE_EVERYWHERE = (Kind.SETTING, Kind.CODE, Kind.CANNOT)
_IN_WORDS = {PartitionState.GAPS.value: "with gaps"}


def shared_causes(reasons: Reasons, asked: Sequence[Asked]) -> list[SharedCause]:
    """The causes of all that is not current; those that concern most partitions first.

    What begins with a partition that nobody asked about counts only where nothing else explains it.
    """
    scope = {one.ref for one in asked}
    found: dict[tuple[str, ...], SharedCause] = {}
    for one in asked:
        if one.state is not PartitionState.CURRENT:
            for cause in _inside(reasons.causes(one.asset, one.ref.keys), scope):
                shared = found.setdefault(_topic(cause), SharedCause())
                shared.causes[cause] = None
                shared.concerned[one.ref] = one
    return sorted(found.values(), key=lambda shared: -len(shared.concerned))


def _inside(causes: Iterable[Cause], scope: set[PartitionRef]) -> list[Cause]:
    every = list(causes)
    return [cause for cause in every if cause.ref in scope] or every


def _topic(cause: Cause) -> tuple[str, ...]:
    """Equal for causes that are told together."""
    kind, asset = cause.reason.kind, f"{cause.ref.room}/{cause.ref.asset}"
    if kind is Kind.NEVER_MADE:
        return (kind,)
    if kind in _ALIKE_EVERYWHERE:
        return (kind, cause.reason.sentence)
    if kind is Kind.INPUT:
        return (kind, asset, cause.reason.subject.split("[")[0])
    return (kind, asset, cause.reason.subject) if kind is Kind.CHECK else (kind, asset)
