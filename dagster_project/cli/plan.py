"""`minemap plan`: what a run would need, before anything is fetched."""

from collections.abc import Callable
from datetime import date
from functools import partial
from typing import Annotated

import typer
from rich.table import Table

from dagster_project.cli.context import Session, console, note, open_session
from dagster_project.cli.deadline import within
from dagster_project.cli.run import Regions, Sample, Years
from dagster_project.durations import seconds_by_partition
from minemap_assets.errors import MinemapError
from minemap_assets.graph.graph import Scope
from minemap_assets.imagery.assets import COMPOSITES, REFERENCE_COMPOSITES
from minemap_assets.imagery.budget import GIGABYTE, excesses
from minemap_assets.imagery.config import ImageryConfig
from minemap_assets.imagery.costs import ASKED, ASSUMED
from minemap_assets.imagery.sources.stac.forecast import MOST_HEADS
from minemap_assets.planning.estimates import Estimate, Line
from minemap_assets.planning.observations import observations
from minemap_assets.planning.spending import estimate_steps

IMAGERY_ONLY = "imagery/imagery,imagery/reference_imagery"
OBSERVED = "Clear observations of a site, by month"
ROWS = 12
"""At most so many regions and years are asked about."""


def plan(
    regions: Regions = None,
    years: Years = None,
    select: Annotated[
        str | None, typer.Option(help="Assets or rooms, as for `minemap run`. Default: all imagery.")
    ] = None,
    sample: Sample = None,
    ask: Annotated[
        bool, typer.Option("--ask/--no-ask", help="Ask the sources' catalogues what they have, or assume it.")
    ] = True,
    deadline: Annotated[float, typer.Option(min=0.1, help="Seconds to wait for each answer of a source.")] = 60.0,
) -> None:
    """Say what imagery of some regions and years would need; nothing is fetched, and what is current costs nothing."""
    session = open_session(sample)
    scope = session.scope(select or IMAGERY_ONLY, regions, years)
    with session.instance() as instance:
        seconds = seconds_by_partition(instance, COMPOSITES, REFERENCE_COMPOSITES)
    query = partial(within, deadline) if ask else None
    estimate = estimate_steps(session.project, session.graph.steps(scope), session.states, seconds, query)
    show_estimate(estimate)
    for sentence in estimate.gaps:
        note(sentence)
    if ask and estimate.lines:
        _show_observations(session, scope, deadline)
    for passed in excesses(estimate.total, session.project.section(ImageryConfig).budget):
        note(f"above the budget: {passed}; `minemap run` would fetch nothing")


def show_estimate(estimate: Estimate) -> None:
    """A column for each source and product, and what the figures rest on."""
    if not estimate.lines:
        if not estimate.gaps:
            console.print("Nothing has to be fetched for these regions and years.")
        return
    table = Table("", title="Estimate, nothing fetched yet")
    for line in estimate.lines:
        table.add_column(f"{line.source}\n{line.product}", justify="right")
    for name, figure in FIGURES.items():
        table.add_row(name, *(figure(line) for line in estimate.lines))
    console.print(table)
    timed = {line.source: line.timed for line in estimate.lines}
    for source, count in timed.items():
        rate = f"at the rate measured over {count} site-years" if count else "at an assumed rate, as none was timed yet"
        console.print(f"{source}: hours {rate}.", soft_wrap=True)
    bases = {basis for line in estimate.lines for basis in line.cost.basis}
    for basis, sentence in BASES.items():
        if basis in bases:
            console.print(f"{basis}: {sentence}", soft_wrap=True)
    console.print(
        f"{estimate.chips:,} chips for the model, at most {_gigabytes(estimate.chip_bytes)} GB of disk.", soft_wrap=True
    )


def _show_observations(session: Session, scope: Scope, deadline: float) -> None:
    """A row for each region and year, evenly chosen where there are many. One failure ends the questions."""
    places = [(region, year) for region in scope.regions for year in scope.years]
    found = []
    for region, year in places[:: -(-len(places) // ROWS)]:
        try:
            one = within(deadline, partial(observations, session.project, region, year))
        except MinemapError as error:
            note(f"clear observations of {region} in {year} are not known, and others are not asked for: {error}")
            break
        if one is not None:
            found.append(one)
    months = sorted({month.month for one in found for month in one.by_month})
    if not months:
        return
    table = Table("region", "year", "source", *(f"{date(2000, m, 1):%b}" for m in months), title=OBSERVED)
    for one in found:
        counts = {month.month: f"{count:.1f}" for month, count in one.by_month.items()}
        mark = "" if one.clear else " *"
        table.add_row(one.region, str(one.year), f"{one.source}{mark}", *(counts.get(m, "") for m in months))
    console.print(table)
    if not all(one.clear for one in found):
        console.print("* images; how much of them is clear is only known once they are fetched.", soft_wrap=True)


def _gigabytes(size: int) -> str:
    value = size / GIGABYTE
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


FIGURES: dict[str, Callable[[Line], str]] = {
    "site-years": lambda line: f"{line.cost.site_years:,}",
    "requests": lambda line: f"{line.cost.requests:,}",
    "GB to fetch": lambda line: _gigabytes(line.cost.bytes_read),
    "Planet downloads": lambda line: f"{line.cost.downloads:,}",
    "EECU-hours": lambda line: f"{line.cost.eecu_hours:.2f}",
    "GB on disk": lambda line: _gigabytes(line.cost.disk_bytes),
    "hours": lambda line: f"{line.hours:.2f}",
    "rests on": lambda line: ", ".join(sorted(line.cost.basis)),
}
"""What is shown of each source, in this order."""

BASES = {
    ASKED: "images, quads and blocks of these regions and years, what sites share once, what is kept here left out; "
    f"of open scenes the heads of at most {MOST_HEADS} files a region and year were read. Compute units are assumed.",
    ASSUMED: "usual numbers and sizes of images, on the high side; sites that share images need less.",
}
"""What figures rest on, in a sentence."""
