"""What a plan says of Planet's basemaps, and what the stand-in service then counts."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from minemap_assets.imagery.costs import ASKED, Cost, FetchRequest
from minemap_assets.imagery.sources.planet.api_answers import KEY_VARIABLE
from minemap_assets.imagery.sources.planet.config import PlanetConfig
from minemap_assets.imagery.sources.planet.costs import PlanetCosts
from minemap_assets.lake.kept_files import KeptFiles
from minemap_assets.lake.lake import Lake
from planet_trial import SEASON, SITES, build, source
from planet_world import BANDS, Running, served
from servers.planet_faults import Account

pytestmark = pytest.mark.integration


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, Account.GOOD)


@pytest.fixture
def server(basemaps: Path) -> Iterator[Running]:
    with served(basemaps) as running:
        yield running


def plan(server: Running, cache: Path, clarity: str, reads: str = "quads") -> Cost:
    """By a source of its own, as a plan opens one."""
    settings = {"clarity": clarity, "reads": reads}
    config = PlanetConfig.model_validate({"base_url": server.base_url} | settings)
    model = PlanetCosts(config, KeptFiles(cache), source(server, cache, **settings))
    assert all(model.serves(grid, SEASON) for grid in SITES.values())
    return model.cost(FetchRequest("planet-nicfi", SEASON, BANDS, tuple(SITES.values())))


@pytest.mark.parametrize("clarity", ["pixels", "auto"])
def test_downloads_are_those_of_the_plan(server: Running, tmp_path: Path, clarity: str) -> None:
    cost = plan(server, tmp_path / "cache", clarity)
    assert cost.basis == {ASKED}
    before = server.stats()["counts"]
    build(Lake.at(str(tmp_path / "lake"), tmp_path / "state"), source(server, tmp_path / "cache", clarity=clarity))
    counts = {route: number - before.get(route, 0) for route, number in server.stats()["counts"].items()}
    assert counts["download"] == cost.downloads > 0
    assert sum(counts.values()) == pytest.approx(cost.requests, rel=0.2)
    assert plan(server, tmp_path / "cache", clarity).downloads == 0


@pytest.mark.parametrize("clarity", ["pixels", "auto"])
def test_tiles_are_those_of_the_plan(server: Running, tmp_path: Path, clarity: str) -> None:
    cost = plan(server, tmp_path / "cache", clarity, "tiles")
    before = server.stats()["counts"]
    planet = source(server, tmp_path / "cache", clarity=clarity, reads="tiles")
    build(Lake.at(str(tmp_path / "lake"), tmp_path / "state"), planet)
    counts = {route: number - before.get(route, 0) for route, number in server.stats()["counts"].items()}
    assert counts.get("full", 0) == counts.get("download", 0) == cost.downloads == 0
    assert sum(counts.values()) == pytest.approx(cost.requests, rel=0.2)
    assert plan(server, tmp_path / "cache", clarity, "tiles").bytes_read == 0
