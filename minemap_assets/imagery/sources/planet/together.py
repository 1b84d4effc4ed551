"""Several questions to the service at a time."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Together:
    """Asks `most` questions at a time."""

    most: int

    def __call__(self, ask: Callable[[T], R], things: Iterable[T]) -> list[R]:
        """The answers in order. Raises the first error in order."""
        every = list(things)
        if len(every) < 2 or self.most < 2:
            return [ask(thing) for thing in every]
        with ThreadPoolExecutor(max_workers=self.most) as pool:
            return list(pool.map(ask, every))
