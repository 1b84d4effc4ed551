"""`minemap plan`: what a run would need, before anything is fetched.

What belongs here: options and tables. What does not: estimating (`dagster_project/spending.py`,
`minemap_assets/estimates.py`).
"""

from functools import partial
from typing import Annotated

import typer
from rich.table import Table

from dagster_project.cli.context import Session, console, note, open_session, parse_regions, parse_years
from dagster_project.cli.deadline import within
from dagster_project.cli.run import Regions, Sample, Years
from dagster_project.graph import Scope
from dagster_project.selection import parse_selection
from dagster_project.spending import estimate_scope
from minemap_assets.errors import MinemapError
from minemap_assets.estimates import Estimate
from minemap_assets.imagery.budget import GIGABYTE, excesses
from minemap_assets.observations import observations

IMAGERY_ONLY = "imagery/imagery,imagery/reference_imagery"


def plan(
    regions: Regions = None,
    years: Years = None,
    select: Annotated[
        str | None, typer.Option(help="Assets or rooms, as for `minemap run`. Default: all imagery.")
    ] = None,
    sample: Sample = None,
    ask: Annotated[
        bool, typer.Option("--ask/--no-ask", help="Ask the sources' catalogues for clear observations by month.")
    ] = True,
    deadline: Annotated[float, typer.Option(min=0.1, help="Seconds to wait for a source's answer.")] = 20.0,
) -> None:
    """Say what imagery of some regions and years would need; nothing is fetched, and what is current costs nothing."""
    session = open_session(sample)
    project = session.project
    scope = Scope(
        parse_regions(regions, project),
        parse_years(years),
        parse_selection(select or IMAGERY_ONLY, session.definitions()),
    )
    with session.instance() as instance:
        estimate = estimate_scope(project, scope, instance)
    show_estimate(estimate)
    for sentence in estimate.gaps:
        note(sentence)
    if ask and estimate.lines:
        _show_observations(session, scope, deadline)
    for passed in excesses(estimate.total, project.settings.imagery.budget):
        note(f"above the budget: {passed}; `minemap run` would fetch nothing")


def show_estimate(estimate: Estimate) -> None:
    """A row for each source and product, and what the figures rest on."""
    if not estimate.lines:
        if not estimate.gaps:
            console.print("Nothing has to be fetched for these regions and years.")
        return
    table = Table("source", "product", title="Estimate, nothing fetched yet")
    for heading in ("site-years", "requests", "GB", "Planet downloads", "EECU-hours", "disk GB", "hours"):
        table.add_column(heading, justify="right")
    for line in estimate.lines:
        cost = line.cost
        table.add_row(
            line.source,
            line.product,
            f"{cost.site_years:,}",
            f"{cost.requests:,}",
            _gigabytes(cost.bytes_read),
            f"{cost.downloads:,}",
            f"{cost.eecu_hours:.2f}",
            _gigabytes(cost.disk_bytes),
            f"{line.hours:.2f}{'' if line.timed else ' ?'}",
        )
    console.print(table)
    for line in estimate.lines:
        if line.timed:
            console.print(f"{line.source}: hours at the rate measured over {line.timed} site-years.", soft_wrap=True)
    if any(not line.timed for line in estimate.lines):
        console.print("Hours marked ? are at an assumed rate; nothing of that source was timed yet.", soft_wrap=True)
    console.print(
        "Requests, bytes and EECU-hours are estimates on the high side; sites that share images need less.",
        soft_wrap=True,
    )
    console.print(
        f"{estimate.chips:,} chips for the model, at most {_gigabytes(estimate.chip_bytes)} GB of disk.", soft_wrap=True
    )


def _show_observations(session: Session, scope: Scope, deadline: float) -> None:
    """A row for each region and year. A source that does not answer is not asked for the others."""
    table = Table("region", "year", "source", "observations of a site by month", title="Expected observations")
    for region in scope.regions:
        for year in scope.years:
            try:
                found = within(deadline, partial(observations, session.project, region, year))
            except MinemapError as error:
                note(f"clear observations by month are not known for {region} in {year} and what follows: {error}")
                break
            if found is not None:
                what = "" if found.clear else " (images; clouds not known)"
                counts = ", ".join(f"{month:%b} {count:.1f}" for month, count in found.by_month.items())
                table.add_row(region, str(year), found.source, f"{counts}{what}")
        else:
            continue
        break
    if table.row_count:
        console.print(table)


def _gigabytes(size: int) -> str:
    value = size / GIGABYTE
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
