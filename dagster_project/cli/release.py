"""`minemap release`: what changed beyond its bound, and a person's word that it may be published."""

from typing import Annotated

import typer

from dagster_project.cli.options import Json
from dagster_project.commands.context import open_session, parse_years

release_app = typer.Typer(help="Figures that wait for a person before they are published.", no_args_is_help=True)


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
