"""How a request is made, repeated and counted: what every client of a service is built on.

Requests are repeated here and nowhere else. An answer that arrives but is not what was asked for (cut off, of the
wrong length, failing the caller's own check) counts as a failed attempt like any other.
"""

import errno
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

import httpx

from minemap_assets.errors import BadInputError, MinemapError, PermanentError, QuotaError, RetryableError
from minemap_assets.net.policy import (
    FORBIDDEN,
    REFUSALS,
    REFUSED,
    ClientPolicy,
    Clock,
    ServiceLimits,
    StopSignal,
    error_for_status,
    given_up,
    jitter,
    missing_key,
    retry_after,
)
from minemap_assets.net.redaction import redact_logs
from minemap_assets.net.usage import charge

T = TypeVar("T")

Sign = Callable[[str, str | None], str]
"""Turns an address into the one that is really asked for. The second argument is None, or the signed address that was
refused (401, 403): then another signature is wanted."""


_NO_WAY = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN})


@dataclass(frozen=True)
class Counters:
    """What a client has done so far: requests sent, those that were repetitions, bytes of bodies, seconds waited."""

    requests: int = 0
    retries: int = 0
    bytes_read: int = 0
    waited: float = 0.0


UNFOUND_ATTEMPTS = 3
"""So often a service is looked for that was never reached: without a network, waiting longer helps nobody."""


class FailedAttemptError(Exception):
    """One attempt came to nothing. `after` is the wait that the server asks for, in seconds; `unfound` says that the
    name of the service is not known here, or that no network leads there.
    """

    def __init__(
        self, error: MinemapError, after: float | None = None, status: int = 0, *, unfound: bool = False
    ) -> None:
        super().__init__(str(error))
        self.error = error
        self.after = after
        self.status = status
        self.unfound = unfound


def is_unfound(error: BaseException) -> bool:
    """Whether a connection failed because a name is not known here, or because no network leads there."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, socket.gaierror) or (isinstance(seen, OSError) and seen.errno in _NO_WAY):
            return True
        seen = seen.__cause__ or seen.__context__
    return False


def _bucket(url: str) -> tuple[str, str]:
    """Where an object lies, without its key: the host, and the first part of the path (a bucket, a container)."""
    parts = urlsplit(url)
    return parts.netloc, parts.path.lstrip("/").partition("/")[0]


class Connection:
    """Requests to one service under its policy. Safe from several threads; close it or use `with`.

    Rate and concurrency hold for all connections of a process that have the same name and limits, together.
    """

    def __init__(
        self,
        name: str,
        policy: ClientPolicy,
        http: httpx.Client,
        *,
        sign: Sign | None = None,
        clock: Clock | None = None,
        stop: StopSignal | None = None,
        hidden_keys: bool = False,
    ) -> None:
        """`name` is what errors call the service; `stop` ends its requests; `http`, which it closes, sends them.

        `hidden_keys`: it is storage that may answer 403 for a file that does not exist. That is what a 403 means where
        a file of the same bucket that was served before is served still, and before any was, without signatures.
        """
        redact_logs()
        self.name = name
        self.policy = policy
        self.clock = clock or Clock()
        self.stop = stop or StopSignal()
        self._http = http
        self._sign = sign
        self._limits = ServiceLimits.of(name, policy, self.clock)
        self._lock = threading.Lock()
        self._counters = Counters()
        self._reached = False
        self._hidden_keys = hidden_keys
        self._served: dict[tuple[str, str], str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    @property
    def counters(self) -> Counters:
        """What has been done so far."""
        with self._lock:
            return self._counters

    def where(self, url: str) -> str:
        """The service and the address without its query, which may hold a signature."""
        parts = urlsplit(url)
        return f"{self.name} ({parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path})"

    def attempts(self, url: str, attempt: Callable[[str], T]) -> T:
        """Run `attempt(address)` until it succeeds, fails for good, or has failed as often as allowed.

        An attempt raises `FailedAttemptError`; everything else that it raises ends the attempts. Raises what the last
        attempt failed with, and `QuotaError` where the server asks for a wait beyond `longest_wait`. A service that was
        never reached and cannot be found is looked for `UNFOUND_ATTEMPTS` times at most.
        """
        refused: str | None = None
        refusals = 0
        for number in range(1, self.policy.attempts + 1):
            if number > 1:
                self._count(retries=1)
            asked = self._sign(url, refused) if self._sign is not None else url
            try:
                with self._limits.slots:
                    self._count(waited=self._limits.bucket.take(self.stop))
                    found = attempt(asked)
                    self._served[_bucket(url)] = url
                    return found
            except FailedAttemptError as failed:
                unfound = failed.unfound and not self._reached
                last = number >= min(self.policy.attempts, UNFOUND_ATTEMPTS if unfound else self.policy.attempts)
                refused = asked if failed.status in REFUSED and self._sign is not None else None
                refusals = refusals + 1 if refused else 0
                if 0 < refusals < REFUSALS and not last:
                    continue
                if failed.status == FORBIDDEN and self._hidden_keys and self._serves_others(url):
                    raise missing_key(self.where(url)) from failed.__cause__
                if not isinstance(failed.error, RetryableError):
                    raise failed.error from failed.__cause__
                if last:
                    raise given_up(failed.error, number) from failed.__cause__
                self._wait(failed, number, url)
        raise ValueError(f"a policy allows at least one attempt, not {self.policy.attempts}")

    @contextmanager
    def answered(self, method: str, url: str, **sent: Any) -> Iterator[httpx.Response]:
        """One request, whatever its answer says, the body still to come; `sent` is as `httpx.Client.stream` takes it.

        A connection that fails becomes `FailedAttemptError`, inside the block as well.
        """
        where = self.where(url)
        charge(requests=1)
        self._count(requests=1)
        try:
            with self._http.stream(method, url, **sent) as answer:
                self._reached = True
                yield answer
        except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
            raise FailedAttemptError(BadInputError(f"{where} is no web address ({error}); correct it")) from error
        except httpx.TooManyRedirects as error:
            raise FailedAttemptError(PermanentError(f"{where} redirects without end")) from error
        except httpx.HTTPError as error:
            reason, unfound = str(error) or type(error).__name__, is_unfound(error)
            what = "cannot be found, as without a network" if unfound else "cannot be reached or broke off"
            raise FailedAttemptError(RetryableError(f"{where} {what} ({reason})"), unfound=unfound) from error

    @contextmanager
    def streamed(self, method: str, url: str, **sent: Any) -> Iterator[httpx.Response]:
        """As `answered`, for a success: any other status becomes `FailedAttemptError` before the block begins."""
        with self.answered(method, url, **sent) as answer:
            error = error_for_status(answer.status_code, self.where(url))
            if error is not None:
                raise FailedAttemptError(error, self.asked_wait(answer), answer.status_code)
            yield answer

    def chunks(self, answer: httpx.Response) -> Iterator[bytes]:
        """The body of an answer, counted, and cut short where it takes longer than the deadline."""
        end = self.clock.monotonic() + self.policy.deadline
        for chunk in answer.iter_bytes():
            self._count(bytes_read=len(chunk))
            charge(size=len(chunk))
            self.stop.check()
            yield chunk
            if self.clock.monotonic() > end:
                where = self.where(str(answer.url))
                raise FailedAttemptError(RetryableError(f"{where} took longer than {self.policy.deadline:g} s"))

    def asked_wait(self, answer: httpx.Response) -> float | None:
        """Seconds that the server asks to be left alone for; None where it does not say."""
        return retry_after(answer.headers.get("Retry-After"), self.clock)

    def too_long(self, seconds: float, status: int, url: str) -> QuotaError:
        """What is said of a wait beyond `longest_wait` that the server asks for."""
        return QuotaError(
            f"{self.where(url)} asks to be left alone for {seconds:.0f} s (HTTP {status}), longer than the "
            f"{self.policy.longest_wait:g} s this source waits"
        )

    def _serves_others(self, url: str) -> bool:
        """Whether the bucket of a file that is refused serves what it served before, asked for now.

        Raises `RetryableError` where that cannot be told at the moment.
        """
        other = self._served.get(_bucket(url))
        if other is None:
            return self._sign is None
        asked = self._sign(other, None) if self._sign is not None else other
        with self._limits.slots:
            self._count(waited=self._limits.bucket.take(self.stop))
            try:
                with self.answered("GET", asked, headers={"Range": "bytes=0-0"}) as answer:
                    error = error_for_status(answer.status_code, self.where(other))
            except FailedAttemptError as failed:
                error = failed.error
        if isinstance(error, RetryableError):
            raise given_up(error, 1)
        return error is None

    def _wait(self, failed: FailedAttemptError, number: int, url: str) -> None:
        seconds = jitter(self.policy, number, self.clock)
        if failed.after is not None:
            if failed.after > self.policy.longest_wait:
                raise self.too_long(failed.after, failed.status, url) from None
            self._limits.bucket.pause(failed.after)
            seconds += failed.after
        self._count(waited=seconds)
        self.stop.sleep(seconds, self.clock)

    def _count(self, requests: int = 0, retries: int = 0, bytes_read: int = 0, waited: float = 0.0) -> None:
        with self._lock:
            now = self._counters
            self._counters = Counters(
                now.requests + requests, now.retries + retries, now.bytes_read + bytes_read, now.waited + waited
            )
