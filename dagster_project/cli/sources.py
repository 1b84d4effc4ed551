"""`minemap sources`: which imagery sources work here, and on what terms."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib import import_module
from typing import Annotated

import typer
from rich.markup import escape

from dagster_project.cli.context import console, open_session
from dagster_project.cli.deadline import within
from minemap_assets.imagery.source_kind import kind_named, kinds
from minemap_assets.planning.source_reports import SourceReport, report_source


def sources(
    names: Annotated[list[str] | None, typer.Argument(help="Only these sources. Default: all.")] = None,
    deadline: Annotated[float, typer.Option(min=0.1, help="Seconds to wait for a source's answer.")] = 15.0,
) -> None:
    """Say of each source whether it works here, what it covers, its limits and its terms of use; one line each."""
    project = open_session().project
    chosen = [kind_named(project, name) for name in dict.fromkeys(names or kinds(project))]
    # Several clients import it, and threads that begin to at the same time get half of it.
    import_module("requests")
    with ThreadPoolExecutor(max_workers=len(chosen)) as pool:
        for report in pool.map(lambda kind: report_source(kind, project, partial(within, deadline)), chosen):
            console.print(line_of(report), soft_wrap=True)


def line_of(report: SourceReport) -> str:
    """A report in one line of rich markup."""
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
