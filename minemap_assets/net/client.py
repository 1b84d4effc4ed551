"""The one client discipline: every request of every source over HTTP goes through a `Client`.

What belongs here: sending, repeating, checking and counting requests. What does not: rules (`transport_rules.py`),
files that are fetched whole (`transport_files.py`), and what an answer means to a source (`sources/`).

Requests are repeated here and nowhere else. An answer that arrives but is not what was asked for (cut off, of the
wrong length, failing the caller's own check) counts as a failed attempt like any other.
"""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx

from minemap_assets.errors import (
    BadInputError,
    MinemapError,
    PermanentError,
    QuotaError,
    RetryableError,
)
from minemap_assets.net.policy import (
    REFUSALS,
    REFUSED,
    Discipline,
    Gate,
    Nature,
    Stop,
    TokenBucket,
    error_for_status,
    given_up,
    jitter,
    retry_after,
)
from minemap_assets.net.redaction import redact_logs
from minemap_assets.net.usage import spend

__all__ = ["Client", "Counters", "Discipline", "Downloaded", "Nature", "Reply", "Sign", "Span", "Stop", "TokenBucket"]

T = TypeVar("T")

Sign = Callable[[str, str | None], str]
"""Turns an address into the one that is really asked for. The second argument is None, or the signed address that was
refused (401, 403): then another signature is wanted."""

Check = Callable[[bytes], None]
"""Raises `MinemapError` where a body is not what it should be; `RetryableError` has it fetched again."""

_USER_AGENT = "minemap"


@dataclass(frozen=True)
class Counters:
    """What a client has done so far: requests sent, those that were repetitions, bytes of bodies, seconds waited."""

    requests: int = 0
    retries: int = 0
    bytes_read: int = 0
    waited: float = 0.0


@dataclass(frozen=True)
class Reply:
    """A whole answer."""

    status: int
    headers: Mapping[str, str]
    content: bytes


@dataclass(frozen=True)
class Span:
    """Part of a remote file: its bytes, the size of the whole file, and the file's ETag (empty where none is given)."""

    data: bytes
    total: int
    etag: str


@dataclass(frozen=True)
class Downloaded:
    """A file fetched whole: where it lies, its size, the bytes that this call transferred, and its ETag."""

    path: Path
    size: int
    transferred: int
    etag: str


class FailedAttemptError(Exception):
    """One attempt came to nothing. `after` is the wait that the server asks for, in seconds."""

    def __init__(self, error: MinemapError, after: float | None = None, status: int = 0) -> None:
        super().__init__(str(error))
        self.error = error
        self.after = after
        self.status = status


class Client:
    """Sends requests to one service under its discipline. Safe from several threads; close it or use `with`.

    Rate and concurrency hold for all clients of a process that have the same name and limits, together.
    """

    def __init__(
        self,
        name: str,
        discipline: Discipline | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        auth: httpx.Auth | tuple[str, str] | None = None,
        sign: Sign | None = None,
        transport: httpx.BaseTransport | None = None,
        nature: Nature | None = None,
        stop: Stop | None = None,
    ) -> None:
        """`name` is what errors call the service; `stop` ends its requests; `transport` and `nature` are for tests."""
        redact_logs()
        self.name = name
        self.discipline = discipline or Discipline()
        self.nature = nature or Nature()
        self._sign = sign
        self._gate = Gate.of(name, self.discipline, self.nature)
        self._stop = stop or Stop()
        self._lock = threading.Lock()
        self._counters = Counters()
        self._http = httpx.Client(
            headers={"User-Agent": _USER_AGENT, "Accept-Encoding": "identity"} | dict(headers or {}),
            auth=auth,
            timeout=httpx.Timeout(self.discipline.timeout),
            limits=httpx.Limits(max_connections=self.discipline.concurrency),
            follow_redirects=True,
            transport=transport,
        )

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    @property
    def counters(self) -> Counters:
        """What this client has done so far."""
        with self._lock:
            return self._counters

    def request(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        check: Check | None = None,
    ) -> Reply:
        """Any request whose repetition does no harm; `body` is sent as JSON.

        Raises `NotFoundError` (404, 410), `AuthenticationError` (401, 403 even with fresh signatures), `QuotaError`
        (402, or a wait beyond `longest_wait` asked for), `RetryableError` once all attempts failed or it was stopped,
        `PermanentError` for every other refusal.
        """

        def attempt(asked: str) -> Reply:
            with self.streamed(method, asked, params=params, body=body, headers=headers) as answer:
                content = b"".join(self.chunks(answer))
            if check is not None:
                _checked(check, content)
            return Reply(answer.status_code, answer.headers, content)

        return self.attempts(url, attempt)

    def get_json(self, url: str, params: Mapping[str, Any] | None = None) -> Any:
        """A JSON document; one that is cut off or garbled is fetched again. Raises as `request` does."""
        return json.loads(self.request("GET", url, params=params, check=_is_json).content)

    def post_json(self, url: str, body: Any) -> Any:
        """The JSON answer to a JSON question that changes nothing there. Raises as `request` does."""
        return json.loads(self.request("POST", url, body=body, check=_is_json).content)

    def get_span(self, url: str, start: int, length: int, *, check: Callable[[Span], None] | None = None) -> Span:
        """`length` bytes of a remote file from `start`, fewer only where the file ends.

        Raises as `request` does, and `PermanentError` where the server does not serve parts of files.
        """
        wanted = {"Range": f"bytes={start}-{start + length - 1}"}

        def attempt(asked: str) -> Span:
            with self.streamed("GET", asked, headers=wanted) as answer:
                total = _total(answer, start, self._where(url))
                data = b"".join(self.chunks(answer))
            expected = min(length, total - start)
            if len(data) != expected:
                raise FailedAttemptError(RetryableError(f"{self._where(url)} sent {len(data)} bytes for {expected}"))
            span = Span(data, total, answer.headers.get("ETag", ""))
            if check is not None:
                _checked(check, span)
            return span

        return self.attempts(url, attempt)

    def download(
        self,
        url: str,
        path: Path,
        *,
        expected_size: int | None = None,
        verify: Callable[[Path], None] | None = None,
    ) -> Downloaded:
        """Fetch a file whole to `path`, resuming where an earlier attempt or run stopped (see `transport_files`)."""
        from minemap_assets.net.downloads import fetch

        return fetch(self, url, path, expected_size, verify)

    def attempts(self, url: str, attempt: Callable[[str], T]) -> T:
        """Run `attempt(address)` until it succeeds, fails for good, or has failed as often as allowed.

        An attempt raises `FailedAttemptError`. Only for what is built on top of the client; sources use the methods
        above.
        """
        refused: str | None = None
        refusals = 0
        for number in range(1, self.discipline.attempts + 1):
            if number > 1:
                self._count(retries=1)
            asked = self._sign(url, refused) if self._sign is not None else url
            try:
                with self._gate.slots:
                    self._count(waited=self._gate.bucket.take(self._stop))
                    return attempt(asked)
            except FailedAttemptError as failed:
                last = number == self.discipline.attempts
                refused = asked if failed.status in REFUSED and self._sign is not None else None
                refusals = refusals + 1 if refused else 0
                if 0 < refusals < REFUSALS and not last:
                    continue
                if last or not isinstance(failed.error, RetryableError):
                    raise _final(failed.error, number) from failed.__cause__
                self._wait(failed, number, url)
        raise ValueError(f"a discipline allows at least one attempt, not {self.discipline.attempts}")

    @contextmanager
    def streamed(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Iterator[httpx.Response]:
        """One request, its body still to come; everything that goes wrong inside becomes `FailedAttemptError`."""
        where = self._where(url)
        spend(requests=1)
        self._count(requests=1)
        try:
            with self._http.stream(method, url, params=params, json=body, headers=headers) as answer:
                error = error_for_status(answer.status_code, where)
                if error is not None:
                    after = retry_after(answer.headers.get("Retry-After"), self.nature)
                    raise FailedAttemptError(error, after, answer.status_code)
                yield answer
        except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
            raise FailedAttemptError(BadInputError(f"{where} is no web address ({error}); correct it")) from error
        except httpx.TooManyRedirects as error:
            raise FailedAttemptError(PermanentError(f"{where} redirects without end")) from error
        except httpx.HTTPError as error:
            reason = str(error) or type(error).__name__
            raise FailedAttemptError(RetryableError(f"{where} cannot be reached or broke off ({reason})")) from error

    def chunks(self, answer: httpx.Response) -> Iterator[bytes]:
        """The body of an answer, counted, and cut short where it takes longer than the deadline."""
        end = self.nature.clock() + self.discipline.deadline
        for chunk in answer.iter_bytes():
            self._count(bytes_read=len(chunk))
            spend(size=len(chunk))
            self._stop.check()
            yield chunk
            if self.nature.clock() > end:
                where = self._where(str(answer.url))
                raise FailedAttemptError(RetryableError(f"{where} took longer than {self.discipline.deadline:g} s"))

    def _wait(self, failed: FailedAttemptError, number: int, url: str) -> None:
        seconds = jitter(self.discipline, number, self.nature)
        if failed.after is not None:
            if failed.after > self.discipline.longest_wait:
                raise QuotaError(
                    f"{self._where(url)} asks to be left alone for {failed.after:.0f} s (HTTP {failed.status}), "
                    f"longer than the {self.discipline.longest_wait:g} s this source waits"
                ) from None
            self._gate.bucket.pause(failed.after)
            seconds += failed.after
        self._count(waited=seconds)
        self._stop.sleep(seconds, self.nature)

    def _count(self, requests: int = 0, retries: int = 0, bytes_read: int = 0, waited: float = 0.0) -> None:
        with self._lock:
            now = self._counters
            self._counters = Counters(
                now.requests + requests, now.retries + retries, now.bytes_read + bytes_read, now.waited + waited
            )

    def _where(self, url: str) -> str:
        """The service and the address without its query, which may hold a signature."""
        parts = urlsplit(url)
        return f"{self.name} ({parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path})"


def _final(error: MinemapError, attempts: int) -> MinemapError:
    return given_up(error, attempts) if isinstance(error, RetryableError) else error


def _checked(check: Callable[[T], None], content: T) -> None:
    try:
        check(content)
    except MinemapError as error:
        raise FailedAttemptError(error) from error


def _is_json(content: bytes) -> None:
    try:
        json.loads(content)
    except ValueError as error:
        raise RetryableError(f"the answer is no JSON ({error})") from error


def _total(answer: httpx.Response, start: int, where: str) -> int:
    """Size of the whole file, from the Content-Range of an answer that begins at `start`."""
    stated = answer.headers.get("Content-Range", "")
    span, _, total = stated.removeprefix("bytes ").partition("/")
    if answer.status_code != 206 or not total.isdigit():
        raise FailedAttemptError(PermanentError(f"{where} does not serve parts of files (HTTP {answer.status_code})"))
    if span.partition("-")[0] != str(start):
        raise FailedAttemptError(RetryableError(f"{where} sent bytes {span} where those from {start} were asked for"))
    return int(total)
