"""Serving pages on this machine: a folder of files and routes, behind the guard and the token for writing."""

import threading
import webbrowser
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles

from dagster_project.pages.write_token import PARAMETER, WriteToken, new_token
from dagster_project.ui_guard import Application, Message, Receive, Scope, Send, UiGuard, own_names

LOOPBACK = "127.0.0.1"

GRACE_SECONDS = 5
"""Time that open requests have to end once the server is told to."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' blob: data:; "
    "connect-src 'self'{outside}; worker-src 'self' blob:; child-src blob:; font-src 'self'; manifest-src 'self'; "
    "base-uri 'none'; form-action 'none'"
)
"""Content security policy: nothing from elsewhere, and no script in the page itself. Map renderers make their worker
from a blob, and set styles of single elements.
"""


@dataclass(frozen=True)
class Page:
    """What is served: a folder of files, routes before them, and the hosts that a basemap may come from."""

    folder: Path
    routes: Sequence[BaseRoute] = ()
    outside: tuple[str, ...] = ()


def page_application(page: Page, port: int, token: str, command: str) -> Application:
    """An ASGI application for one page; `command` is what a person starts it with."""
    files = Mount("/", StaticFiles(directory=page.folder, html=True))
    inner: Application = _Policed(Starlette(routes=[*page.routes, files]), page.outside)
    return UiGuard(WriteToken(inner, token, port, command), own_names(LOOPBACK, port, ()))


def address(port: int, token: str = "") -> str:
    """Where a page is served; with the token, whoever opens it may write."""
    return f"http://{LOOPBACK}:{port}/" + (f"?{PARAMETER}={token}" if token else "")


def serve_page(page: Page, port: int, command: str, *, browser: bool, token: str | None = None) -> None:
    """Serve until a signal comes. The port was checked (`check_address`); a `browser` is opened where wanted."""
    secret = token or new_token()
    server = uvicorn.Server(
        uvicorn.Config(
            page_application(page, port, secret, command),
            host=LOOPBACK,
            port=port,
            log_level="warning",
            # the token stands in the first address
            access_log=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
    )
    if browser:
        threading.Timer(1.0, webbrowser.open, [address(port, secret)]).start()
    with suppress(KeyboardInterrupt):
        server.run()


class _Policed:
    """Adds the content security policy to every answer."""

    def __init__(self, app: Application, outside: Sequence[str]) -> None:
        self._app = app
        self._policy = POLICY.format(outside="".join(f" {host}" for host in outside)).encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def policed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [*message.get("headers", ()), (b"content-security-policy", self._policy)]
                message = {**message, "headers": headers}
            await send(message)

        await self._app(scope, receive, policed)
