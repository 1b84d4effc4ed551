"""Answers that are asked for once."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from minemap_assets.errors import QuotaError
from minemap_assets.imagery.sources.once import Once


def test_once_for_many_threads_and_failures_are_not_kept() -> None:
    once: Once[str, int] = Once()
    made: list[int] = []
    barrier = threading.Barrier(4)

    def make() -> int:
        made.append(1)
        if len(made) == 1:
            raise QuotaError("not now")
        return 7

    with pytest.raises(QuotaError):
        once.get("a", make)

    def ask_together(_: int) -> int:
        barrier.wait(5)
        return once.get("a", make)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(ask_together, range(4))) == [7] * 4
    assert len(made) == 2


def test_nothing_is_an_answer_too_and_the_oldest_goes() -> None:
    once: Once[str, None] = Once(most=2)
    made: list[str] = []
    for key in ("a", "b", "a", "c", "a", "b"):
        once.get(key, lambda key=key: made.append(key))  # type: ignore[misc]
    assert made == ["a", "b", "c", "b"]
    once.forget("b")
    once.get("b", lambda: made.append("again"))
    assert made[-1] == "again"
