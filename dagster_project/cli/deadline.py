"""Asking something that may not answer: a deadline, after which the question is left alone.

What belongs here: waiting. What does not: what is asked.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future, TimeoutError
from typing import TypeVar

from minemap_assets.errors import RetryableError

T = TypeVar("T")


def within(seconds: float, ask: Callable[[], T]) -> T:
    """What `ask` returns. Raises what it raises, and `RetryableError` where that takes too long.

    A question without an answer goes on in a thread that ends with the process.
    """
    answer: Future[T] = Future()

    def run() -> None:
        try:
            answer.set_result(ask())
        except BaseException as error:
            answer.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    try:
        return answer.result(timeout=seconds)
    except TimeoutError as error:
        if answer.done():
            raise
        raise RetryableError(f"it did not answer within {seconds:g} s") from error
