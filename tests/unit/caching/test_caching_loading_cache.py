"""Answers that are asked for cache."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from minemap_assets.caching.loading_cache import LoadingCache
from minemap_assets.errors import QuotaError


def test_once_for_many_threads_and_failures_are_not_kept() -> None:
    cache: LoadingCache[str, int] = LoadingCache()
    made: list[int] = []
    barrier = threading.Barrier(4)

    def make() -> int:
        made.append(1)
        if len(made) == 1:
            raise QuotaError("not now")
        return 7

    with pytest.raises(QuotaError):
        cache.get("a", make)

    def ask_together(_: int) -> int:
        barrier.wait(5)
        return cache.get("a", make)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(ask_together, range(4))) == [7] * 4
    assert len(made) == 2


def test_nothing_is_an_answer_too_and_the_oldest_goes() -> None:
    cache: LoadingCache[str, None] = LoadingCache(most=2)
    made: list[str] = []
    for key in ("a", "b", "a", "c", "a", "b"):
        cache.get(key, lambda key=key: made.append(key))  # type: ignore[misc]
    assert made == ["a", "b", "c", "b"]
    cache.forget("b")
    cache.get("b", lambda: made.append("again"))
    assert made[-1] == "again"
