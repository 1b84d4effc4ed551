"""The C library's memory arenas in a process whose threads take and give back large arrays."""

import ctypes

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
"""glibc's numbers for the settings (malloc.h)."""

_ARENAS = 2
_LARGEST = 64 << 20
"""Arrays up to this many bytes come from a heap, whose pages the system need not clear each time."""

_SPARE = 128 << 20
"""Bytes at a heap's end that are kept for what comes next."""


def limit_malloc_arenas() -> None:
    """Have all threads share two heaps, large arrays too, where the C library is glibc; elsewhere nothing happens.

    Otherwise every thread may get a heap of its own, which keeps what was freed in it: over hundreds of sites memory
    grows though nothing is held.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
        for setting, value in ((_M_ARENA_MAX, _ARENAS), (_M_MMAP_THRESHOLD, _LARGEST), (_M_TRIM_THRESHOLD, _SPARE)):
            mallopt(setting, value)
    except (AttributeError, OSError, TypeError):
        return
