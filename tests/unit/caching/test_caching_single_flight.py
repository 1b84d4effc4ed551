"""Work that several threads want at once is done once."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import pytest

from minemap_assets.caching.single_flight import SingleFlight

T = TypeVar("T")
MANY = 8


def together(flights: SingleFlight[T], outcome: Callable[[], T]) -> tuple[int, list[Future[T]]]:
    """How often the function ran for threads that all ask before it ends, and what each of them got."""
    ran: list[int] = []
    asking, begun, go = threading.Semaphore(0), threading.Event(), threading.Event()

    def function() -> T:
        ran.append(1)
        begun.set()
        assert go.wait(10.0)
        return outcome()

    def ask() -> T:
        asking.release()
        return flights.run("key", function)

    with ThreadPoolExecutor(MANY) as pool:
        asked = [pool.submit(ask) for _ in range(MANY)]
        for _ in range(MANY):
            assert asking.acquire(timeout=10.0)
        assert begun.wait(10.0)
        time.sleep(0.1)  # they have said that they ask; now they do
        go.set()
    return len(ran), asked


def test_those_who_ask_together_share_one_result() -> None:
    ran, asked = together(SingleFlight[list[str]](), lambda: ["quad"])
    assert ran == 1
    assert len({id(future.result()) for future in asked}) == 1


def test_those_who_ask_together_share_one_failure() -> None:
    def fail() -> str:
        raise KeyError("nothing there")

    ran, asked = together(SingleFlight[str](), fail)
    assert ran == 1
    assert len({id(future.exception()) for future in asked}) == 1
    assert isinstance(asked[0].exception(), KeyError)


def test_nothing_is_kept_once_it_has_ended() -> None:
    flights = SingleFlight[int]()
    with pytest.raises(ZeroDivisionError):
        flights.run("key", lambda: 1 // 0)
    assert [flights.run("key", lambda n=n: n) for n in (1, 2)] == [1, 2]  # type: ignore[misc]


def test_keys_do_not_wait_for_each_other() -> None:
    flights = SingleFlight[int]()
    assert flights.run("outer", lambda: flights.run("inner", lambda: 1) + 1) == 2
