"""`minemap release`: a person's word that figures may be published, frozen releases, and what changed between two."""

from typing import Annotated

import typer

from dagster_project.cli.options import Json
from dagster_project.commands.context import open_session, parse_years

release_app = typer.Typer(help="Figures that wait for a person, and frozen releases.", no_args_is_help=True)


@release_app.command()
def review(as_json: Json = False) -> int:
    """Show what changed beyond its bound since figures were accepted: countries, products, coverage, the verdict.

    The exit code is 3 while figures wait for a person, and 0 where none does.
    """
    from dagster_project.commands.releasing import show_review

    return show_review(open_session(), as_json=as_json)


@release_app.command()
def accept(
    reason: Annotated[str, typer.Option(help="Why the figures are right: stands in the record.")],
    by: Annotated[str | None, typer.Option(help="Who says so. Default: the user of this machine.")] = None,
    years: Annotated[str | None, typer.Option(help="Only these years. Default: every year.")] = None,
) -> None:
    """Accept the figures as they are; they are what later ones are compared with."""
    from dagster_project.commands.releasing import accept_review

    session = open_session()
    chosen = () if years is None else parse_years(years, session.project)
    accept_review(session, chosen, by, reason)


@release_app.command()
def freeze(
    reason: Annotated[str, typer.Option(help="What the release is for: stands in its record.")],
    name: Annotated[str, typer.Option(help="A name beside the number, such as 2026.1.")] = "",
    by: Annotated[str | None, typer.Option(help="Who freezes it. Default: the user of this machine.")] = None,
) -> None:
    """Freeze the published tables under the next number: a copy that never changes, with what it was made from."""
    from dagster_project.commands.release_freezing import freeze_release

    freeze_release(open_session(), reason, name, by)


@release_app.command("list")
def list_all(as_json: Json = False) -> None:
    """List the frozen releases."""
    from dagster_project.commands.release_freezing import list_releases

    list_releases(open_session(), as_json=as_json)


@release_app.command()
def compare(
    before: Annotated[str, typer.Argument(help="Number or name of a release, or `now`.")],
    after: Annotated[str, typer.Argument(help="Number or name of another one, or `now`.")] = "now",
    as_json: Json = False,
) -> None:
    """Show which ground is mapped in one release and not in the other, in km2 by region and year, with its cause."""
    from dagster_project.commands.release_comparison import compare_releases

    compare_releases(open_session(), before, after, as_json=as_json)
