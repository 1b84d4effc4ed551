"""Asking sources within a tick: who takes too long is stopped and asked first next time; what is known stays known."""

import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from odc.geo.geobox import GeoBox
from shapely.geometry.base import BaseGeometry

from dagster_project.registry import SOURCES, Registry
from dagster_project.sensors.polling import Deadline, Memory, Polled, everyone, poll, remembering, with_answers
from graphs import assembled
from minemap_assets.imagery.arrivals import Channel, PollResult
from minemap_assets.imagery.seasons import Season
from minemap_assets.imagery.source import Availability, Composite, ImagerySource, Latest
from minemap_assets.net.policy import StoppedError
from minemap_assets.project.project import Project

NOW = datetime(2024, 8, 1, 12, tzinfo=UTC)
SETTINGS = """
[imagery]
products = [{ product = "planet-nicfi" }]
[imagery.sources]
planet-nicfi = ["archive", "simulated"]
"""


class Slow(ImagerySource):
    """Answers after a while, unless it is stopped."""

    def __init__(self, name: str, seconds: float) -> None:
        super().__init__(name, "planet-nicfi", "1")
        self.seconds = seconds
        self.stopped = threading.Event()

    def read(self, grid: GeoBox, season: Season, bands: Sequence[str]) -> Composite:
        raise NotImplementedError

    def available(self, area: BaseGeometry, season: Season) -> Availability:
        raise NotImplementedError

    def latest(self) -> Latest:
        if self.stopped.wait(self.seconds):
            raise StoppedError("the run was stopped before this was read; run it again")
        return Latest({2023: "a"}, NOW, remote=True)

    def stop(self) -> None:
        self.stopped.set()


def project(folder: Path, **seconds: float) -> Project:
    """A project with two sources that take so long."""

    def opened(name: str, took: float) -> object:
        return lambda _, __: Slow(name, took)

    sources = tuple(
        replace(kind, open=opened(kind.name, seconds[kind.name])) if kind.name in seconds else kind for kind in SOURCES
    )
    return assembled(folder, SETTINGS, Registry(sources=sources)).project


def test_who_takes_too_long_is_stopped_and_waits_for_the_next_tick(tmp_path: Path) -> None:
    found = project(tmp_path, archive=30.0, simulated=0.0)
    begun = time.monotonic()
    polled = poll(found, everyone(found, NOW.date()), Deadline(1.0))
    assert time.monotonic() - begun < 15.0
    assert set(polled.waiting) == {"planet-nicfi/archive", "planet-nicfi/simulated"}
    assert polled.waiting[0] == "planet-nicfi/simulated", "who was not asked at all comes first"
    again = poll(found, polled.waiting, Deadline(1.0))
    assert [channel.source for channel in again.found.revisions] == ["simulated"]
    assert again.waiting == ("planet-nicfi/archive",)


def test_a_round_begins_once_an_hour_and_after_the_last_one(tmp_path: Path) -> None:
    found = project(tmp_path, archive=0.0, simulated=0.0)
    first = remembering(Memory(), found, NOW)
    assert (first.polled, first.waiting) == (NOW, everyone(found, NOW.date()))
    half = first.model_copy(update={"waiting": first.waiting[1:]})
    assert remembering(half, found, NOW + timedelta(hours=5)).waiting == first.waiting[1:]
    done = first.model_copy(update={"waiting": ()})
    assert remembering(done, found, NOW + timedelta(minutes=59)).waiting == ()
    assert remembering(done, found, NOW + timedelta(minutes=60)).waiting == first.waiting


def test_what_a_source_said_stays_known_while_it_fails() -> None:
    channel = Channel("planet-nicfi", "archive", "6-11")
    said = Polled(PollResult({channel: {2023: "a"}}, frozenset({channel}), {}), ())
    silent = Polled(PollResult({}, frozenset(), {channel: "overloaded"}), ())
    memory = with_answers(with_answers(Memory(), said), silent)
    assert memory.revisions == {channel: {2023: "a"}}
    assert memory.remote == (channel.key,)


@pytest.mark.parametrize("cursor", [None, "", '{"planet-nicfi/archive/6-11": {"2023": "a"}}', "not JSON"])
def test_a_cursor_of_another_version_has_everything_looked_at_anew(cursor: str | None) -> None:
    assert Memory.of(cursor) == Memory()


def test_a_cursor_holds_what_it_was_given() -> None:
    memory = Memory(polled=NOW, waiting=("a/b",), known={"p/s/6-11": {2023: "a"}}, settled={"p/s/6-11": {2023: "m"}})
    looked = memory.model_copy(update={"looked": {"p/s/6-11": {2024: (NOW.date(), "alder")}}})
    assert Memory.of(looked.cursor) == looked
