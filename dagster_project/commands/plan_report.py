"""What `minemap plan` asks and prints: an estimate by source and product, clear observations, an exceeded budget."""

from collections.abc import Callable, Sequence
from datetime import date
from functools import partial
from typing import Any

from rich.table import Table

from dagster_project.commands.context import Session, console
from dagster_project.commands.deadline import within
from dagster_project.commands.json_output import print_json
from dagster_project.durations import seconds_by_partition
from minemap_assets.errors import MinemapError
from minemap_assets.graph.graph import Scope
from minemap_assets.imagery.assets import COMPOSITES, REFERENCE_COMPOSITES
from minemap_assets.imagery.budget import GIGABYTE, excesses
from minemap_assets.imagery.config import ImageryConfig
from minemap_assets.imagery.costs import ASKED, ASSUMED
from minemap_assets.imagery.sources.stac.forecast import MOST_HEADS
from minemap_assets.planning.estimates import Estimate, Line
from minemap_assets.planning.observations import Observations, observations
from minemap_assets.planning.spending import estimate_steps

OBSERVED = "Clear observations of a site, by month"
ROWS = 12
"""At most so many regions and years are asked about."""


def estimate(session: Session, scope: Scope, deadline: float | None) -> Estimate:
    """What a scope would need. Catalogues are asked where there is a deadline for each answer, in seconds."""
    with session.instance() as instance:
        seconds = seconds_by_partition(instance, COMPOSITES, REFERENCE_COMPOSITES)
    query = None if deadline is None else partial(within, deadline)
    return estimate_steps(session.project, session.graph.steps(scope), session.states, seconds, query)


def passes(session: Session, found: Estimate) -> tuple[str, ...]:
    """What passes the budget, in words."""
    return tuple(excesses(found.total, session.project.section(ImageryConfig).budget))


def look_ahead(session: Session, scope: Scope, deadline: float, tell: Callable[[str], None]) -> list[Observations]:
    """Clear observations of regions and years, evenly chosen where there are many.

    One failure ends the questions, and `tell` hears of it in a sentence.
    """
    places = [(region, year) for region in scope.regions for year in scope.years]
    found = []
    for region, year in places[:: -(-len(places) // ROWS)]:
        try:
            one = within(deadline, partial(observations, session.project, region, year))
        except MinemapError as error:
            tell(f"clear observations of {region} in {year} are not known, and others are not asked for: {error}")
            break
        if one is not None:
            found.append(one)
    return found


def tell(scope: Scope, found: Estimate, seen: Sequence[Observations], above: Sequence[str]) -> None:
    """Print a plan as JSON; sizes in bytes, `by_month` by the first day of each month."""
    print_json(
        {
            "regions": scope.regions,
            "years": scope.years,
            "assets": sorted(map(str, scope.assets)),
            "lines": [_facts(line) for line in found.lines],
            "chips": found.chips,
            "chip_bytes": found.chip_bytes,
            "not_estimated": found.gaps,
            "observations": seen,
            "above_budget": above,
        }
    )


def _facts(line: Line) -> dict[str, Any]:
    return {
        "source": line.source,
        "product": line.product,
        "site_years": line.cost.site_years,
        "requests": line.cost.requests,
        "bytes_to_fetch": line.cost.bytes_read,
        "planet_downloads": line.cost.downloads,
        "eecu_hours": line.cost.eecu_hours,
        "bytes_on_disk": line.cost.disk_bytes,
        "hours": line.hours,
        "timed_site_years": line.timed,
        "rests_on": line.cost.basis,
        "otherwise": "" if line.cost.otherwise is None else str(line.cost.otherwise),
    }


def show_estimate(found: Estimate) -> None:
    """A column for each source and product, and what the figures rest on."""
    if not found.lines:
        if not found.gaps:
            console.print("Nothing has to be fetched for these regions and years.")
        return
    table = Table("", title="Estimate, nothing fetched yet")
    for line in found.lines:
        table.add_column(f"{line.source}\n{line.product}", justify="right")
    for name, figure in FIGURES.items():
        table.add_row(name, *(figure(line) for line in found.lines))
    console.print(table)
    timed = {line.source: line.timed for line in found.lines}
    for source, count in timed.items():
        rate = f"at the rate measured over {count} site-years" if count else "at an assumed rate, as none was timed yet"
        console.print(f"{source}: hours {rate}.", soft_wrap=True)
    for line in found.lines:
        if line.cost.otherwise is not None:
            console.print(f"{line.source}: {line.cost.otherwise}.", soft_wrap=True)
    bases = {basis for line in found.lines for basis in line.cost.basis}
    for basis, sentence in BASES.items():
        if basis in bases:
            console.print(f"{basis}: {sentence}", soft_wrap=True)
    console.print(
        f"{found.chips:,} chips for the model, at most {_gigabytes(found.chip_bytes)} GB of disk.", soft_wrap=True
    )


def show_observations(found: Sequence[Observations]) -> None:
    """A row for each region and year that was asked about."""
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
