"""Arrivals: what polling sources tells, and counting corrections of complete seasons."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from meddling import MeddledStore
from minemap_assets.errors import BadInputError
from minemap_assets.imagery.arrivals import (
    ARRIVALS_PATH,
    UNKNOWN,
    Arrivals,
    Channel,
    PollResult,
    change_arrivals,
    grows_daily,
    read_arrivals,
)
from minemap_assets.imagery.seasons import CALENDAR_YEAR, SeasonRule
from minemap_assets.imagery.source import latest_until
from minemap_assets.lake.store import LocalStore

CHANNEL = Channel("planet-nicfi", "planet-basemaps", "6-11")


def seen(revision: str, *, remote: bool = True) -> PollResult:
    return PollResult({CHANNEL: {2020: revision}}, frozenset({CHANNEL} if remote else ()), {})


def after(*polls: PollResult) -> Arrivals:
    arrivals = Arrivals()
    for poll in polls:
        arrivals = arrivals.with_poll(poll, [(CHANNEL, 2020)])
    return arrivals


def test_the_first_poll_is_no_correction_and_every_change_is_one() -> None:
    assert after(seen("a")).corrections(CHANNEL, 2020) == 0
    assert after(seen("a"), seen("a")).corrections(CHANNEL, 2020) == 0
    assert after(seen("a"), seen("b"), seen("a")).corrections(CHANNEL, 2020) == 2


def test_a_failed_poll_is_no_correction() -> None:
    failed = PollResult({}, frozenset(), {CHANNEL: "overloaded"})
    assert after(seen("a"), failed, seen("a")).corrections(CHANNEL, 2020) == 0


def test_what_was_seen_first_is_what_later_looks_are_compared_with() -> None:
    noted = Arrivals().with_first(CHANNEL, 2020, "a")
    assert noted.with_first(CHANNEL, 2020, "b") == noted
    assert noted.with_poll(seen("a"), [(CHANNEL, 2020)]).corrections(CHANNEL, 2020) == 0
    assert noted.with_poll(seen("b"), [(CHANNEL, 2020)]).corrections(CHANNEL, 2020) == 1
    unknown = Arrivals().with_first(CHANNEL, 2020, UNKNOWN)
    assert unknown.with_poll(seen("a"), [(CHANNEL, 2020)]).corrections(CHANNEL, 2020) == 1
    assert noted.with_first(CHANNEL, 2019, "x").knows(CHANNEL, 2020)


def test_a_channel_is_known_by_its_key() -> None:
    assert Channel.of(CHANNEL.key) == CHANNEL


def test_images_on_this_machine_speak_for_themselves() -> None:
    assert after(seen("a", remote=False), seen("b", remote=False)) == Arrivals()


def test_running_seasons_are_not_counted() -> None:
    running = Arrivals().with_poll(seen("a"), []).with_poll(seen("b"), [])
    assert running == Arrivals()


def test_arrivals_outlive_the_process_and_are_written_only_when_they_change(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    assert read_arrivals(store) == Arrivals()
    arrivals = after(seen("a"), seen("b"))
    change_arrivals(store, lambda _: arrivals)
    assert read_arrivals(store) == arrivals
    kept = (tmp_path / ARRIVALS_PATH).stat().st_mtime_ns
    change_arrivals(store, lambda _: arrivals)
    assert (tmp_path / ARRIVALS_PATH).stat().st_mtime_ns == kept


def test_a_correction_that_somebody_else_counts_meanwhile_is_not_lost(tmp_path: Path) -> None:
    store, other = MeddledStore(tmp_path), Channel("planet-nicfi", "archive", "6-11")
    theirs = PollResult({other: {2020: "a"}}, frozenset({other}), {})

    def count(place: LocalStore, poll: PollResult, channel: Channel) -> None:
        change_arrivals(place, lambda known: known.with_poll(poll, [(channel, 2020)]))

    store.before_next_write(ARRIVALS_PATH, lambda place: count(place, theirs, other))
    count(store, seen("a"), CHANNEL)
    assert set(read_arrivals(store).channels) == {CHANNEL.key, other.key}
    store.delete(ARRIVALS_PATH)
    with pytest.raises(BadInputError, match=r"arrivals\.json is gone"):
        count(store, seen("b"), CHANNEL)
    assert store.size(ARRIVALS_PATH) is None


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    store.write_bytes(ARRIVALS_PATH, b'{"channels": 3}')
    with pytest.raises(BadInputError, match=r"arrivals\.json cannot be read; remove it"):
        read_arrivals(store)


@pytest.mark.parametrize(
    ("rule", "complete", "running"),
    [
        (CALENDAR_YEAR, [2018, 2019, 2020], [2021]),
        (SeasonRule(first_month=6, last_month=11), [2018, 2019, 2020], []),
        (SeasonRule(first_month=1, last_month=3), [2018, 2019, 2020, 2021], []),
        (SeasonRule(first_month=12, last_month=4), [2018, 2019], [2020]),
        (SeasonRule(first_month=12, last_month=3), [2018, 2019, 2020], []),
    ],
)
def test_a_season_is_complete_once_newer_images_exist(
    rule: SeasonRule, complete: list[int], running: list[int]
) -> None:
    latest = latest_until(datetime(2021, 4, 9, 10, tzinfo=UTC), rule, 2018)
    assert [y for y, state in latest.revisions.items() if state == "complete"] == complete
    assert [y for y, state in latest.revisions.items() if state == "until 2021-04"] == running
    assert [y for y, state in latest.revisions.items() if grows_daily(state)] == running
    assert latest.newest == datetime(2021, 4, 9, tzinfo=UTC)
