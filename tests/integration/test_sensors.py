"""Sensors on a finished project: new and corrected imagery starts work, once; what failed is asked for again.

The source is the tiny world's, which announces corrections as a service does: nothing here changes with them.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from dagster_project.definitions import build_definitions
from dagster_project.instance import open_instance, sync_regions
from dagster_project.schedules import schedules
from dagster_project.sensors.new_imagery import Phase, groups
from dagster_project.sensors.polling import Deadline, everyone, poll
from dagster_project.sensors.region_sync import region_sync
from daily import Daily
from gaps import Gaps, place
from minemap_assets.errors import RetryableError
from minemap_assets.imagery.arrivals import ARRIVALS_PATH, UNKNOWN, read_arrivals
from minemap_assets.imagery.assets import COMPOSITES
from minemap_assets.imagery.rules import product_of
from minemap_assets.project.regions import REGIONS_PATH, write_regions
from minemap_assets.project.settings import SETTINGS_PATH
from minemap_assets.segmentation.assets import RAW_MASKS
from minemap_assets.simulation.built_in_worlds import ALDER, BIRCH
from minemap_assets.sites.windows import iter_sites
from ticks import DUE, Ticking, keys
from tiny import YEARS, Chain

pytestmark = pytest.mark.integration

REGIONS = (ALDER, BIRCH)
EVERYTHING = sorted(f"{region}|{year}" for region in REGIONS for year in YEARS)


@dataclass
class Sensors(Ticking):
    """A copy of the finished project, whose source has gaps and announces corrections when it is told to."""

    gaps: Gaps = None  # type: ignore[assignment]

    def later(self, **time: float) -> None:
        """Let time pass."""
        self.now += timedelta(**time)

    def lose(self, region: str, year: int) -> None:
        """As if the imagery had never been made."""
        shutil.rmtree(self.chain.folder / "lake" / COMPOSITES.ref((region, str(year))).prefix)

    def said(self, text: str) -> None:
        """Put a line at the beginning of the settings' section on operations."""
        store = self.chain.project.lake.store
        whole = store.read_bytes(SETTINGS_PATH).decode()
        store.write_bytes(SETTINGS_PATH, f"{whole}\n[operations]\n{text}\n".encode())


@pytest.fixture
def sensors(finished: Chain, tmp_path: Path) -> Iterator[Sensors]:
    gaps = Gaps()
    chain = finished.copied(tmp_path / "copy", gaps.registry())
    with open_instance(chain.environment.dagster_home) as instance:
        sync_regions(instance, chain.project)
        yield Sensors(chain, instance, gaps=gaps)


def test_turned_on_over_a_current_lake_nothing_is_asked_for(sensors: Sensors) -> None:
    assert sensors.tick() == sensors.tick(DUE) == []
    assert all(sensors.current(region, year) for region in REGIONS for year in YEARS)
    annual, _ = schedules(sensors.chain.project, sensors.chain.registry.rooms)
    assert asked_by(annual, sensors, datetime(YEARS[-1] + 1, 1, 15, 6, tzinfo=UTC)) == []


def test_what_is_asked_for_can_be_launched(sensors: Sensors) -> None:
    """Dagster resolves each request against the definitions that the daemon has, and fails the whole tick otherwise."""
    definitions = build_definitions(sensors.chain.environment, sensors.chain.project_home, sensors.chain.registry)
    repository = definitions.get_repository_def()

    def launched(name: str) -> dg.RunRequest:
        context = dg.build_sensor_context(
            sensors.instance,
            instance_ref=sensors.instance.get_ref(),
            sensor_name=name,
            repository_def=repository,
            resources={"home": sensors.chain.project_home},
        )
        (request,) = repository.get_sensor_def(name).evaluate_tick(context).run_requests or []
        assert request.tags["dagster/partition"] == request.partition_key
        return request

    shutil.rmtree(sensors.chain.folder / "lake" / RAW_MASKS.ref((REGIONS[0], str(YEARS[0]))).prefix)
    assert keys([launched("reconcile")]) == [f"raw_masks/{REGIONS[0]}|{YEARS[0]}"]
    sensors.lose(REGIONS[1], YEARS[0])
    assert keys([launched("new_imagery")]) == [f"{REGIONS[1]}|{YEARS[0]}"]


def test_what_is_new_is_asked_for_once_and_again_where_its_run_died(sensors: Sensors) -> None:
    region, year = REGIONS[1], YEARS[0]
    sensors.lose(region, year)
    (asked,) = sensors.tick()
    assert asked.partition_key == f"{region}|{year}"
    assert asked.tags["minemap/source"] == "simulated"

    where = place(next(iter_sites(sensors.chain.frame("sites", "sites", region, file="sites.parquet"))).grid, year)
    sensors.gaps.failing[where] = MemoryError("killed")  # type: ignore[assignment]
    assert sensors.work([asked]) == [False]
    assert sensors.tick() == [], "it has just been tried"
    sensors.later(hours=2)
    (again,) = sensors.tick()
    assert (again.partition_key, again.run_key != asked.run_key) == (asked.partition_key, True)
    assert sensors.work([again]) == [False]
    sensors.now = datetime.now(UTC) + timedelta(hours=1.9)
    assert sensors.tick() == [], "each pause is longer than the one before"
    sensors.later(hours=0.3)
    (third,) = sensors.tick()
    sensors.gaps.failing.clear()
    assert sensors.work([third]) == [True]
    sensors.later(days=2)
    assert sensors.tick() == []


def test_nothing_is_asked_for_while_a_run_for_it_is_not_over(sensors: Sensors) -> None:
    region, year = REGIONS[0], YEARS[0]
    sensors.lose(region, year)
    (asked,) = sensors.tick()
    definitions = build_definitions(sensors.chain.environment, sensors.chain.project_home, sensors.chain.registry)
    tags = {**asked.tags, "dagster/partition": str(asked.partition_key)}
    run = sensors.instance.create_run_for_job(
        definitions.resolve_job_def("imagery_update"), tags=tags, status=dg.DagsterRunStatus.STARTED
    )
    sensors.later(days=3)
    assert sensors.tick() == []
    sensors.instance.report_run_failed(run)
    sensors.later(days=3)
    assert keys(sensors.tick()) == [f"{region}|{year}"]


def test_at_most_so_many_are_asked_for_at_once_and_the_others_after_them(sensors: Sensors) -> None:
    sensors.said("requests_at_once = 4")
    for region in REGIONS:
        for year in YEARS:
            sensors.lose(region, year)
    first = sensors.tick()
    assert len(first) == 4
    assert sensors.work(first) == [True] * 4
    second = sensors.tick()
    assert sorted(keys(first) + keys(second)) == EVERYTHING
    sensors.work(second)
    assert sensors.tick() == []


def test_a_year_that_is_not_loaded_yet_is_not_asked_for(sensors: Sensors, capsys: pytest.CaptureFixture[str]) -> None:
    """One request for a partition that does not exist would fail the whole tick; it is asked for after a reload."""
    for year in YEARS[:2]:
        sensors.lose(REGIONS[0], year)
    chain, beginning = sensors.chain, f"first_year = {YEARS[1]}\n# Settings of the demo"
    chain.change("# Settings of the demo", beginning)
    sensors.definitions = build_definitions(chain.environment, chain.project_home, chain.registry)
    chain.change(beginning, "# Settings of the demo")
    assert keys(sensors.tick()) == [f"{REGIONS[0]}|{YEARS[1]}"]
    region_sync(
        dg.build_sensor_context(
            sensors.instance, resources={"home": chain.project_home}, definitions=sensors.definitions
        )
    )
    late = f"no partition yet for {chain.project.first_year} and {YEARS[0]}, which began after the project was loaded"
    assert f"{late}; reload the definitions in the UI" in capsys.readouterr().err
    sensors.definitions = None
    assert f"{REGIONS[0]}|{YEARS[0]}" in keys(sensors.tick())


def test_corrected_images_are_fetched_again_and_no_others(sensors: Sensors) -> None:
    assert sensors.tick() == []
    year, others = YEARS[1], [y for y in YEARS if y != YEARS[1]]
    sensors.gaps.corrected.add(year)
    assert sensors.tick() == [], "sources are asked once an hour"
    sensors.later(hours=1.1)
    requests = sensors.tick()
    assert keys(requests) == [f"{region}|{year}" for region in REGIONS]
    assert len({request.run_key for request in requests}) == len(requests)
    assert not any(sensors.current(region, year) for region in REGIONS)
    assert all(sensors.current(region, other) for region in REGIONS for other in others)

    assert sensors.work(requests) == [True, True]
    assert {asked_year for _, asked_year in sensors.gaps.asked} == {year}
    sensors.later(days=1)
    assert sensors.tick() == []


def test_a_correction_before_the_first_look_is_seen(sensors: Sensors) -> None:
    """The run that made it remembers what the source said then."""
    region, year = REGIONS[0], YEARS[1]
    sensors.lose(region, year)
    sensors.work([dg.RunRequest(run_key="by hand", partition_key=f"{region}|{year}")])
    assert sensors.current(region, year)
    sensors.gaps.corrected.add(year)
    assert f"{region}|{year}" in keys(sensors.tick())


def test_what_a_source_could_not_say_when_it_was_read_counts_as_changed(sensors: Sensors) -> None:
    project, region, year = sensors.chain.project, REGIONS[0], YEARS[0]
    sensors.gaps.silent.add(product_of(project, project.region(region), year))
    sensors.lose(region, year)
    assert sensors.work([dg.RunRequest(run_key="by hand", partition_key=f"{region}|{year}")]) == [True]
    (noted,) = read_arrivals(project.lake.store).channels.values()
    assert noted[year].revision == UNKNOWN
    assert sensors.tick() == []
    sensors.gaps.silent.clear()
    sensors.later(hours=2)
    assert f"{region}|{year}" in keys(sensors.tick())


def test_seasons_that_go_on_are_told_from_those_that_are_over(sensors: Sensors) -> None:
    project = sensors.chain.project
    regions = project.active_regions()
    found = poll(project, everyone(project, date(YEARS[-1], 12, 1)), Deadline())
    for day, phase in ((date(YEARS[-1], 11, 30), Phase.RUNNING), (date(YEARS[-1], 12, 1), Phase.OVER)):
        phases = {group.year: group.phase for group in groups(project, regions, found.found.revisions, day)}
        assert phases == dict.fromkeys(YEARS[:-1], Phase.OVER) | {YEARS[-1]: phase}
    early = {group.year for group in groups(project, regions, found.found.revisions, date(YEARS[-1], 5, 31))}
    assert early == set(YEARS[:-1])


def test_failed_sites_are_asked_for_again_with_pauses_until_they_are_there(sensors: Sensors) -> None:
    assert sensors.tick(DUE) == []
    chain, region, year = sensors.chain, REGIONS[0], YEARS[0]
    where = place(next(iter_sites(chain.frame("sites", "sites", region, file="sites.parquet"))).grid, year)
    sensors.tick()
    sensors.gaps.failing[where] = RetryableError("the service is overloaded")
    sensors.gaps.corrected.add(year)
    sensors.later(hours=2)
    first = [request for request in sensors.tick() if request.partition_key == f"{region}|{year}"]
    assert sensors.work(first) == [False]
    sensors.now = datetime.now(UTC)
    assert f"imagery/{region}|{year}" not in keys(sensors.tick(DUE)), "it has just been tried"
    sensors.later(hours=2)
    asked = [request for request in sensors.tick(DUE) if request.partition_key == f"{region}|{year}"]
    assert keys(asked) == [f"imagery/{region}|{year}"]
    sensors.gaps.failing.clear()
    assert sensors.work(asked) == [True]
    sensors.later(days=1)
    assert f"imagery/{region}|{year}" not in keys(sensors.tick(DUE))
    assert sensors.current(region, year)


def test_a_source_that_fails_for_a_day_hides_no_other_and_loses_nothing(sensors: Sensors) -> None:
    project = sensors.chain.project
    product = product_of(project, project.region(REGIONS[0]), YEARS[0])
    sensors.tick()
    sensors.gaps.silent.add(product)
    sensors.gaps.corrected.update(YEARS)
    for _ in range(8):
        sensors.later(hours=3)
        assert not any(str(YEARS[0]) in key for key in keys(sensors.tick()))
    sensors.gaps.silent.clear()
    sensors.later(hours=3)
    assert f"{REGIONS[0]}|{YEARS[0]}" in keys(sensors.tick())


def test_a_season_that_goes_on_is_asked_for_when_it_was_seen_often_enough(sensors: Sensors) -> None:
    """The source adds images day by day: each is no reason by itself, but the end of the season is."""
    year = YEARS[-1]
    sensors.gaps.corrected.clear()
    daily = Daily(sensors.gaps, {year: f"until {year}-08"})
    sensors.chain = replace(sensors.chain, registry=daily.registry())
    for region in REGIONS:
        sensors.lose(region, year)
    sensors.said("open_year_observations = 7")
    sensors.now = datetime(year, 8, 20, tzinfo=UTC)
    assert sensors.tick() == [], "six months with an image each"
    sensors.chain.change("open_year_observations = 7", "open_year_observations = 6")
    assert sensors.tick() == [], "it was looked at today"
    sensors.later(days=1)
    first = sensors.tick()
    assert keys(first) == [f"{region}|{year}" for region in REGIONS]
    assert sensors.work(first) == [True, True]
    daily.states[year] = f"until {year}-10"
    sensors.later(days=60)
    assert sensors.tick() == []
    sensors.now = datetime(year, 12, 2, tzinfo=UTC)
    assert sensors.tick() == [], "the source has not said yet that it is complete"
    daily.states[year] = "complete"
    sensors.later(days=1)
    assert keys(sensors.tick()) == [f"{region}|{year}" for region in REGIONS]


def test_a_season_that_goes_on_is_left_alone_where_the_settings_say_so(sensors: Sensors) -> None:
    year = YEARS[-1]
    sensors.lose(REGIONS[0], year)
    sensors.said("open_year_observations = 0")
    sensors.now = datetime(year, 8, 20, tzinfo=UTC)
    assert sensors.tick() == []
    sensors.now = datetime(year, 12, 2, tzinfo=UTC)
    assert keys(sensors.tick()) == [f"{REGIONS[0]}|{year}"]


def test_new_regions_get_their_partitions_and_then_their_imagery(sensors: Sensors) -> None:
    assert sensors.tick() == []
    project = sensors.chain.project
    new = replace(project.region(REGIONS[0]), slug="cedar")
    project.lake.store.write_bytes(REGIONS_PATH, write_regions([*project.regions.values(), new]))
    context = dg.build_sensor_context(sensors.instance, resources={"home": sensors.chain.project_home})
    result = region_sync(context)
    assert isinstance(result, dg.SensorResult)
    requests = list(result.dynamic_partitions_requests or [])
    assert [list(request.partition_keys) for request in requests] == [["cedar"]]

    sensors.instance.add_dynamic_partitions("region", ["cedar"])
    assert sensors.tick() == [], "its sites come first"
    for _ in range(6):
        due = [request for request in sensors.tick(DUE) if request.partition_key == "cedar"]
        assert all(sensors.work(due))
        sensors.later(minutes=10)
    assert keys(sensors.tick()) == [f"cedar|{year}" for year in YEARS]


def test_arrivals_of_the_project_name_what_was_seen(sensors: Sensors) -> None:
    sensors.tick()
    assert sensors.chain.project.lake.store.size(ARRIVALS_PATH)
    assert {year for years in read_arrivals(sensors.chain.project.lake.store).channels.values() for year in years} == {
        *YEARS
    }


def asked_by(schedule: dg.ScheduleDefinition, sensors: Sensors, moment: datetime) -> list[str]:
    definitions = build_definitions(sensors.chain.environment, sensors.chain.project_home, sensors.chain.registry)
    repository = definitions.get_repository_def()
    context = dg.build_schedule_context(
        sensors.instance,
        scheduled_execution_time=moment,
        resources={"home": sensors.chain.project_home},
        repository_def=repository,
    )
    found = schedule.evaluate_tick(context).run_requests
    return keys(found or [])


def test_on_15_january_the_year_just_closed_is_asked_for(sensors: Sensors) -> None:
    year = YEARS[-1]
    for region in REGIONS:
        sensors.lose(region, year)
    annual, _ = schedules(sensors.chain.project, sensors.chain.registry.rooms)
    assert annual.cron_schedule == "0 6 15 1 *"
    moment = datetime(year + 1, 1, 15, 6, tzinfo=UTC)
    assert asked_by(annual, sensors, moment) == [f"{region}|{year}" for region in REGIONS]


def test_a_season_across_new_year_waits_for_its_end(sensors: Sensors) -> None:
    project = sensors.chain.project
    summers = [replace(region, season=(11, 3)) for region in project.regions.values()]
    project.lake.store.write_bytes(REGIONS_PATH, write_regions(summers))
    annual, _ = schedules(sensors.chain.project, sensors.chain.registry.rooms)
    asked = asked_by(annual, sensors, datetime(YEARS[-1] + 1, 1, 15, 6, tzinfo=UTC))
    assert asked == [f"{region}|{YEARS[-2]}" for region in REGIONS]
