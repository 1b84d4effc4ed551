"""`minemap verify`: read every byte of the lake and say what is not as it was published."""

from typing import Annotated

import typer

from dagster_project.cli.options import Json
from dagster_project.commands.context import complain, console, counted, open_session


def verify(
    report: Annotated[bool, typer.Option("--report", help="Only say it: leave damaged files where they are.")] = False,
    as_json: Json = False,
) -> int:
    """Read every byte of the lake, and set aside what is damaged, so that the next run makes it again."""
    session = open_session()
    from dagster_project.commands.json_output import print_json
    from dagster_project.commands.verification import Found, input_damages, partition_damages

    found = Found(sets_aside=not report)
    for damage in partition_damages(session, found, set_aside=not report):
        found.damaged.append(damage)
        if not as_json:
            complain(damage.sentence, word="Damaged: ")
    for damage in input_damages(session):
        found.inputs.append(damage)
        if not as_json:
            complain(damage.sentence, word="Damaged: ")
    if as_json:
        print_json(found)
        return found.code
    read = f"{counted(found.files, 'file')} of {counted(found.partitions, 'partition')} read"
    console.print(
        f"{read} ({found.bytes / 1e6:,.1f} MB): {len(found.damaged)} of them damaged or gone; {len(found.inputs)} "
        "damaged among the inputs.",
        soft_wrap=True,
    )
    if found.damaged:
        console.print("Nothing was changed." if report else "The next `minemap run` makes damaged partitions again.")
    return found.code
