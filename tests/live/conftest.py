"""The live probes: run with `-m live` only; what was found is printed at the end, whatever came of it.

What belongs here: what decides whether they run, the place they look at, and the printing. What does not: the probes.
"""

from typing import Any

import pytest
from pyproj import Transformer

from live_probes import Place
from minemap_assets.geo.grid import square_grid

TOKA_TINDUNG = (125.1, 1.5833)
"""Longitude and latitude of the example mine."""

FOUND = "found"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave live tests out unless `-m` names them: no other choice of tests may send requests to the real services."""
    if "live" in (config.option.markexpr or ""):
        return
    live = [item for item in items if item.get_closest_marker("live")]
    if live:
        config.hook.pytest_deselected(items=live)
        items[:] = [item for item in items if item not in live]


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """One line for each probe: its name, how it ended, what was found."""
    reports = [one for group in terminalreporter.stats.values() for one in group if hasattr(one, "user_properties")]
    lines = sorted({str(value) for one in reports for name, value in one.user_properties if name == FOUND})
    if lines:
        terminalreporter.section("what the services answered")
        for line in lines:
            terminalreporter.write_line(line)


@pytest.fixture
def place(tmp_path: Any) -> Place:
    """A kilometre in the example mine: 100 x 100 pixels of 10 m."""
    x, y = Transformer.from_crs(4326, 32651, always_xy=True).transform(*TOKA_TINDUNG)
    return Place(square_grid(x, y, 100, 32651, 10.0), tmp_path)
