"""The demo: a simulated world mapped from its images, and how right the map is."""

import time

from rich.table import Table

from dagster_project.commands.context import console, errors, open_session
from dagster_project.commands.demo_accuracy import HeldOutAccuracy
from dagster_project.commands.demo_scan import scan_for
from dagster_project.commands.execution import Wishes, execute
from dagster_project.commands.run_report import closing, exit_code, make_tool, quality, summarise
from minemap_assets.graph.graph import Scope
from minemap_assets.simulation.built_in_worlds import load_world, with_unknown_mines
from minemap_assets.simulation.demo import prepare
from minemap_assets.validation.simulated_sites import HeldOutTruth
from minemap_assets.validation.simulated_truth import Agreement, compare, totals

TOO_SMALL = frozenset({"tiny", "frontier"})
"""Worlds with too few mines for a model to be judged by; it is put in use whatever its verdict."""

LEAST_IOU = 0.75
LARGEST_ERROR = 0.10


def demonstrate(world: str, *, check: bool, scan: bool = False, jobs: int | None = None) -> int:
    """Map a world and show how right the map is; returns the exit code, with `check` 1 where it is below the goals, and
    3 where its model is not usable. `jobs` is as in `Wishes`.

    With `scan` some mines are in no file: a classifier is trained on the others, the last year is scanned, and what is
    found becomes sites before the table is made.
    """
    session = open_session()
    simulated = with_unknown_mines(load_world(world)) if scan else load_world(world)
    prepare(session.project, simulated)
    session = session.reopened()
    years = tuple(simulated.years)
    scope = Scope(session.graph.standard, tuple(session.project.active_regions()), years)
    console.print(
        f"Mapping {len(scope.regions)} regions x {len(years)} years of the simulated world `{world}` "
        f"in {session.project.lake.store.root}",
        soft_wrap=True,
    )
    if world in TOO_SMALL:
        console.print(
            "It has too few mines for its model to be judged by; the model is put in use whatever its verdict, because "
            "what is really there is known and shown below.",
            soft_wrap=True,
        )
    begun = time.monotonic()
    wishes = Wishes(promote_anyway=world in TOO_SMALL, jobs=jobs)
    report, found = execute(session, scope, wishes), None
    if scan and not exit_code(report):
        found = scan_for(simulated, session.reopened(), wishes)
        report = execute(session.reopened(), scope, wishes)
    after = session.reopened()
    quality(after, scope)
    code = summarise(report, time.monotonic() - begun)
    if code:
        return code
    rows = compare(after.project, simulated, years)
    _show(rows)
    held_out = HeldOutAccuracy.of(HeldOutTruth.of(after.project, simulated, years))
    held_out.show()
    if found is not None:
        found.show()
    closing(after, scope, report, make_tool())
    misses = () if world in TOO_SMALL else tuple(held_out.misses())
    if found is not None:
        misses = (*misses, *found.misses())
    return _judge(totals(rows), misses) if check else 0


def _show(rows: list[Agreement]) -> None:
    table = Table("country", "year", title="Mapped against true mining area")
    for heading in ("mapped km2", "true km2", "error", "IoU"):
        table.add_column(heading, justify="right")
    for row in (*rows, *totals(rows)):
        table.add_row(
            row.country,
            str(row.year),
            f"{row.mapped_km2:.2f}",
            f"{row.true_km2:.2f}",
            f"{row.error:+.1%}",
            f"{row.iou:.2f}",
            style="bold" if row.country == "all" else "",
        )
    console.print(table)
    by_year = totals(rows)
    mean = sum(r.iou for r in by_year) / len(by_year)
    worst = max(by_year, key=lambda r: abs(r.error))
    console.print(
        f"Mean IoU over the years {mean:.2f}; largest error of the total area {worst.error:+.1%} in {worst.year}."
    )


def _judge(by_year: list[Agreement], misses: tuple[str, ...]) -> int:
    mean = sum(r.iou for r in by_year) / len(by_year)
    wrong = [r for r in by_year if abs(r.error) > LARGEST_ERROR]
    if mean < LEAST_IOU:
        errors.print(f"[red]Mean IoU {mean:.3f} is below the goal of {LEAST_IOU}.[/]")
    for row in wrong:
        errors.print(f"[red]{row.year}: total area is {row.error:+.1%} off; the goal is {LARGEST_ERROR:.0%}.[/]")
    for sentence in misses:
        errors.print(f"[red]{sentence}[/]")
    return 1 if wrong or misses or mean < LEAST_IOU else 0
