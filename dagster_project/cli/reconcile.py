"""`minemap reconcile`: have Dagster's records of this machine say what the lake holds."""

from collections.abc import Sequence
from typing import Annotated

import typer

from dagster_project.cli.options import Json
from dagster_project.commands.context import complain, console, counted, note, open_session

SHOWN = 5
"""Partitions that are named of each kind."""


def reconcile(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what does not agree.")] = False,
    as_json: Json = False,
) -> None:
    """Have Dagster's records say what the lake holds, after they were lost, or others worked on the same lake.

    Nothing is fetched or computed. What the records lack is added, what is not in the lake is forgotten, and what was
    recorded with other content is recorded again.
    """
    from dagster_project.commands.json_output import print_json
    from dagster_project.commands.reconciliation import Reconciliation
    from dagster_project.instance import open_instance

    session = open_session()
    with open_instance(session.environment.dagster_home) if dry_run else session.instance() as instance:
        found = Reconciliation(instance, session.graph, session.states, dry_run).run()
    if as_json:
        print_json(found)
        return
    would = "would be " if dry_run else ""
    _say(found.recorded, f"{would}recorded from the lake")
    _say(found.corrected, f"{would}corrected: recorded with other content than the lake holds")
    _say(found.forgotten, f"{would}forgotten: not in the lake")
    for sentence in found.damaged:
        complain(f"{sentence}; the next `minemap run` makes it again", word="Damaged: ")
    for slug, why in found.regions.items():
        note(f"region {slug} has partitions in Dagster and is {why}; it stays there, and nothing is made of it")
    for name in found.assets:
        note(f"Dagster remembers {name}, which is no asset of this project any more")
    if found.agreed:
        console.print("Dagster's records agree with the lake.")


def _say(partitions: Sequence[str], how: str) -> None:
    if partitions:
        others = f" and {len(partitions) - SHOWN:,} more" if len(partitions) > SHOWN else ""
        named = ", ".join(partitions[:SHOWN])
        console.print(f"{counted(len(partitions), 'partition')} {how}: {named}{others}", soft_wrap=True, markup=False)
