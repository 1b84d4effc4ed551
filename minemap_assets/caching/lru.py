"""What was used last is kept in memory, as much as fits."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class LruCache(Generic[K, V]):
    """Values by key; those used longest ago go first. Safe from several threads."""

    def __init__(self, room: float, size: Callable[[V], float] = lambda _: 1.0) -> None:
        """`room` bounds the sizes of all values together: their number, unless `size` says otherwise."""
        self._room = room
        self._size = size
        self._used = 0.0
        self._guard = threading.Lock()
        self._values: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K) -> V | None:
        """The value of a key; None where it is not kept."""
        with self._guard:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def put(self, key: K, value: V) -> None:
        """Keep a value, unless it alone is larger than all room."""
        size = self._size(value)
        with self._guard:
            self._drop(key)
            while self._values and self._used + size > self._room:
                self._drop(next(iter(self._values)))
            if size <= self._room:
                self._values[key] = value
                self._used += size

    def forget(self, key: K) -> None:
        """Keep a key's value no longer."""
        with self._guard:
            self._drop(key)

    def _drop(self, key: K) -> None:
        if key in self._values:
            self._used -= self._size(self._values.pop(key))
