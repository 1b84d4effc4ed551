"""Who may write: only the person who opened the address that was printed, which carries a token.

Reading needs no token, since the guard (`ui_guard.py`) keeps other sites out and the address is this machine's. The
token comes in the printed address, is kept by the browser in a cookie that no script reads and no other site sends, and
leaves the address at once, so that a copied link does not pass it on.
"""

import hmac
import json
import secrets
from collections.abc import Iterable
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, urlencode

from dagster_project.ui_guard import READING, Application, Receive, Scope, Send

PARAMETER = "token"

WRITABLE = "minemap.writable"
"""Key of the connection's state: whether it may write."""

_TEXT = b"text/plain; charset=utf-8"
_JSON = b"application/json"


def new_token() -> str:
    """A token for one server, which nobody can guess."""
    return secrets.token_urlsafe(24)


class WriteToken:
    """An ASGI application around another, which sees nothing that would write without the token.

    `command` is what printed the address, for the sentence of a refusal. The cookie's name has the `port` in it,
    because browsers share cookies between the ports of a host.
    """

    def __init__(self, app: Application, token: str, port: int, command: str) -> None:
        self._app = app
        self._token = token
        self._cookie = f"minemap_{port}"
        self._refusal = f"Writing needs the address that `{command}` printed, with its token; open that one again."

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection, as ASGI says."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        query = parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
        given = [value for name, value in query if name == PARAMETER]
        if given and scope["method"] in ("GET", "HEAD"):
            rest = urlencode([(name, value) for name, value in query if name != PARAMETER])
            await self._enter(all(map(self._fits, given)), scope["path"], rest, send)
            return
        writable = self._fits(self._kept(scope))
        if scope["method"] not in READING and not writable:
            await _answer(send, 403, json.dumps({"error": self._refusal}).encode(), [(b"content-type", _JSON)])
            return
        scope.setdefault("state", {})[WRITABLE] = writable
        await self._app(scope, receive, send)

    def _fits(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self._token.encode())

    def _kept(self, scope: Scope) -> str:
        for name, value in scope["headers"]:
            if name.lower() != b"cookie":
                continue
            try:
                found = SimpleCookie(value.decode("latin-1")).get(self._cookie)
            except CookieError:
                continue
            if found is not None:
                return found.value
        return ""

    async def _enter(self, fits: bool, path: str, rest: str, send: Send) -> None:
        if not fits:
            await _answer(send, 403, f"{self._refusal}\n".encode(), [(b"content-type", _TEXT)])
            return
        # one slash: two would name another host
        place = "/" + path.lstrip("/") + (f"?{rest}" if rest else "")
        cookie = f"{self._cookie}={self._token}; Path=/; HttpOnly; SameSite=Strict"
        await _answer(send, 303, b"", [(b"location", _quoted(place)), (b"set-cookie", cookie.encode())])


def _quoted(place: str) -> bytes:
    from urllib.parse import quote

    return quote(place, safe="/?&=%+,.:-_~").encode()


async def _answer(send: Send, status: int, body: bytes, headers: Iterable[tuple[bytes, bytes]]) -> None:
    told = [*headers, (b"content-length", str(len(body)).encode()), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": status, "headers": told})
    await send({"type": "http.response.body", "body": body})
