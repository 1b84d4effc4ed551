"""The log of a long step: a line for each stage, a few on the way, with the time that is left."""

import logging
from collections.abc import Iterator

import pytest

from minemap_assets.graph.step_log import StepLog, duration
from minemap_assets.lake.manifests import PartitionRef
from minemap_assets.project.listener import Listener

REF = PartitionRef("imagery", "imagery", ("north", "2019"))


class Clock:
    """Stands still until it is told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Heard(Listener):
    """Remembers what was passed on."""

    def __init__(self) -> None:
        self.progressed: list[tuple[PartitionRef, int, int, str, str]] = []

    def progress(self, ref: PartitionRef, done: int, total: int, stage: str = "", detail: str = "") -> None:
        self.progressed.append((ref, done, total, stage, detail))


@pytest.fixture
def lines() -> Iterator[list[str]]:
    found: list[str] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(record.getMessage())

    logger, handler = logging.getLogger("steps in tests"), Handler()
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    yield found
    logger.removeHandler(handler)


def log_of(clock: Clock, heard: Listener | None = None) -> StepLog:
    return StepLog(heard or Listener(), logging.getLogger("steps in tests"), clock)


def test_every_stage_is_named_once_with_what_is_left(lines: list[str]) -> None:
    clock = Clock()
    log = log_of(clock)
    for done in range(101):
        log.progress(REF, done, 100, "fetching site")
        clock.now += 6.0
    log.progress(REF, 1, 3, "predicting site", "loss 0.2")
    assert lines[0] == "imagery[north|2019]: fetching site, 0 of 100"
    assert lines[1] == "imagery[north|2019]: fetching site, 5 of 100, about 10 min left"
    assert lines[-1] == "imagery[north|2019]: predicting site, 1 of 3, loss 0.2"
    assert len(lines) == 1 + 100 // 5 + 1, "a line every 30 seconds"


def test_quick_work_is_told_by_the_tenth_and_not_by_the_item(lines: list[str]) -> None:
    clock = Clock()
    log = log_of(clock)
    for done in range(1000):
        log.progress(REF, done, 1000, "cutting chip")
        clock.now += 0.1
    assert 10 <= len(lines) <= 12


def test_what_takes_seconds_is_told_once(lines: list[str]) -> None:
    clock = Clock()
    log = log_of(clock)
    for done in range(1000):
        log.progress(REF, done, 1000, "cutting chip")
        clock.now += 0.001
    assert len(lines) == 1


def test_everything_is_passed_on() -> None:
    heard = Heard()
    log = log_of(Clock(), heard)
    for done in range(5):
        log.progress(REF, done, 5, "fetching site", "x")
    assert heard.progressed == [(REF, done, 5, "fetching site", "x") for done in range(5)]


def test_durations_are_short() -> None:
    assert [duration(s) for s in (8.4, 59.4, 200.0, 4800.0)] == ["8 s", "59 s", "3 min", "1 h 20 min"]
