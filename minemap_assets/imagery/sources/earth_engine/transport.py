"""How the Earth Engine client's requests reach the service: under deadlines, a rate, and with bounded repetition.

What belongs here: one exchange over HTTP. What does not: what the service's refusals mean (`earth_engine_errors.py`).

The client takes any object with the method `request` of httplib2. Given this one, and told not to repeat anything
itself, it has every request repeated here and nowhere else: time-outs, broken connections, answers that are cut off
or garbled, 429 and 5xx. Other answers go back to the client, which adds and renews access tokens.
"""

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

import httpx
import numpy as np

from minemap_assets.errors import MinemapError, QuotaError, RetryableError
from minemap_assets.imagery.sources.earth_engine.service_errors import (
    is_spent,
    is_too_fast,
    server_message,
    spent_error,
)
from minemap_assets.net.client import Counters
from minemap_assets.net.policy import (
    Discipline,
    Gate,
    Nature,
    Stop,
    error_for_status,
    given_up,
    jitter,
    retry_after,
)
from minemap_assets.net.redaction import redact_logs
from minemap_assets.net.usage import spend

_OWN_HEADERS = frozenset({"content-length", "host", "accept-encoding", "connection"})
"""Headers that the connection sets itself."""

NPY = b"\x93NUMPY"


@dataclass(frozen=True)
class _Answer:
    status: int
    headers: Mapping[str, str]
    content: bytes


class _FailedError(Exception):
    """One attempt came to nothing; `after` is the wait that the server asks for, in seconds."""

    def __init__(self, error: MinemapError, after: float | None = None) -> None:
        super().__init__(str(error))
        self.error = error
        self.after = after


class Exchange:
    """Sends the client's requests until `stop` is set. Safe from several threads."""

    def __init__(self, discipline: Discipline, nature: Nature | None = None) -> None:
        self._discipline = discipline
        self._nature = nature or Nature()
        redact_logs()
        self._gate = Gate.of("Earth Engine", discipline, self._nature)
        self.stop = Stop()
        self._lock = threading.Lock()
        self._counters = Counters()
        self._http = httpx.Client(
            timeout=httpx.Timeout(discipline.deadline, connect=min(discipline.timeout, discipline.deadline)),
            limits=httpx.Limits(max_connections=discipline.concurrency),
            follow_redirects=True,
        )

    @property
    def counters(self) -> Counters:
        """What has been done so far."""
        with self._lock:
            return self._counters

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def request(
        self,
        uri: str,
        method: str = "GET",
        body: str | bytes | None = None,
        headers: Mapping[str, str] | None = None,
        **_: Any,
    ) -> Any:
        """An `httplib2.Response` and the body, for any answer that repetition would not change.

        Raises `RetryableError` once all attempts failed, and `QuotaError` where the allowance is used up.
        """
        import httplib2

        answer = self._repeated(uri, method, body, dict(headers or {}))
        return httplib2.Response(dict(answer.headers) | {"status": str(answer.status)}), answer.content

    def _repeated(self, uri: str, method: str, body: str | bytes | None, headers: dict[str, str]) -> _Answer:
        attempts = self._discipline.attempts
        for number in range(1, attempts + 1):
            try:
                with self._gate.slots:
                    self._count(waited=self._gate.bucket.take(self.stop))
                    spend(requests=1)
                    self._count(requests=1, retries=int(number > 1))
                    return self._once(uri, method, body, headers)
            except _FailedError as failed:
                if number == attempts:
                    raise given_up(failed.error, attempts) from None
                self._wait(failed, number)
        raise AssertionError("a discipline allows at least one attempt")

    def _once(self, uri: str, method: str, body: str | bytes | None, headers: dict[str, str]) -> _Answer:
        where = _where(uri)
        sent = {name: value for name, value in headers.items() if name.lower() not in _OWN_HEADERS}
        try:
            with self._http.stream(method, uri, content=body, headers=sent) as answer:
                content = self._content(answer, where)
        except httpx.HTTPError as error:
            reason = str(error) or type(error).__name__
            raise _FailedError(RetryableError(f"{where} cannot be reached or broke off ({reason})")) from None
        if is_spent(answer.status_code, server_message(content)):
            raise spent_error()
        status = 429 if is_too_fast(answer.status_code, content) else answer.status_code
        error_now = error_for_status(status, where)
        if isinstance(error_now, RetryableError):
            raise _FailedError(error_now, retry_after(answer.headers.get("Retry-After"), self._nature))
        if error_now is None and not _is_whole(uri, content):
            raise _FailedError(RetryableError(f"{where} sent an answer that is cut off or garbled"))
        kept = {name: value for name, value in answer.headers.items() if name not in ("content-encoding", "status")}
        return _Answer(answer.status_code, kept, content)

    def _content(self, answer: httpx.Response, where: str) -> bytes:
        end = self._nature.clock() + self._discipline.deadline
        chunks = []
        for chunk in answer.iter_bytes():
            chunks.append(chunk)
            self._count(bytes_read=len(chunk))
            spend(size=len(chunk))
            self.stop.check()
            if self._nature.clock() > end:
                late = RetryableError(f"{where} took longer than {self._discipline.deadline:g} s")
                raise _FailedError(late)
        return b"".join(chunks)

    def _wait(self, failed: _FailedError, number: int) -> None:
        seconds = jitter(self._discipline, number, self._nature)
        if failed.after is not None:
            if failed.after > self._discipline.longest_wait:
                raise QuotaError(
                    f"Earth Engine asks to be left alone for {failed.after:.0f} s, longer than the "
                    f"{self._discipline.longest_wait:g} s this source waits; run again later"
                ) from None
            self._gate.bucket.pause(failed.after)
            seconds += failed.after
        self._count(waited=seconds)
        self.stop.sleep(seconds, self._nature)

    def _count(self, requests: int = 0, retries: int = 0, bytes_read: int = 0, waited: float = 0.0) -> None:
        with self._lock:
            now = self._counters
            self._counters = Counters(
                now.requests + requests, now.retries + retries, now.bytes_read + bytes_read, now.waited + waited
            )


def _where(uri: str) -> str:
    """The service and the address without its query."""
    parts = urlsplit(uri)
    return f"Earth Engine ({parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path})"


def _is_whole(uri: str, content: bytes) -> bool:
    """Whether a successful answer is what the request asks for: an array of pixels, or a JSON document."""
    try:
        if urlsplit(uri).path.endswith(":computePixels"):
            if not content.startswith(NPY):
                return False
            np.load(BytesIO(content), allow_pickle=False)
        else:
            json.loads(content)
    except (ValueError, EOFError, OSError):
        return False
    return True
