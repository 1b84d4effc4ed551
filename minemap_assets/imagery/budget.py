"""Holding an estimate to the budget: how much one run may ask of the outside world.

`net/usage.py` counts against the same limits while a run goes on.
"""

from collections.abc import Sequence

from geopandas import GeoDataFrame

from minemap_assets.errors import BadInputError
from minemap_assets.geo.grid import from_columns
from minemap_assets.imagery.config import BudgetConfig, ImageryConfig
from minemap_assets.imagery.cost_models import cost_models, costs_by_source, without_deadline
from minemap_assets.imagery.costs import Cost
from minemap_assets.imagery.seasons import Season
from minemap_assets.project.project import Project

GIGABYTE = 1_000_000_000


def excesses(cost: Cost, budget: BudgetConfig) -> tuple[str, ...]:
    """What an estimate passes, in words; nothing where it stays within the budget."""
    figures = (
        ("requests", float(cost.requests), budget.requests, "requests"),
        ("gigabytes", cost.bytes_read / GIGABYTE, budget.gigabytes, "GB"),
        ("planet_downloads", float(cost.downloads), budget.planet_downloads, "Planet downloads"),
        ("eecu_hours", cost.eecu_hours, budget.eecu_hours, "EECU-hours"),
    )
    return tuple(
        f"{_number(value)} {unit} where {name} allows {_number(float(limit))}"
        for name, value, limit, unit in figures
        if limit is not None and value > limit
    )


def check_budget(cost: Cost, budget: BudgetConfig, what: str = "this run") -> None:
    """Raises `BadInputError` where an estimate passes the budget; `what` is what would."""
    passed = excesses(cost, budget)
    if passed:
        raise BadInputError(
            f"{what} would need about {' and '.join(passed)} under [imagery.budget], so nothing was fetched; ask for "
            "fewer regions or years, or raise the limit in the settings (`minemap plan` shows the estimate)"
        )


def hold_to_budget(
    project: Project, region: str, season: Season, product: str, bands: Sequence[str], places: GeoDataFrame
) -> None:
    """Raises `BadInputError` where the imagery of one region and season alone passes the budget of a run. The sources'
    services are asked for that, as long as they take; without a limit nothing is.
    """
    config = project.section(ImageryConfig)
    if not config.budget.limits_anything:
        return
    rows = places.sort_values("site_id").itertuples(index=False)
    grids = [from_columns(row.crs, row.transform, row.width, row.height) for row in rows]
    models = cost_models(project, product, query=without_deadline)
    found = costs_by_source(models, product, season, tuple(bands), grids)
    check_budget(sum(found.costs.values(), Cost()), config.budget, f"imagery of {region} in {season.year}")


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"
