"""What `minemap status` finds and prints: states by asset, the verdict on the model, causes of what is not current."""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from rich.table import Column, Table

from dagster_project.commands.advice import next_steps, say_next_steps
from dagster_project.commands.causes import Asked, SharedCause, shared_causes
from dagster_project.commands.context import Session, console, counted, note
from dagster_project.commands.json_output import print_json
from dagster_project.commands.model_verdicts import evaluated, models_json
from dagster_project.commands.partition_names import long_name
from dagster_project.first_promotion import SHOWN
from minemap_assets.graph.graph import Scope
from minemap_assets.graph.partition_states import PartitionState
from minemap_assets.graph.reasons import Reasons
from minemap_assets.segmentation.promotion import in_use
from minemap_assets.segmentation.verdict import EVALUATION, Grade

LINES = 6
"""Causes that are printed at most."""


@dataclass(frozen=True)
class Found:
    """Every partition of a scope with its state, in the order in which they are made."""

    scope: Scope
    reasons: Reasons
    partitions: tuple[Asked, ...]

    @cached_property
    def counts(self) -> dict[str, Counter[PartitionState]]:
        """Partitions by asset and state."""
        counts: dict[str, Counter[PartitionState]] = {}
        for one in self.partitions:
            counts.setdefault(str(one.asset), Counter())[one.state] += 1
        return counts

    @cached_property
    def total(self) -> Counter[PartitionState]:
        """Partitions by state."""
        return Counter(one.state for one in self.partitions)

    @cached_property
    def causes(self) -> list[SharedCause]:
        """Why some are not current."""
        return shared_causes(self.reasons, self.partitions)

    @cached_property
    def pending(self) -> frozenset[Asked]:
        """Current partitions that are made from something that is not."""
        return frozenset(
            one
            for one in self.partitions
            if one.state is PartitionState.CURRENT and self.reasons.is_pending(one.asset, one.ref.keys)
        )


def look(session: Session, scope: Scope) -> Found:
    """The states of all partitions of a scope."""
    reasons = Reasons(session.graph, session.states)
    partitions = tuple(
        Asked(asset, asset.ref(step.keys), reasons.state(asset, step.keys))
        for step in session.graph.steps(scope)
        for asset in step.assets
    )
    return Found(scope, reasons, partitions)


def show(session: Session, found: Found) -> None:
    """Print a table, and below it what is to be known of the model and of what is not current."""
    damaged = bool(found.total[PartitionState.DAMAGED])
    shown = [state for state in PartitionState if damaged or state is not PartitionState.DAMAGED]
    columns = ("asset", "all", *(state.value for state in shown))
    table = Table(*(Column(name, no_wrap=True) for name in columns), title=session.project.lake.store.root)
    rows = [*found.counts.items(), ("total", found.total)]
    for name, states in rows:
        figures = (states.total(), *(states[state] for state in shown))
        if name == "total":
            table.add_section()
        table.add_row(name, *(str(figure) if figure else "·" for figure in figures))
    console.print(table)
    _say_verdict(session)
    for line in _why(found):
        console.print(line, markup=False, soft_wrap=True)
    console.print(f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC; {_next(found)}", soft_wrap=True)


def _why(found: Found) -> list[str]:
    """A line for each cause, and what follows from all."""
    lines = [cause.line for cause in found.causes[:LINES]]
    if len(found.causes) > LINES:
        lines.append(f"{len(found.causes) - LINES} more causes; `minemap status --json` names them all.")
    if found.pending:
        are = "is" if len(found.pending) == 1 else "are"
        lines.append(
            f"{counted(len(found.pending), 'current partition')} {are} made from these, and made again where these "
            "come out different."
        )
    return lines


def _next(found: Found) -> str:
    if set(found.total) <= {PartitionState.CURRENT}:
        return "everything is current."
    return "`minemap run` makes what is outdated, damaged or missing; `minemap explain PARTITION` tells of one."


def _say_verdict(session: Session) -> None:
    # its manifest was read for the states, and is read again only where there is one
    known = session.states.manifest(EVALUATION) is not None
    verdict, decision = evaluated(session.project, note) if known else None, in_use(session.project)
    if verdict is not None:
        is_ = "" if verdict.grade is Grade.UNKNOWN else "is "
        console.print(f"The model {is_}{verdict.grade}: {verdict.sentence}.", markup=False, soft_wrap=True)
    if decision is not None:
        console.print(
            f"In use: model {decision.version[:SHOWN]}, since {decision.at}, with the verdict {decision.verdict}.",
            markup=False,
            soft_wrap=True,
        )


def tell(session: Session, found: Found) -> None:
    """Print every partition with its state and reasons as JSON."""
    project = session.project
    print_json(
        {
            "lake": project.lake.store.root,
            "checked": datetime.now(UTC),
            "regions": found.scope.regions,
            "years": found.scope.years,
            **models_json(project, note),
            "total": _by_state(found.total),
            "assets": {name: _by_state(states) for name, states in found.counts.items()},
            "causes": [_cause(cause) for cause in found.causes],
            "partitions": [_partition(one, found) for one in found.partitions],
        }
    )


def _by_state(states: Counter[PartitionState]) -> dict[str, int]:
    return {"all": states.total(), **{state.value: states[state] for state in PartitionState}}


def _cause(shared: SharedCause) -> dict[str, Any]:
    return {
        "kind": next(iter(shared.causes)).reason.kind,
        "sentence": shared.sentence,
        "states": shared.states,
        "partitions": [long_name(ref) for ref in shared.concerned],
    }


def _partition(one: Asked, found: Found) -> dict[str, Any]:
    return {
        "partition": long_name(one.ref),
        "asset": str(one.asset),
        "keys": dict(zip(one.asset.partitions.names, one.ref.keys, strict=True)),
        "state": one.state,
        "made_from_what_is_not_current": one in found.pending,
        "reasons": found.reasons.why(one.asset, one.ref.keys),
    }


def report_no_region(session: Session, *, as_json: bool) -> None:
    """What to do first in a project that has no region yet."""
    if as_json:
        root = session.project.lake.store.root
        print_json({"lake": root, "regions": [], "partitions": [], "next_steps": next_steps(session.project)})
    else:
        say_next_steps(session)
