"""Asking a source for what it has before its cost is told, and going on by assumption where it does not answer.

What belongs here: whom to ask. What does not: what a source needs (`source_costs.py`), and how long to wait for an
answer, which the caller decides.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from odc.geo.geobox import GeoBox

from minemap_assets.errors import BadInputError, MinemapError
from minemap_assets.imagery.costs import Cost, CostModel, Job
from minemap_assets.imagery.seasons import Season

T = TypeVar("T")


class Ask(Protocol):
    """Puts a question to a service."""

    def __call__(self, question: Callable[[], T], /) -> T:
        """What the question returns; raises what it raises, and `RetryableError` where that takes too long."""


def ask_patiently(question: Callable[[], T], /) -> T:
    """Ask, and wait as long as the source itself does."""
    return question()


@dataclass(frozen=True)
class AskedFirst:
    """The model of one source that asks its service, until that does not answer: then the one that assumes.

    `silent` has the reason for each source that did not answer; models may share it, so that none is asked twice.
    """

    asking: CostModel
    assuming: CostModel
    ask: Ask
    silent: dict[str, str]

    @property
    def name(self) -> str:
        """Name of the source."""
        return self.assuming.name

    def serves(self, grid: GeoBox, season: Season) -> bool:
        """Whether it has, or should have, images of that place and season."""
        return self._answer(lambda model: model.serves(grid, season))

    def cost(self, job: Job) -> Cost:
        """What a job needs."""
        return self._answer(lambda model: model.cost(job))

    def _answer(self, question: Callable[[CostModel], T]) -> T:
        if self.name not in self.silent:
            try:
                return self.ask(lambda: question(self.asking))
            except BadInputError:
                raise
            except MinemapError as error:
                self.silent[self.name] = str(error)
        return question(self.assuming)
