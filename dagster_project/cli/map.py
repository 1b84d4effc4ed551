"""`minemap map`: the page on which people look at the maps."""

from pathlib import Path
from typing import Annotated

import typer

from dagster_project.ending_at_once import ends_at_once

To = Annotated[
    Path | None,
    typer.Option(metavar="FOLDER", help="Write the page into this folder, to be put on any web server, and end."),
]
Restricted = Annotated[
    bool,
    typer.Option(
        "--with-restricted",
        help="With --to: also pictures whose terms forbid passing their pixels on. Yours to decide.",
    ),
]
NoBrowser = Annotated[bool, typer.Option("--no-browser", help="Only print the address.")]


def map_page(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to serve on.")] = 8080,
    no_browser: NoBrowser = False,
    to: To = None,
    with_restricted: Restricted = False,
) -> int:
    """Show the maps of all years in the browser: make the page where it is not current, and serve it on this machine.

    Whoever opens the printed address may reject outlines, with a reason; other addresses of the page only read.
    """
    with ends_at_once():
        from dagster_project.commands.mapping import show_map

        return show_map(port, browser=not no_browser, to=to, restricted=with_restricted)
