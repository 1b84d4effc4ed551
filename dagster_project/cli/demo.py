"""`minemap demo`: the whole graph on a simulated world, and a table of how right it is."""

from enum import StrEnum
from typing import Annotated

import typer

from dagster_project.cli.jobs import Jobs, jobs_or_cores
from dagster_project.ending_at_once import ends_at_once


class WorldName(StrEnum):
    """The worlds there are."""

    demo = "demo"
    tiny = "tiny"
    frontier = "frontier"


def demo(
    world: Annotated[
        WorldName,
        typer.Option(help="Which world: `demo` takes minutes, `tiny` seconds; `frontier` is 5,000 km2 to scan."),
    ] = WorldName.demo,
    scan: Annotated[
        bool,
        typer.Option("--scan", help="Leave some mines out of all files, and let a scan of the last year find them."),
    ] = False,
    check: Annotated[bool, typer.Option("--check", help="Fail where accuracy is below the project's goals.")] = False,
    jobs: Jobs = None,
) -> int:
    """Run the whole graph on a simulated world, and compare what it maps with what is there."""
    with ends_at_once():
        from dagster_project.commands.demonstration import demonstrate

        return demonstrate(world.value, check=check, scan=scan, jobs=jobs_or_cores(jobs))
