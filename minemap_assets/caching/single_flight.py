"""Work that several threads want at the same time, done once for all of them."""

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Generic, TypeVar

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """Runs a function once for all who ask for its key while it runs. Safe from several threads.

    Nothing is kept: who asks after the end has it run again.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._flying: dict[Hashable, Future[T]] = {}

    def run(self, key: Hashable, function: Callable[[], T]) -> T:
        """`function()`, or what another thread's function for this key returns or raises, where one is running.

        All get the same object, an exception too. A function must not ask for its own key: it would wait for ever.
        """
        with self._guard:
            flight = self._flying.get(key)
            leads = flight is None
            if flight is None:
                flight = self._flying[key] = Future()
        if leads:
            self._fly(key, flight, function)
        return flight.result()

    def _fly(self, key: Hashable, flight: "Future[T]", function: Callable[[], T]) -> None:
        try:
            outcome = function()
        except BaseException as error:  # whoever waits would wait for ever, were it not told of a stop as well
            self._land(key)
            flight.set_exception(error)
        else:
            self._land(key)
            flight.set_result(outcome)

    def _land(self, key: Hashable) -> None:
        """Before the others hear of the end: who asks again upon hearing it must not be given the old outcome."""
        with self._guard:
            del self._flying[key]
