"""Connections as an ASGI server describes them, made by hand."""

from collections.abc import Sequence
from typing import Any

Headers = Sequence[tuple[str, str]]

HOME = ("host", "localhost:3000")
JSON = ("content-type", "application/json")


def scope(
    method: str = "GET", path: str = "/", headers: Headers = (HOME,), query: bytes = b"", kind: str = "http"
) -> dict[str, Any]:
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    return {"type": kind, "method": method, "path": path, "query_string": query, "headers": raw}


def websocket(headers: Headers, path: str = "/graphql", extensions: dict[str, Any] | None = None) -> dict[str, Any]:
    asked = scope(path=path, headers=headers, kind="websocket") | {"extensions": extensions or {}}
    del asked["method"]
    return asked


def fetch(site: str, mode: str = "", dest: str = "") -> list[tuple[str, str]]:
    said = {"sec-fetch-site": site, "sec-fetch-mode": mode, "sec-fetch-dest": dest}
    return [HOME, *((name, value) for name, value in said.items() if value)]
