"""`minemap status`: what the lake holds, by asset."""

from collections import Counter
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.table import Column, Table

from dagster_project.cli.advice import say_next_steps
from dagster_project.cli.context import console, open_session
from minemap_assets.graph.partition_states import PartitionState
from minemap_assets.graph.statement import Asset


def status(
    select: Annotated[str | None, typer.Option(help="Assets or rooms, as for `minemap run`.")] = None,
    regions: Annotated[str | None, typer.Option(help="Regions, as for `minemap run`.")] = None,
    years: Annotated[str | None, typer.Option(help="Years, as for `minemap run`.")] = None,
) -> None:
    """Show how much of the graph is made, current, or waiting."""
    session = open_session()
    project = session.project
    if regions is None and not project.active_regions():
        say_next_steps(session)
        return
    counts: dict[Asset, Counter[PartitionState]] = {}
    for step in session.graph.steps(session.scope(select, regions, years)):
        for asset in step.assets:
            counts.setdefault(asset, Counter())[session.states.state(asset, step.keys)] += 1
    damaged = any(states[PartitionState.DAMAGED] for states in counts.values())
    shown = [state for state in PartitionState if damaged or state is not PartitionState.DAMAGED]
    columns = ("asset", "all", *(state.value for state in shown))
    table = Table(*(Column(name, no_wrap=True) for name in columns), title=project.lake.store.root)
    for asset, states in counts.items():
        figures = (states.total(), *(states[state] for state in shown))
        table.add_row(str(asset), *(str(figure) if figure else "·" for figure in figures))
    console.print(table)
    console.print(f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC; `minemap run` makes what is outdated, damaged or missing.")
