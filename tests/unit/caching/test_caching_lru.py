"""What was used last is kept."""

import threading

from minemap_assets.caching.lru import LruCache


def test_the_value_used_longest_ago_goes_first() -> None:
    cache: LruCache[str, int] = LruCache(2)
    cache.put("a", 1)
    cache.put("b", 2)
    assert cache.get("a") == 1
    cache.put("c", 3)
    assert [cache.get(key) for key in "abc"] == [1, None, 3]


def test_sizes_are_held_within_the_room() -> None:
    cache: LruCache[str, bytes] = LruCache(10, len)
    cache.put("a", b"x" * 4)
    cache.put("b", b"x" * 4)
    cache.put("a", b"x" * 6)
    assert cache.get("b") is not None
    cache.put("c", b"x" * 5)
    assert [cache.get(key) is None for key in "abc"] == [True, False, False]
    cache.put("large", b"x" * 11)
    assert cache.get("large") is None


def test_what_is_forgotten_frees_its_room() -> None:
    cache: LruCache[str, bytes] = LruCache(8, len)
    cache.put("a", b"x" * 4)
    cache.put("b", b"x" * 4)
    cache.forget("a")
    cache.forget("never kept")
    cache.put("c", b"x" * 4)
    assert [cache.get(key) is None for key in "abc"] == [True, False, False]


def test_many_threads_may_use_it() -> None:
    cache: LruCache[int, int] = LruCache(8)

    def work(start: int) -> None:
        for n in range(start, start + 2_000):
            cache.put(n % 32, n % 32)
            assert cache.get(n % 16) in (None, n % 16)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(cache.get(n) is not None for n in range(32)) == 8
