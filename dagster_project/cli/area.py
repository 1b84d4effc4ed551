"""`minemap area`: how much is mapped inside reserves, concessions or any ground of one's own."""

from pathlib import Path
from typing import Annotated

import typer

from dagster_project.cli.options import Json
from dagster_project.commands.context import open_session


def area(
    within: Annotated[
        Path,
        typer.Option(help="A vector file with the ground, such as reserves or concessions."),
    ],
    year: Annotated[int | None, typer.Option(help="Only this year. Default: every year that was mapped.")] = None,
    name_column: Annotated[
        str | None, typer.Option(help="Column that names the features. Default: `name`, where there is one.")
    ] = None,
    layer: Annotated[str | None, typer.Option(help="Layer of the file.")] = None,
    crs: Annotated[str | None, typer.Option(help="CRS of a file that does not say.")] = None,
    as_json: Json = False,
) -> None:
    """Say how many square kilometres are mapped inside each feature of a file, year by year, and what was seen there.

    From the mining polygons as they were published. Ground that nobody looked at has no area, which is not zero.
    """
    session = open_session()
    from dagster_project.commands.area_within import find_areas, show_areas

    found = find_areas(session, within, year, name_column, layer, crs)
    if as_json:
        from dagster_project.commands.json_output import print_json

        print_json(found)
    else:
        show_areas(found)
