"""`minemap corrections`: polygons that a person rejects or redraws."""

from pathlib import Path
from typing import Annotated

import typer

from dagster_project.cli.options import Json
from dagster_project.commands.context import open_session, parse_years

corrections_app = typer.Typer(help="Polygons that a person rejects or redraws.", no_args_is_help=True)

PolygonId = Annotated[str, typer.Argument(metavar="POLYGON_ID", help="Id of a mapped polygon.")]
Author = Annotated[str | None, typer.Option(help="Who says so. Default: the user of this machine.")]
Day = Annotated[str | None, typer.Option("--date", help="When it was said, such as 2026-11-22. Default: today.")]
Why = Annotated[str, typer.Option("--reason", help="Why: stands beside every figure that it changes.")]
Years = Annotated[
    str | None, typer.Option("--years", help="Years it holds for, such as 2019 or 2018-2020. Default: every year.")
]
Layer = Annotated[str | None, typer.Option(help="Layer of the file.")]
Crs = Annotated[str | None, typer.Option(help="CRS of a file that does not say, such as EPSG:4326.")]


def _years(text: str | None) -> tuple[int, ...]:
    return () if text is None else parse_years(text, open_session().project)


@corrections_app.command()
def add(
    file: Annotated[Path, typer.Argument(help="Any vector file; its columns may say action, author, date, reason.")],
    action: Annotated[str, typer.Option(help="`reject` or `redraw`, where the file does not say.")] = "reject",
    author: Author = None,
    date: Day = None,
    reason: Why = "",
    years: Years = None,
    layer: Layer = None,
    crs: Crs = None,
) -> None:
    """Add the corrections of a file; options say what its columns do not."""
    from dagster_project.commands import correcting

    said = correcting.saying(author, date, reason, action, _years(years))
    correcting.add(open_session(), file, said, layer, crs)


@corrections_app.command()
def reject(
    polygon_ids: Annotated[list[str], typer.Argument(metavar="POLYGON_ID...", help="Ids of mapped polygons.")],
    reason: Why,
    author: Author = None,
    date: Day = None,
    years: Years = None,
) -> None:
    """Reject mapped polygons: there is no mine on their ground, also when outlines are made anew."""
    from dagster_project.commands import correcting

    correcting.reject(open_session(), polygon_ids, correcting.saying(author, date, reason, "reject", _years(years)))


@corrections_app.command()
def redraw(
    polygon_id: PolygonId,
    file: Annotated[Path, typer.Argument(help="Any vector file with the outline as it should be.")],
    reason: Why,
    author: Author = None,
    date: Day = None,
    years: Years = None,
    layer: Layer = None,
    crs: Crs = None,
) -> None:
    """Put an outline in place of a mapped polygon, in every year in which most of it is mapped."""
    from dagster_project.commands import correcting

    said = correcting.saying(author, date, reason, "redraw", _years(years))
    correcting.redraw(open_session(), polygon_id, file, said, layer, crs)


@corrections_app.command("list")
def list_corrections(as_json: Json = False) -> None:
    """Show every correction."""
    from dagster_project.commands import correcting

    correcting.list_corrections(open_session(), as_json=as_json)


@corrections_app.command()
def check() -> None:
    """Read the file strictly, and say which outlines each correction decides about."""
    from dagster_project.commands import correcting

    correcting.check(open_session())


@corrections_app.command()
def withdraw(
    numbers: Annotated[list[int], typer.Argument(metavar="NUMBER...", help="Numbers that `list` shows.")],
) -> None:
    """Take corrections back; `minemap inputs restore corrections.geojson` brings them again."""
    from dagster_project.commands import correcting

    correcting.withdraw(open_session(), numbers)
