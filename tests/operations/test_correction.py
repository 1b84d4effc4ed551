"""An old year's pixels change under a real daemon: at rest everything that depends on them is made of them, once.

The daemon and its code server are processes, and every run is one. Six years and two regions: the window of polygons
reaches two years on both sides.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import dagster as dg
import pytest

from archive_years import MINES, YEARS, ArchiveYears, assert_whole, copied_years, finished_years
from daemons import Daemon, made_partitions, wait_for_rest, wait_until
from quick_automation import quick_daemon
from tiny import Chain

pytestmark = [pytest.mark.operations, pytest.mark.integration, pytest.mark.slow]

MINE, REGION = "alder-02", MINES["alder-02"]
YEAR = 2019
WINDOW = range(YEAR - 2, YEAR + 3)
TICKS = 3
"""Looks of automation after which it would have asked for something."""

QUIET = 15.0
"""Seconds without a run after which nothing more comes."""

PATIENCE = 400.0
"""Seconds after which what is waited for does not happen any more."""


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory, finished: Chain) -> ArchiveYears:
    return copied_years(finished_years(tmp_path_factory, finished), tmp_path_factory.mktemp("correction") / "copy")


@pytest.fixture(scope="module")
def daemon(chain: ArchiveYears) -> Iterator[Daemon]:
    """Automation is on, over a project that is current."""
    with quick_daemon(chain) as daemon:
        daemon.turn_on("automation")
        yield daemon


def looks(instance: dg.DagsterInstance) -> int:
    """How often automation has looked."""
    found = [one for one in instance.all_instigator_state() if one.instigator_name == "automation"]
    if not found:
        return 0
    state = found[0]
    ticks = instance.get_ticks(state.instigator_origin_id, state.selector_id)
    assert not [tick.error for tick in ticks if tick.error], ticks
    return len(ticks)


@dataclass(frozen=True)
class Looking:
    """What automation does in a while: the runs that were there before it, and how often it looked by then."""

    instance: dg.DagsterInstance
    runs: int
    looks: int

    @classmethod
    def from_now(cls, instance: dg.DagsterInstance) -> "Looking":
        return cls(instance, instance.get_runs_count(), looks(instance))

    def begins_nothing(self) -> bool:
        """Wait until it has looked often enough, and tell whether nothing came of it."""
        wait_until(lambda: looks(self.instance) >= self.looks + TICKS, f"{TICKS} more looks of automation", PATIENCE)
        return self.instance.get_runs_count() == self.runs and not self.instance.get_backfills()


def test_automation_over_a_current_lake_asks_for_nothing(chain: ArchiveYears, daemon: Daemon) -> None:
    with daemon.instance() as instance:
        wait_until(lambda: looks(instance) > 0, "a look of automation", PATIENCE)
        assert Looking.from_now(instance).begins_nothing()
    assert_whole(chain)


def test_nothing_follows_from_a_partition_that_was_kept_or_failed_its_check(
    chain: ArchiveYears, daemon: Daemon
) -> None:
    """The archive's index is another one, so imagery of all years is looked at; one of them is spoilt."""
    chain.spoil(MINE, YEAR)
    report = chain.run("imagery", YEARS)
    assert [str(result.ref) for result in report.failures] == [f"imagery[{REGION}|{YEAR}]"]
    with daemon.instance() as instance:
        assert Looking.from_now(instance).begins_nothing()


def test_everything_that_depends_on_a_corrected_old_year_is_made_again_once(
    chain: ArchiveYears, daemon: Daemon
) -> None:
    """It goes on from the year that had failed; a run of imagery alone is what a sensor asks for."""
    before = {year: chain.table("country_summary", year) for year in YEARS}
    with daemon.instance() as instance:
        begun = time.time()
        chain.correct(MINE, YEAR)
        assert not chain.run("imagery", YEARS).failures
        wait_for_rest(instance, QUIET, PATIENCE)
        made = made_partitions(instance, begun)
    assert_whole(chain)
    followed = {one: count for one, count in made.items() if not one[0].startswith("imagery/")}
    asked: dict[str, set[str]] = {}
    for asset, partition in followed:
        asked.setdefault(asset, set()).add(partition)
    own, window = {f"{REGION}|{YEAR}"}, {f"{REGION}|{year}" for year in WINDOW}
    assert {asset: asked[asset] for asset in ("chips/chips", "segmentation/raw_masks", "polygons/raw_polygons")} == {
        "chips/chips": own,
        "segmentation/raw_masks": own,
        "polygons/raw_polygons": own,
    }
    assert asked["polygons/mining_polygons"] == window
    assert asked["polygons/site_history"] == {REGION}
    assert asked["tables/country_summary"] <= {str(year) for year in WINDOW}
    changed = {str(year) for year in YEARS if not chain.table("country_summary", year).equals(before[year])}
    assert str(YEAR) in changed
    assert changed <= asked["tables/country_summary"]
    assert {"tables/database", "tables/change_grid", "validation/series_break"} <= set(asked)
    assert {one: count for one, count in followed.items() if count > 1} == {}
