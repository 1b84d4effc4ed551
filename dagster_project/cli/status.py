"""`minemap status`: what the lake holds, by asset.

What belongs here: counting partitions. What does not: making any.
"""

from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.table import Column, Table

from dagster_project.cli.advice import say_next_steps
from dagster_project.cli.context import console, open_session, parse_regions, parse_years
from dagster_project.graph import Scope, Step, steps
from dagster_project.selection import parse_selection
from minemap_assets.graph.recipes import Recipe
from minemap_assets.project.project import Project


def status(
    select: Annotated[str | None, typer.Option(help="Assets or rooms, as for `minemap run`.")] = None,
    regions: Annotated[str | None, typer.Option(help="Regions, as for `minemap run`.")] = None,
    years: Annotated[str | None, typer.Option(help="Years, as for `minemap run`.")] = None,
) -> None:
    """Show how much of the graph is made, current, or waiting."""
    session = open_session()
    project = session.project
    if regions is None and not project.active_regions():
        say_next_steps(project)
        return
    scope = Scope(parse_regions(regions, project), parse_years(years), parse_selection(select, session.definitions()))
    counted = ("all", "current", "outdated", "gaps", "missing")
    table = Table(*(Column(name, no_wrap=True) for name in ("asset", *counted)), title=project.lake.store.root)
    for recipe, step_list in _by_recipe(project, scope).items():
        counts = _count(project, recipe, step_list)
        table.add_row(f"{recipe.room}/{recipe.asset}", *(str(c) if c else "·" for c in counts))
    console.print(table)
    console.print(f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC; `minemap run` makes what is outdated or missing.")


def _by_recipe(project: Project, scope: Scope) -> dict[Recipe, list[Step]]:
    found: dict[Recipe, list[Step]] = {}
    for step in steps(project, scope):
        for recipe in step.recipes:
            found.setdefault(recipe, []).append(step)
    return found


def _count(project: Project, recipe: Recipe, step_list: list[Step]) -> tuple[int, int, int, int, int]:
    current = outdated = gaps = missing = 0
    for step in step_list:
        manifest = project.lake.manifest(recipe.ref(step.keys))
        if manifest is None:
            missing += 1
        elif recipe.is_current(project, step.keys):
            current += 1
        elif manifest.missing or manifest.rejected:
            gaps += 1
        else:
            outdated += 1
    return len(step_list), current, outdated, gaps, missing
