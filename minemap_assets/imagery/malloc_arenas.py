"""The C library's memory arenas in a process whose threads take and give back large arrays."""

import ctypes

_M_ARENA_MAX = -8
"""glibc's number for the setting (malloc.h)."""

_ARENAS = 2


def limit_malloc_arenas() -> None:
    """Have all threads share two heaps, where the C library is glibc; elsewhere nothing happens.

    Otherwise every thread may get a heap of its own, which keeps what was freed in it: over hundreds of sites memory
    grows though nothing is held.
    """
    try:
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, _ARENAS)
    except (AttributeError, OSError, TypeError):
        return
