"""`minemap sources`: which imagery sources work here, and on what terms."""

from typing import TYPE_CHECKING, Annotated

import typer

from dagster_project.cli.options import Json
from dagster_project.commands.context import console, open_session

if TYPE_CHECKING:
    from minemap_assets.planning.source_reports import SourceReport


def sources(
    names: Annotated[list[str] | None, typer.Argument(help="Only these sources. Default: all.")] = None,
    deadline: Annotated[float, typer.Option(min=0.1, help="Seconds to wait for a source's answer.")] = 15.0,
    as_json: Json = False,
) -> int:
    """Say of each source whether it works here, what it covers, its limits and its terms of use; one line each.

    The exit code is 1 where a source that was named does not work.
    """
    from dagster_project.commands.source_answers import ask_sources
    from minemap_assets.imagery.source_kind import kind_named, kinds

    project = open_session().project
    chosen = [kind_named(project, name) for name in dict.fromkeys(names or kinds(project))]
    found = []
    for report in ask_sources(project, chosen, deadline):
        found.append(report)
        if not as_json:
            console.print(line_of(report), soft_wrap=True)
    if as_json:
        from dagster_project.commands.json_output import print_json

        print_json([_plain(report) for report in found])
    return 1 if names and not all(report.works for report in found) else 0


def line_of(report: "SourceReport") -> str:
    """A report in one line of rich markup."""
    from rich.markup import escape

    mark = "[green]works[/]" if report.works else "[red]does not work[/]"
    serves = f"serves {', '.join(report.products)}" if report.products else "not named in the settings"
    parts = (
        f"credentials: {report.credentials}",
        report.access,
        f"covers {report.covers}",
        f"limits: {report.limits}",
        f"terms: {'; '.join(map(str, report.terms)) or 'unknown'}",
    )
    told = " | ".join(" ".join(part.split()) for part in parts)
    return f"[bold]{report.name}[/] {mark}, {serves} | {escape(told)}"


def _plain(report: "SourceReport") -> dict[str, object]:
    return {
        "name": report.name,
        "works": report.works,
        "products": list(report.products),
        "credentials": report.credentials,
        "access": report.access,
        "covers": report.covers,
        "limits": report.limits,
        "terms": [{"text": one.text, "redistributable": one.redistributable} for one in report.terms],
    }
