"""`minemap report`: the report of the project, as files that are read, printed and passed on."""

from pathlib import Path
from typing import Annotated

import typer

from dagster_project.commands.context import open_session


def report(
    to: Annotated[
        Path | None, typer.Option(help="Folder for the files. Default: the folder `report` in MINEMAP_STATE.")
    ] = None,
    open_: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
) -> None:
    """Write the report: held-out accuracy first, then areas, change, series, tables, validation, what is missing.

    It is made anew where the maps changed since. One HTML page that needs no network, a page for each of the largest
    sites, the figures as SVG and the tables as CSV.
    """
    from dagster_project.commands.reporting import export_report, open_in_browser

    page = export_report(open_session(), to)
    if open_:
        open_in_browser(page)
