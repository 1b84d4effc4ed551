"""Working ahead: the same items in order, never too many, errors where they belong, no thread left behind."""

import threading
import time
from collections.abc import Iterator

import pytest

from minemap_assets.segmentation.working_ahead import ahead


def helpers() -> int:
    return sum(thread.name == "working ahead" for thread in threading.enumerate())


def test_items_come_in_order_and_never_more_than_asked_for_exist() -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        for number in range(20):
            made.append(number)
            yield number

    for number in ahead(items(), most=3):
        time.sleep(0.002)
        assert len(made) <= number + 3
    assert made == list(range(20))
    assert helpers() == 0


def test_the_next_item_is_made_while_one_is_in_use() -> None:
    begun = threading.Event()

    def items() -> Iterator[int]:
        yield 0
        begun.set()
        yield 1

    stream = ahead(items())
    next(stream)
    assert begun.wait(5)
    stream.close()


def test_an_error_comes_after_the_items_before_it() -> None:
    def items() -> Iterator[int]:
        yield 0
        raise ValueError("broken")

    stream = ahead(items())
    assert next(stream) == 0
    with pytest.raises(ValueError, match="broken"):
        next(stream)
    assert helpers() == 0


def test_whoever_stops_asking_ends_the_threads_of_all_stages() -> None:
    closed = threading.Event()

    def items() -> Iterator[int]:
        try:
            yield from range(1_000_000)
        finally:
            closed.set()

    stream = ahead(ahead(items()))
    assert next(stream) == 0
    assert helpers() == 2
    stream.close()
    assert closed.is_set()
    assert helpers() == 0
