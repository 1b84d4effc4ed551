"""`minemap demo`: the whole graph on a simulated world, and a table of how right it is."""

from enum import StrEnum
from typing import Annotated

import typer
from rich.table import Table

from dagster_project.cli.context import console, errors, open_session
from dagster_project.cli.run import execute, summarise
from minemap_assets.graph.graph import Scope
from minemap_assets.simulation.demo import prepare
from minemap_assets.validation.simulated_truth import Agreement, compare, totals

LEAST_IOU = 0.75
LARGEST_ERROR = 0.10


class WorldName(StrEnum):
    """The worlds there are."""

    demo = "demo"
    tiny = "tiny"


def demo(
    world: Annotated[
        WorldName, typer.Option(help="Which world: `demo` takes minutes, `tiny` seconds.")
    ] = WorldName.demo,
    check: Annotated[bool, typer.Option("--check", help="Fail where accuracy is below the project's goals.")] = False,
) -> int:
    """Run the whole graph on a simulated world, and compare what it maps with what is there."""
    from minemap_assets.simulation.built_in_worlds import load_world

    session = open_session()
    simulated = load_world(world.value)
    prepare(session.project, simulated)
    session = session.reopened()
    years = tuple(simulated.years)
    scope = Scope(frozenset(session.graph.assets), tuple(session.project.active_regions()), years)
    console.print(
        f"Mapping {len(scope.regions)} regions x {len(years)} years of the simulated world `{world.value}` "
        f"in {session.project.lake.store.root}"
    )
    code = summarise(execute(session, scope))
    if code:
        return code
    rows = compare(session.project, simulated, years)
    _show(rows)
    return _judge(totals(rows)) if check else 0


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


def _judge(by_year: list[Agreement]) -> int:
    mean = sum(r.iou for r in by_year) / len(by_year)
    wrong = [r for r in by_year if abs(r.error) > LARGEST_ERROR]
    if mean < LEAST_IOU:
        errors.print(f"[red]Mean IoU {mean:.3f} is below the goal of {LEAST_IOU}.[/]")
    for row in wrong:
        errors.print(f"[red]{row.year}: total area is {row.error:+.1%} off; the goal is {LARGEST_ERROR:.0%}.[/]")
    return 1 if wrong or mean < LEAST_IOU else 0
