"""`minemap verify`: read every byte of the lake and say what is not as it was published."""

from typing import Annotated

import typer

from dagster_project.cli.options import Json
from dagster_project.commands.context import complain, console, counted, errors, open_session


def verify(
    report: Annotated[bool, typer.Option("--report", help="Only say it: leave damaged files where they are.")] = False,
    part: Annotated[
        str | None,
        typer.Option(
            "--slice",
            help="Only a part, such as 3/30, the third of thirty; `today` is the part of this day, of which thirty "
            "days in a row read everything, and `today/7` that of seven.",
        ),
    ] = None,
    as_json: Json = False,
) -> int:
    """Read every byte of the lake, and set aside what is damaged, so that the next run makes it again.

    Registered files, models and frozen releases, which nothing can make again, are named and left as they are.
    """
    from datetime import UTC, datetime

    from rich.progress import Progress

    from dagster_project.commands.json_output import print_json
    from dagster_project.commands.verification import EVERYTHING, Damage, Slice, Verification
    from minemap_assets.lake.manifests import PartitionRef

    chosen = EVERYTHING if part is None else Slice.parse(part, datetime.now(UTC).date())
    session = open_session()

    def told(damage: Damage) -> None:
        if not as_json:
            complain(damage.sentence, word="Damaged: ")

    with Progress(console=errors, transient=True, disable=not errors.is_terminal) as bar:
        task = bar.add_task("reading", total=None)

        def reading(ref: PartitionRef, done: int, total: int) -> None:
            bar.update(task, completed=done, total=total, description=str(ref))

        found = Verification(session.project, session.graph, chosen, not report, reading).run(told)
    if as_json:
        print_json(found)
        return found.code
    read = f"{counted(found.files, 'file')} of {counted(found.partitions, 'partition')} read"
    which = "" if chosen == EVERYTHING else f", slice {chosen}"
    console.print(
        f"{read} ({found.bytes / 1e6:,.1f} MB{which}): {len(found.damaged)} of them damaged or gone; "
        f"{len(found.inputs)} damaged among the inputs, {len(found.releases)} in frozen releases.",
        soft_wrap=True,
    )
    if found.damaged:
        console.print("Nothing was changed." if report else "The next `minemap run` makes damaged partitions again.")
    if found.releases:
        console.print("Nothing makes a frozen release again: bring its files back from a backup.", soft_wrap=True)
    return found.code
