"""The live tests: run with `-m live` only, and skipped in one sentence where the network or an account is missing.

What belongs here: what decides whether they run, and the place they look at. What does not: the tests.
"""

import socket
from collections.abc import Callable
from functools import cache
from urllib.parse import urlsplit

import pytest
from odc.geo.geobox import GeoBox
from pyproj import Transformer

from minemap_assets.geo.grid import square_grid

TOKA_TINDUNG = (125.1, 1.5833)
"""Longitude and latitude of the example mine."""

PATIENCE = 5.0


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave live tests out unless `-m` names them: no other choice of tests may send requests to the real services."""
    if "live" in (config.option.markexpr or ""):
        return
    live = [item for item in items if item.get_closest_marker("live")]
    if live:
        config.hook.pytest_deselected(items=live)
        items[:] = [item for item in items if item not in live]


@cache
def unreachable(host: str) -> str:
    """Why a host cannot be reached; empty where it can."""
    try:
        socket.create_connection((host, 443), timeout=PATIENCE).close()
    except OSError as error:
        return str(error.strerror or error)
    return ""


@pytest.fixture
def reach() -> Callable[[str], None]:
    """Skips the test where the server of an address cannot be reached from here."""

    def check(url: str) -> None:
        host = urlsplit(url).hostname or url
        why = unreachable(host)
        if why:
            pytest.skip(f"no network: {host} cannot be reached ({why}); run the live tests where there is internet")

    return check


@pytest.fixture(scope="session")
def pit() -> GeoBox:
    """A kilometre in the example mine: 100 x 100 pixels of 10 m."""
    x, y = Transformer.from_crs(4326, 32651, always_xy=True).transform(*TOKA_TINDUNG)
    return square_grid(x, y, 100, 32651, 10.0)
