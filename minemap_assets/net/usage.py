"""What a run has asked of imagery sources so far, held to its limits while it goes on.

A run is what a process does inside `run_usage`; what is asked inside `metered` counts, whichever source, thread or
partition asks. What an estimate asks of catalogues does not.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar, Protocol

from minemap_assets.errors import QuotaError

_GIGABYTE = 1_000_000_000


class UsageLimits(Protocol):
    """The most that one run may ask for; None is without a limit."""

    @property
    def requests(self) -> int | None:
        """Requests sent, repetitions among them."""

    @property
    def gigabytes(self) -> float | None:
        """Bytes of answers, in 10^9."""

    @property
    def planet_downloads(self) -> int | None:
        """Planet quads."""


@dataclass
class _Run:
    """The run of this process: its limits, what it has used, and in how many places it is being metered."""

    current: ClassVar["_Run | None"] = None
    guard: ClassVar[threading.Lock] = threading.Lock()

    limits: UsageLimits
    requests: int = 0
    size: int = 0
    downloads: int = 0
    metering: int = 0


@contextmanager
def run_usage(limits: UsageLimits) -> Iterator[None]:
    """All that is metered inside is held to the limits together; inside another run it counts for that one."""
    with _Run.guard:
        mine = _Run.current is None
        if mine:
            _Run.current = _Run(limits)
    try:
        yield
    finally:
        if mine:
            _Run.current = None


@contextmanager
def metered() -> Iterator[None]:
    """What is asked inside is part of the run."""
    run = _Run.current
    if run is None:
        raise ValueError("nothing can be counted outside of a run")
    with _Run.guard:
        run.metering += 1
    try:
        yield
    finally:
        with _Run.guard:
            run.metering -= 1


def charge(requests: int = 0, size: int = 0, downloads: int = 0) -> None:
    """Say that requests or Planet downloads are about to be sent, or that `size` bytes came in.

    Raises `QuotaError` where the run's limits do not allow that; requests refused are not counted as sent.
    """
    run = _Run.current
    if run is None or not run.metering:
        return
    with _Run.guard:
        sent, came, fetched = run.requests + requests, run.size + size, run.downloads + downloads
        limits = run.limits
        if limits.requests is not None and sent > limits.requests:
            raise _used_up("requests", f"{run.requests:,} requests")
        if limits.planet_downloads is not None and fetched > limits.planet_downloads:
            raise _used_up("planet_downloads", f"{run.downloads:,} Planet downloads")
        run.requests, run.size, run.downloads = sent, came, fetched
        if limits.gigabytes is not None and came > limits.gigabytes * _GIGABYTE:
            raise _used_up("gigabytes", f"{came / _GIGABYTE:.3g} GB")


def _used_up(name: str, spent: str) -> QuotaError:
    return QuotaError(
        f"this run has used up {name} under [imagery.budget] with {spent}, more than was estimated; what is done is "
        "kept, and the same command goes on from here once the limit is higher"
    )
