"""`minemap run --dry-run`: what a run would do and why, on the screen or as JSON; nothing is written."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.markup import escape
from rich.table import Table

from dagster_project.commands.context import Session, console, counted, note
from dagster_project.commands.json_output import print_json
from dagster_project.forecast import Expected, Sorted, explained, hindered, sort
from minemap_assets.graph.graph import Scope, Step
from minemap_assets.graph.reasons import Reasons
from minemap_assets.imagery.budget import GIGABYTE, excesses
from minemap_assets.imagery.config import ImageryConfig
from minemap_assets.lake.manifests import PartitionRef
from minemap_assets.planning.estimates import Estimate
from minemap_assets.planning.spending import estimate_steps

NEVER = "never made"


def show_forecast(session: Session, scope: Scope, *, as_json: bool) -> int:
    """Say what a run of a scope would make, keep and fetch; returns the exit code, 1 where something cannot be made."""
    steps = session.graph.steps(scope)
    found = sort(session.graph, session.states, steps)
    reasons = Reasons(session.graph, session.states)
    made = list(explained(session.graph, reasons, found.made))
    stuck = list(hindered(session.graph, reasons, found.stuck))
    estimate = estimate_steps(session.project, _of(steps, found.due), session.states)
    code = 1 if stuck else 0
    if as_json:
        print_json(_plain(found, made, stuck, estimate))
        return code
    total = sum(len(step.refs) for step in steps)
    _show("Would be made", _grouped(made, session))
    _show("Cannot be made", _by_asset(stuck))
    _show_fetched(estimate)
    console.print(
        f"Of {counted(total, 'asset partition')}, {len(made)} would be made, {len(found.follows)} made too if what "
        f"they read comes out different, {len(found.kept)} kept, {len(stuck)} cannot be made; nothing was written.",
        soft_wrap=True,
    )
    if stuck:
        note("what is missing has to be in the selection too, as in `--select +raw_masks`")
    for sentence in estimate.gaps:
        note(sentence)
    for passed in excesses(estimate.total, session.project.section(ImageryConfig).budget):
        note(f"above the budget: {passed}; the run would fetch nothing")
    return code


def _of(steps: Sequence[Step], due: frozenset[PartitionRef]) -> list[Step]:
    """The steps with what is due of each."""
    cut = [Step(tuple(a for a in s.assets if a.ref(s.keys) in due), s.keys) for s in steps]
    return [step for step in cut if step.assets]


@dataclass(frozen=True)
class _Row:
    """So many partitions of an asset, and the reason that they share."""

    asset: str
    partitions: int
    reason: str


def _show(title: str, rows: Sequence[_Row]) -> None:
    if not rows:
        return
    table = Table("asset", "partitions", "why", title=title, title_justify="left")
    for row in rows:
        table.add_row(row.asset, str(row.partitions), escape(row.reason))
    console.print(table)


def _grouped(found: Sequence[Expected], session: Session) -> list[_Row]:
    """A row for each asset and reason, as it is said of each partition."""
    counts = Counter((f"{one.ref.room}/{one.ref.asset}", _short(one, session)) for one in found)
    return [_Row(asset, count, reason) for (asset, reason), count in counts.items()]


def _by_asset(found: Sequence[Expected]) -> list[_Row]:
    """A row for each asset, with the reason of its first partition."""
    firsts: dict[str, str] = {}
    for one in found:
        firsts.setdefault(f"{one.ref.room}/{one.ref.asset}", one.reasons[0] if one.reasons else "an input is missing")
    counts = Counter(f"{one.ref.room}/{one.ref.asset}" for one in found)
    return [_Row(asset, counts[asset], reason) for asset, reason in firsts.items()]


def _short(one: Expected, session: Session) -> str:
    """The first reason; that something was never made needs no more words where all it is made from comes first."""
    if session.states.state(session.graph.asset(one.ref), one.ref.keys).value == "missing":
        others = [reason for reason in one.reasons if "has not been made yet" not in reason]
        return others[0] if others else NEVER
    more = f" (and {counted(len(one.reasons) - 1, 'more reason')})" if len(one.reasons) > 1 else ""
    return (one.reasons[0] if one.reasons else "what it depends on has changed") + more


def _show_fetched(estimate: Estimate) -> None:
    for line in estimate.lines:
        size = f", about {line.cost.bytes_read / GIGABYTE:.2g} GB" if line.cost.bytes_read else ""
        console.print(
            f"Would be fetched: {counted(line.cost.site_years, 'site-year')} of {line.product} from {line.source}"
            f"{size} ({', '.join(sorted(line.cost.basis))}).",
            soft_wrap=True,
        )


def _plain(found: Sorted, made: Sequence[Expected], stuck: Sequence[Expected], estimate: Estimate) -> dict[str, Any]:
    return {
        "made": [{"partition": f"{one.ref.room}/{one.ref}", "reasons": list(one.reasons)} for one in made],
        "follows": [f"{ref.room}/{ref}" for ref in found.follows],
        "kept": [f"{ref.room}/{ref}" for ref in found.kept],
        "cannot": [{"partition": f"{one.ref.room}/{one.ref}", "reasons": list(one.reasons)} for one in stuck],
        "fetched": [
            {
                "source": line.source,
                "product": line.product,
                "site_years": line.cost.site_years,
                "bytes": line.cost.bytes_read,
            }
            for line in estimate.lines
        ],
        "unknown": list(estimate.gaps),
    }
