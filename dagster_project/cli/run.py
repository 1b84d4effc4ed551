"""`minemap run`: make what a scope asks for, with progress."""

from typing import Annotated

import typer

from dagster_project.cli.jobs import Jobs, jobs_or_cores
from dagster_project.cli.options import Json, Regions, Sample, Select, Years
from dagster_project.ending_at_once import ends_at_once

Losses = Annotated[
    bool,
    typer.Option(
        "--accept-losses", help="Go on where a partition loses more of its rasters than `most_dropped` allows."
    ),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Say what would be made, kept and fetched, and why; nothing is written.")
]
Force = Annotated[
    bool,
    typer.Option(
        "--force",
        help="Make what --select names again though it is current. What comes out the same changes nothing after it; "
        "rasters that are replaced go to the trash.",
    ),
]
PromoteAnyway = Annotated[
    bool,
    typer.Option(
        "--promote-anyway",
        help="Put a project's first model in use whatever its verdict; without this it is put in use only where the "
        "verdict is usable, and otherwise the run stops at the model, with exit code 3.",
    ),
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="A line for every partition, with time and reason.")]

Submit = Annotated[
    bool,
    typer.Option(
        "--submit",
        help="Hand it to the daemon that is running, as a backfill, and follow that to its end; Ctrl-C leaves it going "
        "on. What is current is kept there too.",
    ),
]


def run(
    select: Select = None,
    regions: Regions = None,
    years: Years = None,
    sample: Sample = None,
    dry_run: DryRun = False,
    force: Force = False,
    losses: Losses = False,
    promote_anyway: PromoteAnyway = False,
    json: Json = False,
    verbose: Verbose = False,
    jobs: Jobs = None,
    submit: Submit = False,
) -> int:
    """Make everything a selection needs, for some regions and years; what is current is kept.

    The exit code is 0 where all was made, 1 where something failed, 2 where an option, a setting or a file is wrong, 3
    where the run stopped at a model that is not usable, and 130 where it was stopped by hand.
    """
    with ends_at_once():
        from dagster_project.commands.execution import Wishes, run_selection

        wishes = Wishes(losses, promote_anyway, force, dry_run, json, verbose, jobs_or_cores(jobs), submit)
        return run_selection(select, regions, years, sample, wishes)
