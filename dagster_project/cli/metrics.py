"""`minemap metrics`: numbers for Prometheus."""

from pathlib import Path
from typing import Annotated

import typer

from dagster_project.commands.context import open_session


def metrics(
    output: Annotated[
        Path | None,
        typer.Option(
            help="Put them into this file at once, such as one that node_exporter reads. Default: print them."
        ),
    ] = None,
) -> None:
    """Tell how much is made, failed and current, what it took, and how large and old it is, as Prometheus reads it."""
    import sys

    from dagster_project.commands.metrics import metrics as measure
    from dagster_project.commands.metrics_format import render, write

    session = open_session()
    with session.instance() as instance:
        text = render(measure(session, instance))
    if output is None:
        sys.stdout.write(text)
    else:
        write(text, output)
