"""Queries: the SQL files beside this room's code, each with what it answers and what its columns mean.

A file begins with comments: sentences about the whole, then after an empty one `column: what it is` for every column.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType

CHANGE_GRID = "change_grid"
"""The query behind the table of that name."""

_VIEWS = (
    "latest_country_summary",
    "yearly_totals",
    "site_change",
    "country_change",
    "yearly_change",
    "yearly_mine_change",
    "sovereign_summary",
    "corrected_areas",
    "sites_not_observed",
    "sites_over_borders",
    "published_comparison",
    "series_comparison",
)
"""In the order in which they are made: one may ask those before it."""


@dataclass(frozen=True)
class View:
    """A ready-made question: what it answers, its columns' meanings where they are its own, and the query."""

    name: str
    comment: str
    columns: Mapping[str, str]
    query: str


@cache
def query(name: str) -> View:
    """The query of a file `sql/NAME.sql`."""
    text = (files("minemap_assets.tables") / "sql" / f"{name}.sql").read_text(encoding="utf-8")
    lines = text.splitlines()
    head = next(n for n, line in enumerate(lines) if not line.startswith("--"))
    told = [line.removeprefix("--").strip() for line in lines[:head]]
    end = told.index("") if "" in told else len(told)
    described = (line.partition(": ") for line in told[end + 1 :])
    columns = {column: meaning for column, colon, meaning in described if colon}
    return View(name, " ".join(told[:end]), MappingProxyType(columns), "\n".join(lines[head:]))


@cache
def views() -> tuple[View, ...]:
    """The views of the database, in the order in which they are made."""
    return tuple(query(name) for name in _VIEWS)
