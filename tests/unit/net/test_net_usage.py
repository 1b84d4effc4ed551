"""What a run has spent, held to its budget while it goes on; and whom an estimate asks."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import pytest
from odc.geo.geobox import GeoBox

from minemap_assets.errors import BadInputError, MinemapError, QuotaError, RetryableError
from minemap_assets.geo.grid import square_grid
from minemap_assets.imagery.budget import BudgetConfig
from minemap_assets.imagery.costs import ASKED, ASSUMED, Cost, Job
from minemap_assets.imagery.seasons import Season, SeasonRule
from minemap_assets.net.usage import counted, one_run, spend
from minemap_assets.planning.asking import AskedFirst, ask_patiently

T = TypeVar("T")
SITE = square_grid(707_000.0, 175_000.0, 512, 32651, 10.0)
SEASON = SeasonRule().season(2025)
JOB = Job("sentinel-2-l2a", SEASON, ("red",), (SITE,))


def test_the_last_request_that_is_allowed_is_sent_and_no_further_one() -> None:
    with one_run(BudgetConfig(requests=3)), counted():
        for _ in range(3):
            spend(requests=1)
        for _ in range(2):
            with pytest.raises(QuotaError, match=r"used up requests under \[imagery.budget\] with 3 requests"):
                spend(requests=1)


def test_bytes_beyond_the_limit_end_everything_that_follows() -> None:
    with one_run(BudgetConfig(gigabytes=1e-6)), counted():
        spend(size=1000)
        with pytest.raises(QuotaError, match="used up gigabytes"):
            spend(size=1)
        with pytest.raises(QuotaError, match="used up gigabytes"):
            spend(requests=1)


def test_downloads_have_a_limit_of_their_own() -> None:
    with one_run(BudgetConfig(planet_downloads=1, requests=100)), counted():
        spend(downloads=1)
        with pytest.raises(QuotaError, match="1 Planet downloads"):
            spend(downloads=1)
        spend(requests=1)


def test_partitions_of_one_run_count_together_and_the_next_run_begins_anew() -> None:
    for _ in range(2):
        with one_run(BudgetConfig(requests=2)):
            for _ in range(2):
                with one_run(BudgetConfig(requests=2)), counted():
                    spend(requests=1)
            with counted(), pytest.raises(QuotaError):
                spend(requests=1)


def test_questions_of_an_estimate_do_not_count() -> None:
    spend(requests=1)
    with one_run(BudgetConfig(requests=0)):
        spend(requests=1)
        with counted(), pytest.raises(QuotaError):
            spend(requests=1)
        spend(requests=1)


@dataclass
class Model:
    """A cost model that fails as told."""

    basis: str
    error: MinemapError | None = None
    name: str = "stac"
    asked: list[str] = field(default_factory=list)

    def serves(self, grid: GeoBox, season: Season) -> bool:  # noqa: ARG002
        return bool(self._answer("serves"))

    def cost(self, job: Job) -> Cost:  # noqa: ARG002
        self._answer("cost")
        return Cost(requests=1, basis=frozenset({self.basis}))

    def _answer(self, what: str) -> bool:
        self.asked.append(what)
        if self.error is not None:
            raise self.error
        return True


def test_a_source_that_answers_is_believed() -> None:
    silent: dict[str, str] = {}
    model = AskedFirst(Model(ASKED), Model(ASSUMED), ask_patiently, silent)
    assert model.serves(SITE, SEASON)
    assert model.cost(JOB).basis == {ASKED}
    assert silent == {}


def test_a_source_that_does_not_answer_is_asked_once_and_named() -> None:
    silent: dict[str, str] = {}
    first = Model(ASKED, RetryableError("nobody there"))
    model = AskedFirst(first, Model(ASSUMED), ask_patiently, silent)
    assert model.serves(SITE, SEASON)
    assert model.cost(JOB).basis == {ASSUMED}
    assert AskedFirst(first, Model(ASSUMED), ask_patiently, silent).cost(JOB).basis == {ASSUMED}
    assert first.asked == ["serves"]
    assert silent == {"stac": "nobody there"}


def test_wrong_settings_are_no_silence() -> None:
    model = AskedFirst(Model(ASKED, BadInputError("no such band")), Model(ASSUMED), ask_patiently, {})
    with pytest.raises(BadInputError):
        model.cost(JOB)


def test_whoever_asks_may_give_up() -> None:
    def impatient(question: Callable[[], T], /) -> T:  # noqa: ARG001
        raise RetryableError("it did not answer within 1 s")

    silent: dict[str, str] = {}
    assert AskedFirst(Model(ASKED), Model(ASSUMED), impatient, silent).cost(JOB).basis == {ASSUMED}
    assert "1 s" in silent["stac"]
