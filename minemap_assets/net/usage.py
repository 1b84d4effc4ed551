"""What a run has asked of imagery sources so far, held to its budget while it goes on.

What belongs here: counting, and refusing what would pass a limit. What does not: the limits and what a run is expected
to need (`budget.py`), which is looked at before anything is fetched.

A run is what a process does inside `one_run`; what it makes of imagery inside `counted` counts, whichever source,
thread or partition asks. What an estimate asks of catalogues does not.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from minemap_assets.errors import QuotaError

if TYPE_CHECKING:
    from minemap_assets.imagery.budget import BudgetConfig

_GIGABYTE = 1_000_000_000


@dataclass
class _Run:
    """The run of this process: its limits, what it has spent, and in how many places it is being counted."""

    current: ClassVar["_Run | None"] = None
    guard: ClassVar[threading.Lock] = threading.Lock()

    budget: "BudgetConfig"
    requests: int = 0
    size: int = 0
    downloads: int = 0
    counting: int = 0


@contextmanager
def one_run(budget: "BudgetConfig") -> Iterator[None]:
    """All that is made inside is held to a budget together; inside another run it counts for that one."""
    with _Run.guard:
        mine = _Run.current is None
        if mine:
            _Run.current = _Run(budget)
    try:
        yield
    finally:
        if mine:
            _Run.current = None


@contextmanager
def counted() -> Iterator[None]:
    """What is asked inside is part of the run."""
    run = _Run.current
    if run is None:
        raise ValueError("nothing can be counted outside of a run")
    with _Run.guard:
        run.counting += 1
    try:
        yield
    finally:
        with _Run.guard:
            run.counting -= 1


def spend(requests: int = 0, size: int = 0, downloads: int = 0) -> None:
    """Say that requests or Planet downloads are about to be sent, or that `size` bytes came in.

    Raises `QuotaError` where the run's budget does not allow that; requests refused are not counted as sent.
    """
    run = _Run.current
    if run is None or not run.counting:
        return
    with _Run.guard:
        sent, came, fetched = run.requests + requests, run.size + size, run.downloads + downloads
        budget = run.budget
        if budget.requests is not None and sent > budget.requests:
            raise _used_up("requests", f"{run.requests:,} requests")
        if budget.planet_downloads is not None and fetched > budget.planet_downloads:
            raise _used_up("planet_downloads", f"{run.downloads:,} Planet downloads")
        run.requests, run.size, run.downloads = sent, came, fetched
        if budget.gigabytes is not None and came > budget.gigabytes * _GIGABYTE:
            raise _used_up("gigabytes", f"{came / _GIGABYTE:.3g} GB")


def _used_up(name: str, spent: str) -> QuotaError:
    return QuotaError(
        f"this run has used up {name} under [imagery.budget] with {spent}, more than was estimated; what is done is "
        "kept, and the same command goes on from here once the limit is higher"
    )
