"""One setting turns on everything that can start by itself."""

from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from dagster_project.registry import Registry
from dagster_project.schedules import schedules
from dagster_project.sensors import sensors
from graphs import assembled
from minemap_assets.graph.partitioning import shown_years

ON = (dg.DefaultSensorStatus.RUNNING, dg.DefaultScheduleStatus.RUNNING)


@pytest.mark.parametrize("automatic", [False, True])
def test_everything_is_off_without_it_and_on_with_it(tmp_path: Path, automatic: bool) -> None:
    project = assembled(tmp_path, f"[operations]\nautomatic = {str(automatic).lower()}\nannual_day = 20\n").project
    every = [*sensors(project, Registry().rooms), *schedules(project, Registry().rooms)]
    found = {one.name: one.default_status in ON for one in every}
    assert found.pop("region_sync")
    assert found == dict.fromkeys(
        ("new_imagery", "reconcile", "run_failure_alert", "automation", "annual_update", "daily_verification"),
        automatic,
    )
    annual = next(one for one in every if one.name == "annual_update")
    assert isinstance(annual, dg.ScheduleDefinition)
    assert annual.cron_schedule == "0 6 20 1 *"


@pytest.mark.parametrize(("more", "shown"), [("", True), ("open_year_observations = 0", False)])
def test_the_year_that_goes_on_is_there_to_be_asked_for(tmp_path: Path, more: str, shown: bool) -> None:
    """Where it is left alone it appears once a season of it is over."""
    project = assembled(tmp_path, f"[operations]\nautomatic = true\n{more}\n").project
    now = datetime.now(UTC)
    assert (str(now.year) in shown_years(project)) is (shown or now.month == 12)
