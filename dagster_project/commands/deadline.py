"""A deadline for a query to something that may not answer."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, TimeoutError
from typing import TypeVar

from minemap_assets.errors import RetryableError

T = TypeVar("T")


def within(seconds: float, query: Callable[[], T]) -> T:
    """What `query` returns. Raises what it raises, and `RetryableError` where that takes too long.

    A query without an answer goes on in a thread that ends with the process.
    """
    answer: Future[T] = Future()

    def run() -> None:
        try:
            answer.set_result(query())
        except BaseException as error:
            answer.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    try:
        return answer.result(timeout=seconds)
    except TimeoutError as error:
        if answer.done():
            raise
        raise RetryableError(f"it did not answer within {seconds:g} s") from error
