"""The one client: every request over HTTP goes through a `Client`, or through the `Connection` it is built on where
another library decides what is asked.
"""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import httpx

from minemap_assets.errors import BadInputError, MinemapError, PermanentError, RetryableError
from minemap_assets.net.certificates import trusted
from minemap_assets.net.connection import Connection, FailedAttemptError, Sign
from minemap_assets.net.downloads import Downloaded, fetch
from minemap_assets.net.plain_transport import transport_for
from minemap_assets.net.policy import ClientPolicy, Clock, StopSignal

T = TypeVar("T")

Check = Callable[[bytes], None]
"""Raises `MinemapError` where a body is not what it should be; `RetryableError` has it fetched again."""

CONTACT = "MINEMAP_CONTACT"
"""The environment variable with the address that services are told: an e-mail or a web address, or nothing."""


def user_agent() -> str:
    """How every service is told who asks: name, version, and the address of `CONTACT` where one is set.

    Raises `BadInputError` where that is not printable ASCII, which a header cannot hold.
    """
    contact = os.environ.get(CONTACT, "").strip()
    if not (contact.isascii() and contact.isprintable()):
        raise BadInputError(f"{CONTACT} is {contact!r}, which no request can carry; give an address in plain letters")
    return f"minemap/{version('minemap')}" + (f" (+{contact})" if contact else "")


@dataclass(frozen=True)
class Reply:
    """A whole answer."""

    status: int
    headers: Mapping[str, str]
    content: bytes


@dataclass(frozen=True)
class ByteRange:
    """Part of a remote file: its bytes, the size of the whole file, and the file's ETag (empty where none is given)."""

    data: bytes | bytearray
    total: int
    etag: str


class Client(Connection):
    """Sends requests to one service under its policy. Safe from several threads; close it or use `with`.

    Rate and concurrency hold for all clients of a process that have the same name and limits, together.
    """

    def __init__(
        self,
        name: str,
        policy: ClientPolicy | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        auth: httpx.Auth | tuple[str, str] | None = None,
        sign: Sign | None = None,
        transport: httpx.BaseTransport | None = None,
        clock: Clock | None = None,
        stop: StopSignal | None = None,
        hidden_keys: bool = False,
    ) -> None:
        """`name` is what errors call the service; `stop` ends its requests; `hidden_keys` is as in `Connection`;
        `transport` and `clock` are for tests.
        """
        policy = policy or ClientPolicy()
        http = httpx.Client(
            headers={"User-Agent": user_agent(), "Accept-Encoding": "identity"} | dict(headers or {}),
            auth=auth,
            timeout=httpx.Timeout(policy.timeout),
            limits=httpx.Limits(max_connections=policy.concurrency),
            follow_redirects=True,
            verify=trusted(),
            transport=transport or transport_for(policy.concurrency),
        )
        super().__init__(name, policy, http, sign=sign, clock=clock, stop=stop, hidden_keys=hidden_keys)

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

        Raises `NotFoundError` (404, 410, and 403 where that hides a missing file), `AuthenticationError` (401, 403 even
        with fresh signatures), `QuotaError` (402, or a wait beyond `longest_wait` asked for), `RetryableError` once all
        attempts failed or it was stopped, `PermanentError` for every other refusal.
        """

        def attempt(asked: str) -> Reply:
            with self.streamed(method, asked, params=params, json=body, headers=headers) as answer:
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

    def get_range(
        self, url: str, start: int, length: int, *, check: Callable[[ByteRange], None] | None = None
    ) -> ByteRange:
        """`length` bytes of a remote file from `start`, fewer only where the file ends.

        Raises as `request` does, and `PermanentError` where the server does not serve parts of files.
        """
        wanted = {"Range": f"bytes={start}-{start + length - 1}"}

        def attempt(asked: str) -> ByteRange:
            with self.streamed("GET", asked, headers=wanted) as answer:
                total = _total(answer, start, self.where(url))
                expected = min(length, total - start)
                data = bytearray(expected)
                have = 0
                for chunk in self.chunks(answer):
                    data[have : have + len(chunk)] = chunk
                    have += len(chunk)
            if have != expected:
                raise FailedAttemptError(RetryableError(f"{self.where(url)} sent {have} bytes for {expected}"))
            part = ByteRange(data, total, answer.headers.get("ETag", ""))
            if check is not None:
                _checked(check, part)
            return part

        return self.attempts(url, attempt)

    def download(self, url: str, path: Path, *, verify: Callable[[Path], None] | None = None) -> Downloaded:
        """Fetch a file whole to `path`, resuming where an earlier attempt or run stopped (see `downloads.fetch`)."""
        return fetch(self, url, path, verify)


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
    sent, _, total = stated.removeprefix("bytes ").partition("/")
    if answer.status_code != 206 or not total.isdigit():
        raise FailedAttemptError(PermanentError(f"{where} does not serve parts of files (HTTP {answer.status_code})"))
    if sent.partition("-")[0] != str(start):
        raise FailedAttemptError(RetryableError(f"{where} sent bytes {sent} where those from {start} were asked for"))
    return int(total)
