"""The sensor `new_imagery` over Planet's service on loopback: mosaics that come, are corrected, or cannot be had."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

import roads
from dagster_project.instance import open_instance, sync_regions
from minemap_assets.imagery.sources.planet.api_answers import KEY_VARIABLE
from minemap_assets.project.settings import SETTINGS_PATH
from planet_world import SUPPORT, MosaicSpec, Running, monthly, write_mosaics
from servers.planet_faults import Account
from ticks import Ticking, keys
from tiny import Chain

pytestmark = pytest.mark.integration

SETTINGS = f"""
first_year = 2018

[sites]
min_pixels = {roads.WINDOW}

[imagery]
products = [{{ product = "planet-nicfi" }}]
max_unobserved_share = 1.0

[imagery.bands]
planet-nicfi = {list(roads.BANDS)}

[imagery.sources]
planet-nicfi = ["planet-basemaps"]

[sources.planet_basemaps]
base_url = "{{url}}"
clarity = "pixels"
timeout_s = 5.0
attempts = 2
backoff = 0.01
rate = 100.0
"""

JULY = roads.QUADS
AUGUST = monthly(2019, 8)
CORRECTED = replace(JULY, start=date(2019, 7, 2))
"""The service has made July anew, from other days."""


@pytest.fixture
def quads(tmp_path: Path) -> Path:
    """What the service serves: July under one site, and the same pixels as those of August."""
    root = tmp_path / "planet"
    roads.render_quads(root)
    (root / AUGUST.id).mkdir()
    for path in (root / JULY.id).glob("*.tif"):
        (root / AUGUST.id / path.name).write_bytes(path.read_bytes())
    return root


@pytest.fixture
def planet(quads: Path) -> Iterator[Running]:
    command = [sys.executable, "-m", "servers.planet_over_time", "--root", str(quads)]
    environment = os.environ | {"PYTHONPATH": str(SUPPORT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        yield Running(f"http://127.0.0.1:{int(process.stdout.readline())}/basemaps/v1")
        process.kill()


@pytest.fixture
def ticking(sites: Chain, planet: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ticking]:
    roads.without_secrets(monkeypatch, tmp_path / "home")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(KEY_VARIABLE, Account.GOOD.value)
    chain = sites.copied(tmp_path / "copy")
    chain.project.lake.store.write_bytes(SETTINGS_PATH, SETTINGS.replace("{url}", planet.base_url).encode())
    with open_instance(chain.environment.dagster_home) as instance:
        sync_regions(instance, chain.project)
        yield Ticking(chain, instance, datetime(2019, 8, 5, tzinfo=UTC))


def later(ticking: Ticking, quads: Path, *mosaics: MosaicSpec, days: float = 1.0) -> None:
    """Time passes, and the service has these mosaics."""
    ticking.now += timedelta(days=days)
    write_mosaics(quads, mosaics)


def test_each_new_mosaic_leads_to_its_year_once_and_a_corrected_one_again(ticking: Ticking, quads: Path) -> None:
    def asked_and_made() -> list[str]:
        requests = ticking.tick()
        assert ticking.tick() == requests, "nothing was made yet"
        assert all(ticking.work(requests))
        assert ticking.tick() == [], "a second look asks for nothing"
        ticking.now += timedelta(days=1)
        assert ticking.tick() == []
        return keys(requests)

    assert asked_and_made() == ["place|2019"]
    later(ticking, quads, JULY, AUGUST, days=28)
    assert asked_and_made() == ["place|2019"]
    later(ticking, quads, JULY, AUGUST, monthly(2018, 7), days=100)
    write_mosaics(quads, [JULY, AUGUST])
    assert ticking.tick() == [], "the season is over, and nothing has changed"
    later(ticking, quads, CORRECTED, AUGUST)
    assert asked_and_made() == ["place|2019"]


def test_a_service_that_fails_for_a_day_loses_nothing(ticking: Ticking, quads: Path, planet: Running) -> None:
    assert all(ticking.work(ticking.tick()))
    planet.fail(1.0)
    for _ in range(8):
        later(ticking, quads, JULY, AUGUST, days=0.13)
        assert ticking.tick() == []
    planet.fail(0.0)
    later(ticking, quads, JULY, AUGUST, days=0.13)
    requests = ticking.tick()
    assert keys(requests) == ["place|2019"]
    assert all(ticking.work(requests))


def test_a_mosaic_that_is_corrected_between_a_run_and_the_first_look_is_fetched_again(
    ticking: Ticking, quads: Path
) -> None:
    """A person ran it before anybody turned the sensor on."""
    assert ticking.work([dg.RunRequest(run_key="by hand", partition_key="place|2019")]) == [True]
    later(ticking, quads, CORRECTED, days=200)
    assert keys(ticking.tick()) == ["place|2019"]
