"""Sensors on a finished project: new and corrected imagery starts work, once; what failed is asked for again.

The source is the tiny world's, which announces corrections as a service does: nothing here changes with them.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import dagster as dg
import pytest

from dagster_project.definitions import build_definitions
from dagster_project.instance import open_instance, sync_regions
from dagster_project.sensors import ended_seasons, missing_imagery, new_imagery, poll_everywhere, region_sync
from gaps import Gaps, place
from minemap_assets.errors import RetryableError
from minemap_assets.imagery.assets import COMPOSITES
from minemap_assets.imagery.rules import product_of
from minemap_assets.project.regions import REGIONS_PATH, write_regions
from minemap_assets.simulation.built_in_worlds import ALDER, BIRCH
from minemap_assets.sites.windows import iter_sites
from projects import is_current, make
from tiny import YEARS, Chain

pytestmark = pytest.mark.integration

REGIONS = (ALDER, BIRCH)


@dataclass
class Sensors:
    """A copy of the finished project with its sensors, which remember as the daemon lets them."""

    chain: Chain
    gaps: Gaps
    instance: dg.DagsterInstance
    cursor: str | None = None
    definitions: dg.Definitions | None = None

    def tick(self, sensor: dg.SensorDefinition = new_imagery) -> list[dg.RunRequest]:
        context = dg.build_sensor_context(
            self.instance,
            cursor=self.cursor,
            resources={"home": self.chain.project_home},
            sensor_name=sensor.name,
            definitions=self.definitions,
        )
        result = sensor(context)
        assert isinstance(result, dg.SensorResult)
        self.cursor = result.cursor or self.cursor
        return list(result.run_requests or [])

    def current(self, region: str, year: int) -> bool:
        return is_current(self.chain.project, COMPOSITES, region, str(year))


@pytest.fixture
def sensors(finished: Chain, tmp_path: Path) -> Iterator[Sensors]:
    gaps = Gaps()
    chain = finished.copied(tmp_path / "copy", gaps.registry())
    with open_instance(chain.environment.dagster_home) as instance:
        sync_regions(instance, chain.project)
        yield Sensors(chain, gaps, instance)


def keys(requests: list[dg.RunRequest]) -> set[str]:
    return {str(request.partition_key) for request in requests}


def test_the_first_look_asks_for_every_ended_season_once(sensors: Sensors) -> None:
    assert keys(sensors.tick()) == {f"{region}|{year}" for region in REGIONS for year in YEARS}
    assert sensors.tick() == []
    assert all(sensors.current(region, year) for region in REGIONS for year in YEARS)


def test_a_year_that_is_not_loaded_yet_is_not_asked_for(sensors: Sensors, capsys: pytest.CaptureFixture[str]) -> None:
    """One request for a partition that does not exist would fail the whole tick; it is asked for after a reload."""
    chain, beginning = sensors.chain, f"first_year = {YEARS[1]}\n# Settings of the demo"
    chain.change("# Settings of the demo", beginning)
    loaded = build_definitions(chain.environment, chain.project_home, chain.registry)
    chain.change(beginning, "# Settings of the demo")
    sensors.definitions = loaded
    assert keys(sensors.tick()) == {f"{region}|{year}" for region in REGIONS for year in YEARS[1:]}
    sensors.tick(region_sync)
    late = f"no partition yet for {chain.project.first_year} and {YEARS[0]}, which began after the project was loaded"
    assert f"{late}; reload the definitions in the UI" in capsys.readouterr().err
    sensors.definitions = None
    assert keys(sensors.tick()) == {f"{region}|{YEARS[0]}" for region in REGIONS}


def test_corrected_images_are_fetched_again_and_no_others(sensors: Sensors) -> None:
    sensors.tick()
    year, others = YEARS[1], [y for y in YEARS if y != YEARS[1]]
    sensors.gaps.corrected.add(year)
    requests = sensors.tick()
    assert keys(requests) == {f"{region}|{year}" for region in REGIONS}
    assert len({request.run_key for request in requests}) == len(requests)
    assert not any(sensors.current(region, year) for region in REGIONS)
    assert all(sensors.current(region, other) for region in REGIONS for other in others)
    assert sensors.tick() == []

    make(sensors.chain.project, COMPOSITES, REGIONS[0], str(year))
    assert {asked_year for _, asked_year in sensors.gaps.asked} == {year}
    assert sensors.current(REGIONS[0], year)


def test_a_running_season_is_left_alone(sensors: Sensors) -> None:
    project = sensors.chain.project
    regions = project.active_regions()
    found = poll_everywhere(project, date(YEARS[-1], 12, 1))
    running, over = (
        {year for _, _, year in ended_seasons(project, regions, found, day)}
        for day in (date(YEARS[-1], 11, 30), date(YEARS[-1], 12, 1))
    )
    assert running == set(YEARS[:-1])
    assert over == set(YEARS)


def test_a_failed_site_is_asked_for_once_a_day_until_it_is_there(sensors: Sensors) -> None:
    assert sensors.tick(missing_imagery) == []
    chain, region, year = sensors.chain, REGIONS[0], YEARS[0]
    sites = iter_sites(chain.frame("sites", "sites", region, file="sites.parquet"))
    where = place(next(sites).grid, year)
    sensors.tick()
    sensors.gaps.failing[where] = RetryableError("the service is overloaded")
    sensors.gaps.corrected.add(year)
    sensors.tick()
    make(chain.project, COMPOSITES, region, str(year))

    asked = sensors.tick(missing_imagery)
    assert keys(asked) == {f"{region}|{year}"}
    assert [r.run_key for r in sensors.tick(missing_imagery)] == [r.run_key for r in asked]

    sensors.gaps.failing.clear()
    make(chain.project, COMPOSITES, region, str(year))
    assert sensors.tick(missing_imagery) == []


def test_a_source_that_fails_hides_no_other_and_is_asked_again(sensors: Sensors) -> None:
    project = sensors.chain.project
    product = product_of(project, project.region(REGIONS[0]), YEARS[0])
    sensors.gaps.silent.add(product)
    first = keys(sensors.tick())
    sensors.gaps.silent.clear()
    second = keys(sensors.tick())
    assert first & second == set()
    assert first | second == {f"{region}|{year}" for region in REGIONS for year in YEARS}
    assert f"{REGIONS[0]}|{YEARS[0]}" in second


def test_new_regions_get_their_partitions(sensors: Sensors) -> None:
    project = sensors.chain.project
    new = replace(project.region(REGIONS[0]), slug="cedar")
    project.lake.store.write_bytes(REGIONS_PATH, write_regions([*project.regions.values(), new]))
    result = region_sync(dg.build_sensor_context(sensors.instance, resources={"home": sensors.chain.project_home}))
    assert isinstance(result, dg.SensorResult)
    requests = list(result.dynamic_partitions_requests or [])
    assert [list(request.partition_keys) for request in requests] == [["cedar"]]
