"""Sends httpx's requests with urllib3, which takes a quarter of the processor time for large bodies."""

from collections.abc import Iterator
from urllib.request import getproxies

import httpx
import urllib3

from minemap_assets.net.certificates import trusted

_PIECE = 1 << 20
"""Most bytes of a body that are handed on at a time."""


def transport_for(connections: int) -> httpx.BaseTransport | None:
    """A transport of so many connections; None, which is httpx's own, where the environment names proxies."""
    return None if getproxies() else PlainTransport(connections)


class PlainTransport(httpx.BaseTransport):
    """HTTP/1.1 without proxies. Safe from several threads."""

    def __init__(self, connections: int) -> None:
        self._pool = urllib3.PoolManager(maxsize=connections, retries=False, ssl_context=trusted(), headers={})

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The answer, its body still to come. Raises as httpx's own transport does."""
        limits = request.extensions.get("timeout", {})
        try:
            answer = self._pool.urlopen(
                request.method,
                str(request.url),
                body=request.read() or None,
                headers=dict(request.headers.items()),
                preload_content=False,
                decode_content=False,
                redirect=False,
                timeout=urllib3.Timeout(connect=limits.get("connect"), read=limits.get("read")),
            )
        except urllib3.exceptions.HTTPError as error:
            raise _told(error, request) from error
        return httpx.Response(answer.status, headers=list(answer.headers.items()), stream=_Body(answer, request))

    def close(self) -> None:
        """Close all connections."""
        self._pool.clear()


class _Body(httpx.SyncByteStream):
    """A body as it comes in."""

    def __init__(self, answer: urllib3.BaseHTTPResponse, request: httpx.Request) -> None:
        self._answer, self._request = answer, request

    def __iter__(self) -> Iterator[bytes]:
        try:
            while piece := self._answer.read1(_PIECE, decode_content=False):
                yield piece
        except urllib3.exceptions.HTTPError as error:
            raise _told(error, self._request) from error

    def close(self) -> None:
        """Give the connection back where the body has been read whole, else close it."""
        self._answer.close()
        self._answer.release_conn()


def _told(error: urllib3.exceptions.HTTPError, request: httpx.Request) -> httpx.RequestError:
    """The same failure in httpx's words."""
    kinds: tuple[tuple[type[Exception], type[httpx.RequestError]], ...] = (
        (urllib3.exceptions.NewConnectionError, httpx.ConnectError),  # one of the next kind, by its class
        (urllib3.exceptions.ConnectTimeoutError, httpx.ConnectTimeout),
        (urllib3.exceptions.SSLError, httpx.ConnectError),
        (urllib3.exceptions.ReadTimeoutError, httpx.ReadTimeout),
        (urllib3.exceptions.LocationValueError, httpx.UnsupportedProtocol),
    )
    kind = next((told for known, told in kinds if isinstance(error, known)), httpx.RemoteProtocolError)
    # urllib3 names the host and itself around what the system says, which is enough
    return kind(str(error.__cause__ or "") or str(error), request=request)
