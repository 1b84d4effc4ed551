"""The policy of a client: how fast, how often, how long to wait, and what an answer means; how it is stopped."""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import ClassVar

from minemap_assets.errors import (
    AuthenticationError,
    MinemapError,
    NotFoundError,
    PermanentError,
    QuotaError,
    RetryableError,
)

FORBIDDEN = 403

REFUSED = frozenset({401, FORBIDDEN})
"""Statuses after which a fresh signature is tried."""

REFUSALS = 3
"""So many refusals in a row, the last two of fresh signatures, mean that it is not the signature's age."""

NOTICED_SECONDS = 0.5
"""Within this time whoever waits notices that it is to stop."""

_GONE = frozenset({404, 410})
_LATER = frozenset({408, 425, 429})
_NEVER = frozenset({501, 505})


@dataclass(frozen=True)
class ClientPolicy:
    """How a source may be asked.

    `rate` is requests a second on average and `burst` how many may come at once; `concurrency` requests run at a
    time. A request is sent at most `attempts` times; before the n-th repetition a random time between 0 and
    `backoff` x 2^(n-1) seconds passes (full jitter), never more than `longest_wait`. `timeout` is the longest silence
    and `deadline` the longest time of one attempt, both in seconds.
    """

    rate: float = 10.0
    burst: int = 10
    concurrency: int = 8
    attempts: int = 6
    timeout: float = 30.0
    deadline: float = 600.0
    backoff: float = 1.0
    longest_wait: float = 60.0

    @classmethod
    def of(cls, config: object, **more: float) -> "ClientPolicy":
        """What a source's settings say under the same names, and more."""
        said = {field.name: getattr(config, field.name) for field in fields(cls) if hasattr(config, field.name)}
        return cls(**said | more)


@dataclass(frozen=True)
class Clock:
    """Time and chance; tests put their own in place. `monotonic` is in seconds, `now` the time of day in UTC."""

    sleep: Callable[[float], None] = time.sleep
    monotonic: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    chance: Callable[[], float] = random.random


class StoppedError(RetryableError):
    """The run was stopped before the answer was there."""


class StopSignal:
    """Tells all clients of a source to send nothing more; it is never taken back. Safe from several threads."""

    def __init__(self) -> None:
        self._told = threading.Event()

    def set(self) -> None:
        """Stop: no request begins any more, and answers on their way are left at their next piece."""
        self._told.set()

    @property
    def is_set(self) -> bool:
        """Whether it was told to stop."""
        return self._told.is_set()

    def check(self) -> None:
        """Raises `StoppedError` where it was told to stop."""
        if self.is_set:
            raise StoppedError("the run was stopped before this was read; run it again")

    def sleep(self, seconds: float, clock: Clock) -> None:
        """Wait, and notice on the way that it is to stop. Raises as `check` does."""
        self.check()
        while seconds > 0:
            clock.sleep(min(seconds, NOTICED_SECONDS))
            seconds -= NOTICED_SECONDS
            self.check()


class TokenBucket:
    """Lets `rate` callers a second through, up to `burst` at once. Safe from several threads, fair by arrival."""

    def __init__(self, rate: float, burst: int = 1, clock: Clock | None = None) -> None:
        if rate <= 0 or burst < 1:
            raise ValueError(f"a token bucket needs a positive rate and burst, not {rate} and {burst}")
        self._clock = clock or Clock()
        self._interval = 1.0 / rate
        self._slack = (burst - 1) * self._interval
        self._lock = threading.Lock()
        self._next = self._clock.monotonic() - self._slack
        self._closed_until = self._clock.monotonic()

    def take(self, stop: StopSignal | None = None) -> float:
        """Wait for a turn; returns the seconds waited. Raises `StoppedError` where `stop` says so by then."""
        stop = stop or StopSignal()
        with self._lock:
            now = self._clock.monotonic()
            turn = max(self._next, now - self._slack)
            self._next = turn + self._interval
            wait = max(0.0, turn - now)
        waited = wait
        stop.sleep(wait, self._clock)
        while (closed := self._closed_until - self._clock.monotonic()) > 0:
            stop.sleep(closed, self._clock)
            waited += closed
        return waited

    def pause(self, seconds: float) -> None:
        """Let nobody through for that long (what a server asks for with Retry-After)."""
        with self._lock:
            self._closed_until = max(self._closed_until, self._clock.monotonic() + seconds)


class ServiceLimits:
    """How fast and how many at a time all clients of one service in this process may ask it together."""

    _known: ClassVar[dict[tuple[object, ...], "ServiceLimits"]] = {}
    _guard: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, policy: ClientPolicy, clock: Clock) -> None:
        self.bucket = TokenBucket(policy.rate, policy.burst, clock)
        self.slots = threading.BoundedSemaphore(policy.concurrency)

    @classmethod
    def of(cls, name: str, policy: ClientPolicy, clock: Clock) -> "ServiceLimits":
        """The limits of a service: the same for every client with its name and limits."""
        key = (name, policy.rate, policy.burst, policy.concurrency, clock)
        with cls._guard:
            if key not in cls._known:
                cls._known[key] = cls(policy, clock)
            return cls._known[key]


def jitter(policy: ClientPolicy, repetition: int, clock: Clock) -> float:
    """Seconds before the n-th repetition, counted from 1: anything up to an exponentially growing bound."""
    return clock.chance() * min(policy.longest_wait, policy.backoff * 2.0 ** (repetition - 1))


def given_up(error: MinemapError, attempts: int) -> RetryableError:
    """What is said once a request has failed as often as allowed."""
    often = f", after {attempts} attempts" if attempts > 1 else ""
    return RetryableError(f"{error}{often}; check the network and run again later")


def retry_after(value: str | None, clock: Clock) -> float | None:
    """Seconds that a Retry-After header asks for (a number or a date, RFC 9110 section 10.2.3); None without one."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - clock.now()).total_seconds())


class HiddenKeyError(NotFoundError):
    """A file is missing, or closed to everybody: the storage says the same of both."""


def missing_key(where: str) -> HiddenKeyError:
    """What is said of a 403 that stands for a file that does not exist: without the right to list a bucket, S3 tells
    nobody which of its files are missing (Amazon S3 API, GetObject, permissions).
    """
    return HiddenKeyError(f"{where} does not exist or is open to nobody (HTTP {FORBIDDEN})")


def error_for_status(status: int, where: str) -> MinemapError | None:
    """What an HTTP status means; None for success. `where` names the server or file in the text."""
    if 200 <= status < 300:
        return None
    if status in REFUSED:
        return AuthenticationError(f"{where} refuses access (HTTP {status}); check the credentials")
    if status == 402:
        return QuotaError(f"{where} says that the account's allowance is used up (HTTP 402)")
    if status in _GONE:
        return NotFoundError(f"{where} does not exist (HTTP {status})")
    if status in _LATER or (status >= 500 and status not in _NEVER):
        return RetryableError(f"{where} cannot be read now (HTTP {status})")
    return PermanentError(f"{where} does not accept the request (HTTP {status})")
