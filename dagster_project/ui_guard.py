"""The guard in front of the Dagster UI: only its own pages, and programs that no web page can pose as, may use it.

Dagster's web server has no accounts, executes GraphQL mutations sent by GET, and asks neither which page a request
comes from nor which name it was sent to. So any page that somebody visits could start runs or wipe their records. Every
request passes these rules first, in this order:

- *Host* is one name of this UI: a loopback name or address with the served port, or one that a person allows. A foreign
  name that is made to point here (DNS rebinding) is none.
- *Origin*, where there is one, is the page that Host names. A websocket needs one: every browser sends it, and nothing
  but the pages of this UI opens one.
- *Sec-Fetch-Site*, which no page can change, is `same-origin` or `none`. Another site, also one on another port of this
  machine, may link here (a top-level navigation by GET) and no more.
- What may change something has the content type `application/json`, which no page of another origin can send without
  asking first, and nobody answers that question. GET executes no GraphQL.

Answers lose the headers that would let other origins read them, and may not be framed. ASGI alone: no framework is
imported, so that what is decided here does not depend on one.
"""

import re
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Address, ip_address
from typing import Any

from minemap_assets.errors import BadInputError

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

READING = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing."""

DEFAULT_PORTS = {"http": 80, "https": 443}

NOTEBOOKS = ("/notebook", "/dagit/notebook")
"""Where Dagster shows any notebook of this machine as a page of the UI, with its scripts; no asset here has one."""

HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"content-security-policy", b"frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
)
"""On every answer. Dagster's own content security policy stays beside ours: a browser keeps to both."""

FOREIGN_READERS = b"access-control-"
"""How headers begin that let other origins read an answer."""

_NAME = re.compile(r"[a-z0-9_](?:[a-z0-9_-]*)(?:\.[a-z0-9_-]+)*")
_PORT = re.compile(r"[0-9]{1,5}")
_LOOPBACK = IPv4Network("127.0.0.0/8")
_LONGEST = 100


@dataclass(frozen=True)
class Authority:
    """A host, in lower case and without a trailing dot, and a port where one was written; `[...]` around IPv6."""

    name: str
    port: int | None = None

    def __str__(self) -> str:
        return self.name if self.port is None else f"{self.name}:{self.port}"

    @property
    def loopback(self) -> bool:
        """True for `localhost`, 127.0.0.0/8 and `[::1]`, which lead to this machine wherever names are looked up."""
        try:
            address = ip_address(self.name.strip("[]"))
        except ValueError:
            return self.name == "localhost"
        return address == IPv6Address("::1") if isinstance(address, IPv6Address) else address in _LOOPBACK


def parse_authority(text: str) -> Authority | None:
    """`name`, `name:port`, `[address]` or `[address]:port`; None for anything else."""
    if not text.isascii():
        return None
    name, port = text.lower(), ""
    colon = name.rfind(":")
    if colon > name.rfind("]"):
        name, port = name[:colon], name[colon + 1 :]
        if not _PORT.fullmatch(port) or not 0 < int(port) < 65536:
            return None
    if name.startswith("["):
        try:
            address = IPv6Address(name.removeprefix("[").removesuffix("]"))
        except ValueError:
            return None
        if not name.endswith("]") or address.scope_id is not None:
            return None
        name = f"[{address.compressed}]"
    else:
        name = name.removesuffix(".")
        if not _NAME.fullmatch(name) or len(name) > 253:
            return None
    return Authority(name, int(port) if port else None)


def parse_host_option(text: str) -> Authority:
    """A name that the UI is reached by. Raises `BadInputError` for one that no browser would send."""
    found = parse_authority(text.strip())
    if found is None:
        raise BadInputError(
            f"{text!r} is not a host name; write it as the browser's address bar shows it, without https:// and path, "
            "such as maps.example.org or maps.example.org:8443"
        )
    return found


@dataclass(frozen=True)
class OwnNames:
    """What this UI is called: loopback with the served port, and `allowed`.

    An allowed name without a port stands for itself with the served port, and with the ports of http and https.
    """

    port: int
    allowed: frozenset[Authority] = frozenset()

    def hold(self, host: Authority) -> bool:
        """Whether a Host header names this UI."""
        port = host.port or DEFAULT_PORTS["http"]
        if host.loopback and port == self.port:
            return True
        return any(host.name == own.name and self._port_fits(host.port, own.port) for own in self.allowed)

    def _port_fits(self, asked: int | None, own: int | None) -> bool:
        usual = DEFAULT_PORTS.values()
        if own is None:
            return asked is None or asked == self.port or asked in usual
        return asked == own or (asked is None and own in usual)


def own_names(host: str, port: int, allowed: Iterable[Authority]) -> OwnNames:
    """Names of a UI served on `host`, which is a name of it where it is not a wildcard such as 0.0.0.0."""
    served = parse_authority(f"[{host}]" if ":" in host else host)
    wildcard = served is None or served.name in ("0.0.0.0", "[::]")
    names = set(allowed)
    if served is not None and not wildcard and not served.loopback:
        names.add(Authority(served.name, port))
    return OwnNames(port, frozenset(names))


@dataclass(frozen=True)
class Refusal:
    """An answer instead of what was asked for: HTTP status, and one sentence that says what is wrong and what to do."""

    status: int
    sentence: str
    allow: str = ""


class UiGuard:
    """An ASGI application around another, which sees only what keeps to the rules."""

    def __init__(self, app: Application, names: OwnNames) -> None:
        self._app = app
        self._names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection, as ASGI says."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        refusal = judge(scope, self._names)
        if refusal is not None:
            await _refuse(refusal, scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                message = {**message, "headers": _safe(message.get("headers", ()))}
            await send(message)

        await self._app(scope, receive, guarded)


def judge(scope: Scope, names: OwnNames) -> Refusal | None:
    """Why an `http` or `websocket` connection is refused; None where it keeps to the rules."""
    hosts = _values(scope, b"host")
    if len(hosts) != 1:
        count = len(hosts) or "no"
        return Refusal(400, f"A request has to say once which host it is for, and this one has {count} Host headers.")
    host = parse_authority(hosts[0])
    if host is None or not names.hold(host):
        return Refusal(
            421,
            f"This UI is not called {_quoted(hosts[0])}; open it at http://localhost:{names.port}, or, where that is a "
            "name of yours for it, allow it with --allow-host or MINEMAP_ALLOW_HOSTS and start the UI again.",
        )
    return _judge_page(scope, host) or (_judge_method(scope) if scope["type"] == "http" else None)


def _judge_page(scope: Scope, host: Authority) -> Refusal | None:
    """Refuse what a page of another origin sends."""
    origins = _values(scope, b"origin")
    if len(origins) > 1:
        return Refusal(
            400, f"A request comes from one page at most, and this one has {len(origins)} Origin headers; send one."
        )
    if origins and not _same(origins[0], host):
        return Refusal(
            403,
            f"A page of {_quoted(origins[0])} may not use this UI, which is {host}; open the UI itself, and where a "
            "proxy stands before it, let it pass the headers Host and Origin unchanged.",
        )
    if scope["type"] == "websocket":
        if not origins:
            return Refusal(403, f"A websocket needs the header Origin; a program sends http://{host} there.")
        if scope["path"] != "/graphql":
            return Refusal(403, "There is a websocket at /graphql and nowhere else; connect to that.")
    if set(_values(scope, b"sec-fetch-site")) <= {"same-origin", "none"} or _follows_link(scope):
        return None
    return Refusal(403, "Another site may link to this UI, but neither load nor send anything; open the UI itself.")


def _follows_link(scope: Scope) -> bool:
    """True for a page that replaces the one with the link, which then sees nothing of it."""
    return (
        scope["type"] == "http"
        and scope["method"] in ("GET", "HEAD")
        and _values(scope, b"sec-fetch-mode") == ["navigate"]
        and _values(scope, b"sec-fetch-dest") == ["document"]
    )


def _judge_method(scope: Scope) -> Refusal | None:
    """Refuse what could change something though a foreign page can send it."""
    path: str = scope["path"]
    # By their beginnings: a route's end is not as sharp as it looks, "/graphql\n" is also found.
    if path.startswith(NOTEBOOKS):
        return Refusal(403, "No notebook is shown here, because its scripts could use the UI; open the file itself.")
    if scope["method"] in READING:
        if path.startswith("/graphql") and scope.get("query_string"):
            return Refusal(
                405, "GraphQL is not executed by GET; send it by POST with the content type application/json.", "POST"
            )
        return None
    types = _values(scope, b"content-type")
    if len(types) != 1 or types[0].split(";")[0].strip().lower() != "application/json":
        said = _quoted(", ".join(types)) if types else "no content type"
        return Refusal(415, f"What may change something is sent as JSON, and this has {said}; use application/json.")
    return None


def _same(origin: str, host: Authority) -> bool:
    """Whether an Origin header is the page that a Host header names; behind a proxy its scheme is not known here."""
    scheme, found, rest = origin.lower().partition("://")
    if not found or scheme not in DEFAULT_PORTS:
        return False
    page = parse_authority(rest)
    if page is None or page.name != host.name:
        return False
    usual = DEFAULT_PORTS[scheme]
    return (page.port or usual) == (host.port or usual)


def _values(scope: Scope, name: bytes) -> list[str]:
    """Every value of a header, in order."""
    return [value.decode("latin-1").strip(" \t") for key, value in scope["headers"] if key.lower() == name]


def _quoted(text: str) -> str:
    """What somebody sent, so that it can be shown in one line."""
    shown = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
    return ascii(shown)


def _safe(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Headers of an answer, without those that open it to others, and with ours."""
    ours = {name for name, _ in HEADERS if name != b"content-security-policy"}
    kept = [(n, v) for n, v in headers if n.lower() not in ours and not n.lower().startswith(FOREIGN_READERS)]
    return [*kept, *HEADERS]


async def _refuse(refusal: Refusal, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the sentence; a server that cannot do so before a websocket is open closes it instead."""
    body = f"{refusal.sentence}\n".encode()
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        *([(b"allow", refusal.allow.encode())] if refusal.allow else []),
        *HEADERS,
    ]
    kind = "http.response"
    if scope["type"] == "websocket":
        await receive()
        kind = "websocket.http.response"
        if kind not in scope.get("extensions", {}):
            await send({"type": "websocket.close", "code": 1008, "reason": refusal.sentence[:120]})
            return
    await send({"type": f"{kind}.start", "status": refusal.status, "headers": headers})
    await send({"type": f"{kind}.body", "body": body if scope.get("method") != "HEAD" else b""})
