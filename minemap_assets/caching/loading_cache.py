"""Answers that a source asks for once, however many threads want them at the same time."""

import math
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from minemap_assets.caching.lru import LruCache
from minemap_assets.caching.single_flight import SingleFlight

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class LoadingCache(Generic[K, V]):
    """Makes each value once and keeps those used last; a failure goes to all who wait for it and is not kept."""

    def __init__(self, most: float = math.inf) -> None:
        """`most` bounds how many values are kept."""
        # in tuples, because None is a value like others
        self._kept: LruCache[K, tuple[V]] = LruCache(most)
        self._flights: SingleFlight[V] = SingleFlight()

    def get(self, key: K, make: Callable[[], V]) -> V:
        """The value of a key, made now or before. Raises what `make` raises."""
        kept = self._kept.get(key)
        return kept[0] if kept is not None else self._flights.run(key, lambda: self._made(key, make))

    def forget(self, key: K) -> None:
        """Have the value made anew the next time."""
        self._kept.forget(key)

    def _made(self, key: K, make: Callable[[], V]) -> V:
        # another thread may have ended between the question and this flight
        kept = self._kept.get(key)
        if kept is not None:
            return kept[0]
        value = make()
        self._kept.put(key, (value,))
        return value
