"""Whose figures count: those of a source that answers, assumed ones for a source that does not."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import pytest
from odc.geo.geobox import GeoBox

from minemap_assets.errors import BadInputError, MinemapError, RetryableError
from minemap_assets.geo.grid import square_grid
from minemap_assets.imagery.cost_models import FallbackCostModel, without_deadline
from minemap_assets.imagery.costs import ASKED, ASSUMED, Cost, FetchRequest
from minemap_assets.imagery.seasons import Season, SeasonRule

T = TypeVar("T")
SITE = square_grid(707_000.0, 175_000.0, 512, 32651, 10.0)
SEASON = SeasonRule().season(2025)
REQUEST = FetchRequest("sentinel-2-l2a", SEASON, ("red",), (SITE,))


@dataclass
class Model:
    """A cost model that fails as told."""

    basis: str
    error: MinemapError | None = None
    name: str = "stac"
    asked: list[str] = field(default_factory=list)

    def serves(self, grid: GeoBox, season: Season) -> bool:  # noqa: ARG002
        return bool(self._answer("serves"))

    def cost(self, request: FetchRequest) -> Cost:  # noqa: ARG002
        self._answer("cost")
        return Cost(requests=1, basis=frozenset({self.basis}))

    def _answer(self, what: str) -> bool:
        self.asked.append(what)
        if self.error is not None:
            raise self.error
        return True


def test_a_source_that_answers_is_believed() -> None:
    unreachable: dict[str, str] = {}
    model = FallbackCostModel(Model(ASKED), Model(ASSUMED), without_deadline, unreachable)
    assert model.serves(SITE, SEASON)
    assert model.cost(REQUEST).basis == {ASKED}
    assert unreachable == {}


def test_a_source_that_does_not_answer_is_asked_once_and_named() -> None:
    unreachable: dict[str, str] = {}
    first = Model(ASKED, RetryableError("nobody there"))
    model = FallbackCostModel(first, Model(ASSUMED), without_deadline, unreachable)
    assert model.serves(SITE, SEASON)
    assert model.cost(REQUEST).basis == {ASSUMED}
    assert FallbackCostModel(first, Model(ASSUMED), without_deadline, unreachable).cost(REQUEST).basis == {ASSUMED}
    assert first.asked == ["serves"]
    assert unreachable == {"stac": "nobody there"}


def test_wrong_settings_are_no_failure_to_answer() -> None:
    model = FallbackCostModel(Model(ASKED, BadInputError("no such band")), Model(ASSUMED), without_deadline, {})
    with pytest.raises(BadInputError):
        model.cost(REQUEST)


def test_whoever_asks_may_give_up() -> None:
    def impatient(query: Callable[[], T], /) -> T:  # noqa: ARG001
        raise RetryableError("it did not answer within 1 s")

    unreachable: dict[str, str] = {}
    assert FallbackCostModel(Model(ASKED), Model(ASSUMED), impatient, unreachable).cost(REQUEST).basis == {ASSUMED}
    assert "1 s" in unreachable["stac"]
