"""What a run has asked of imagery sources so far, held to its limits while it goes on.

A run is what a process does inside `run_usage`; what is asked inside `metered` counts, whichever source, thread or
partition asks. What an estimate asks of catalogues does not. Inside `usage_ledger`, a run shares its limits with the
runs of other processes that have the same ledger.
"""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

from minemap_assets.errors import MinemapError, QuotaError
from minemap_assets.lake.store import Store
from minemap_assets.net.ledger import LakeLedger, Ledger, OwnLedger

_GIGABYTE = 1_000_000_000

_shared: ContextVar[Ledger | None] = ContextVar("_shared", default=None)


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
    """The run of this process: its limits, what it took of them and has not used, in how many places it is metered."""

    current: ClassVar["_Run | None"] = None
    guard: ClassVar[threading.Lock] = threading.Lock()

    limits: UsageLimits
    ledger: Ledger
    left: Counter[str] = field(default_factory=Counter)
    metering: int = 0

    def send(self, name: str, amount: int, limit: int | None) -> None:
        """Use some of a limit. Raises `QuotaError` where there is not so much, and nothing is used."""
        if limit is None or not amount:
            return
        if self.left[name] < amount:
            granted = self.ledger.take(name, amount - self.left[name], limit)
            if not granted:
                raise _used_up(name, self.ledger.taken(name) - self.left[name])
            self.left[name] += granted
        self.left[name] -= amount

    def receive(self, size: int) -> None:
        """Bytes came in. Raises `QuotaError` where they are more than the limit, now or before."""
        if self.limits.gigabytes is None:
            return
        limit = int(self.limits.gigabytes * _GIGABYTE)
        if size and size <= self.left["bytes"]:
            self.left["bytes"] -= size
            return
        total = 0
        if size:
            granted, total = self.ledger.record("bytes", size - self.left["bytes"], limit)
            self.left["bytes"] += granted - size
        elif not self.left["bytes"]:
            total = self.ledger.taken("bytes")
        if total > limit:
            raise _used_up("gigabytes", total)

    def close(self) -> None:
        """Give back what was not used."""
        with suppress(MinemapError):  # the budget is smaller by that much then, and never passed
            self.ledger.give_back(+self.left)


@contextmanager
def usage_ledger(store: Store, launch: str) -> Iterator[None]:
    """Runs that begin inside share their limits with all of the same `launch` in the same lake, in any process."""
    token = _shared.set(LakeLedger(store, launch))
    try:
        yield
    finally:
        _shared.reset(token)


@contextmanager
def run_usage(limits: UsageLimits) -> Iterator[None]:
    """All that is metered inside is held to the limits together; inside another run it counts for that one."""
    with _Run.guard:
        mine = _Run.current is None
        if mine:
            _Run.current = _Run(limits, _shared.get() or OwnLedger())
    try:
        yield
    finally:
        if mine:
            with _Run.guard:
                run, _Run.current = _Run.current, None
                if run is not None:
                    run.close()


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
        run.receive(size)
        run.send("requests", requests, run.limits.requests)
        run.send("planet_downloads", downloads, run.limits.planet_downloads)


def _used_up(name: str, spent: int) -> QuotaError:
    words = {
        "requests": f"{spent:,} requests",
        "planet_downloads": f"{spent:,} Planet downloads",
        "gigabytes": f"{spent / _GIGABYTE:.3g} GB",
    }
    return QuotaError(
        f"this run has used up {name} under [imagery.budget] with {words[name]}, more than was estimated; what is done "
        "is kept, and the same command goes on from here once the limit is higher"
    )
