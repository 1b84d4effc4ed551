"""The nightly verification: every day another slice, everything in thirty days, and damage fails the run."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from dagster_project.commands.context import Session
from dagster_project.commands.verification import DAYS, EVERYTHING, Slice, Verification
from dagster_project.upkeep import (
    DAILY_VERIFICATION,
    UPKEEP_JOBS,
    VERIFICATION_DAYS,
    verification,
    verification_schedule,
)
from minemap_assets.errors import BadInputError
from minemap_assets.graph.partition_states import PartitionState
from minemap_assets.sites.assets import SITES
from tiny import Chain

TODAY = date(2026, 3, 9)
NAMES = [f"imagery/imagery/region-{number}/2020" for number in range(2000)]


@pytest.fixture
def copy(with_sites: Chain, tmp_path: Path) -> Chain:
    return with_sites.copied(tmp_path / "copy")


@pytest.mark.parametrize("days", [1, 7, DAYS])
def test_so_many_days_in_a_row_read_everything_once(days: int) -> None:
    slices = [Slice.of_day(TODAY + timedelta(n), days) for n in range(days)]
    found = Counter(name for part in slices for name in NAMES if part.holds(name))
    assert found == dict.fromkeys(NAMES, 1)
    assert Slice.of_day(TODAY, days) == Slice.of_day(TODAY + timedelta(days), days)
    sizes = [sum(part.holds(name) for name in NAMES) for part in slices]
    assert max(sizes) < 2 * len(NAMES) / days, "no day reads much more than the others"


def test_slices_as_people_write_them() -> None:
    assert Slice.parse("3/30", TODAY) == Slice(3, 30)
    assert Slice.parse(" TODAY ", TODAY) == Slice.of_day(TODAY)
    assert Slice.parse("today/7", TODAY) == Slice.of_day(TODAY, 7)
    assert all(EVERYTHING.holds(name) for name in NAMES)


@pytest.mark.parametrize("text", ["", "3", "0/30", "31/30", "3/0", "3/99999", "-1/3", "a/b", "today/0", "3/4000"])
def test_slices_that_are_none(text: str) -> None:
    with pytest.raises(BadInputError, match=r"--slice: .*write|--slice: .*numbered"):
        Slice.parse(text, TODAY)


def test_slices_together_read_what_the_whole_reads(copy: Chain) -> None:
    session = Session(copy.environment, copy.registry, copy.project_home)
    whole = Verification(session.project, session.graph).run(lambda _: None)
    parts = [
        Verification(session.project, session.graph, Slice(number, 4)).run(lambda _: None) for number in range(1, 5)
    ]
    assert whole.partitions == sum(part.partitions for part in parts) == len(copy.manifests())
    assert whole.files == sum(part.files for part in parts)
    assert whole.bytes == sum(part.bytes for part in parts)


def run(chain: Chain, day: date, days: int) -> dg.ExecuteInProcessResult:
    config = {"ops": {"verify_slice": {"config": {"day": day.isoformat(), "days": days}}}}
    resources = {"home": chain.project_home}
    with dg.instance_for_test() as instance:
        return verification.execute_in_process(config, instance=instance, resources=resources, raise_on_error=False)


def test_damage_is_set_aside_and_fails_the_run_on_its_day_only(copy: Chain) -> None:
    path = next((copy.folder / "lake" / "sites" / "sites").rglob("sites.parquet"))
    good = path.read_bytes()
    path.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    ref = next(m.ref for m in copy.manifests() if path.parent.as_posix().endswith(m.ref.prefix))
    days = 5
    due = next(day for n in range(days) if Slice.of_day(day := TODAY + timedelta(n), days).holds(ref.prefix))
    other = next(day for n in range(days) if not Slice.of_day(day := TODAY + timedelta(n), days).holds(ref.prefix))
    assert run(copy, other, days).success
    assert path.exists()
    failed = run(copy, due, days)
    assert not failed.success
    (event,) = [event for event in failed.all_events if event.event_type is dg.DagsterEventType.STEP_FAILURE]
    assert str(path) in str(event.step_failure_data.error_display_string)
    assert not path.exists()
    session = Session(copy.environment, copy.registry, copy.project_home)
    assert session.states.state(SITES, ref.keys) is PartitionState.DAMAGED
    session.reopened().states.make(SITES, ref.keys)
    assert path.read_bytes() == good
    assert run(copy, due, days).success


def test_the_schedule_asks_for_the_slice_of_its_night_once() -> None:
    assert DAILY_VERIFICATION.default_status is dg.DefaultScheduleStatus.STOPPED
    assert verification_schedule(dg.DefaultScheduleStatus.RUNNING).default_status is dg.DefaultScheduleStatus.RUNNING
    assert [job.name for job in UPKEEP_JOBS] == ["verification"]
    assert VERIFICATION_DAYS == DAYS
    context = dg.build_schedule_context(scheduled_execution_time=datetime(2026, 3, 9, 3, tzinfo=UTC))
    (request,) = DAILY_VERIFICATION.evaluate_tick(context).run_requests or ()
    assert (request.run_key, request.run_config["ops"]["verify_slice"]["config"]["day"]) == ("2026-03-09", "2026-03-09")
