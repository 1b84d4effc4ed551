"""Budgets: how much one run may ask of the outside world.

What belongs here: the limits and comparing an estimate with them. What does not: estimating (`costs.py`), and counting
while a run goes on (`ledger.py`).
"""

from pydantic import BaseModel, ConfigDict, Field

from minemap_assets.errors import BadInputError
from minemap_assets.imagery.costs import Cost

GIGABYTE = 1_000_000_000


class BudgetConfig(BaseModel):
    """The most that one run may ask of imagery sources; what is not set has no limit.

    A run whose estimate (`minemap plan`) is above a limit does not fetch anything, and one that turns out to need more
    than was estimated stops there and keeps what is done (compute units are only estimated). `planet_downloads` counts
    quads, `eecu_hours` Earth Engine's compute units.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    requests: int | None = Field(None, ge=0)
    gigabytes: float | None = Field(None, ge=0.0)
    planet_downloads: int | None = Field(None, ge=0)
    eecu_hours: float | None = Field(None, ge=0.0)

    @property
    def limits_anything(self) -> bool:
        """True where any limit is set."""
        return any(value is not None for _, value in self)


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


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"
