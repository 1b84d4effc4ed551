"""Options that several commands take, each meaning the same everywhere."""

from typing import Annotated

import typer

Select = Annotated[
    str | None,
    typer.Option(
        help="Assets by name, such as sites,imagery; `room:imagery` is a whole room; `+name` adds all that it needs, "
        "`name+` all that follows. Default: everything but scans."
    ),
]
Regions = Annotated[str | None, typer.Option(help="Regions, such as north,south. Default: every active region.")]
Years = Annotated[
    str | None,
    typer.Option(help="Years, such as 2019 or 2016-2024,2026. Default: the first year of the project to last year."),
]
Sample = Annotated[int | None, typer.Option(min=1, help="A pilot: only so many sites of each region.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on the standard output, for scripts.")]
