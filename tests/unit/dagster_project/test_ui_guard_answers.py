"""What the guard of the UI answers in place of Dagster, and what it makes of Dagster's answers."""

import asyncio
from typing import Any

import pytest

from asgi_scopes import HOME, Headers, fetch, scope, websocket
from dagster_project.ui_guard import Message, OwnNames, Receive, Refusal, Scope, Send, UiGuard, judge

OWN = OwnNames(3000)


def dagster(sent: Headers) -> Any:
    """An application that answers anything with these headers."""

    async def app(asked: Scope, _: Receive, send: Send) -> None:
        headers = [(name.encode(), value.encode()) for name, value in sent]
        if asked["type"] == "websocket":
            await send({"type": "websocket.accept", "headers": headers})
            return
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"secret"})

    return app


def talk(asked: dict[str, Any], sent: Headers = ()) -> list[Message]:
    """What a client of the guard is told."""
    told: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.connect" if asked["type"] == "websocket" else "http.request"}

    async def send(message: Message) -> None:
        told.append(message)

    asyncio.run(UiGuard(dagster(sent), OWN)(asked, receive, send))
    return told


def test_answers_are_for_the_ui_alone() -> None:
    start, body = talk(
        scope(),
        [
            ("Access-Control-Allow-Origin", "*"),
            ("access-control-allow-credentials", "true"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "ALLOWALL"),
            ("content-security-policy", "script-src 'self'"),
            ("content-type", "text/html"),
        ],
    )
    assert sorted(start["headers"]) == [
        (b"content-security-policy", b"frame-ancestors 'none'"),
        (b"content-security-policy", b"script-src 'self'"),
        (b"content-type", b"text/html"),
        (b"cross-origin-opener-policy", b"same-origin"),
        (b"cross-origin-resource-policy", b"same-origin"),
        (b"x-content-type-options", b"nosniff"),
        (b"x-frame-options", b"DENY"),
    ]
    assert body["body"] == b"secret"


def test_a_refusal_is_one_sentence() -> None:
    asked = scope(headers=[("host", "<script>\x1b[31m\xff" + "x" * 500)])
    start, body = talk(asked)
    headers, text = dict(start["headers"]), body["body"].decode()
    assert start["status"] == 421
    assert headers[b"content-type"] == b"text/plain; charset=utf-8"
    assert headers[b"x-content-type-options"] == b"nosniff"
    assert int(headers[b"content-length"]) == len(body["body"])
    assert text.isascii()
    assert text.rstrip("\n").isprintable()
    assert len(text) < 400
    assert "--allow-host or MINEMAP_ALLOW_HOSTS" in text


@pytest.mark.parametrize(
    "asked",
    [
        scope(headers=[]),
        scope(headers=[("host", "evil.example")]),
        scope(headers=[HOME, ("origin", "null")]),
        scope(headers=fetch("cross-site")),
        scope("POST"),
        scope("GET", "/graphql", query=b"query=a"),
        scope("GET", "/notebook"),
        websocket([HOME]),
    ],
)
def test_every_refusal_says_what_to_do(asked: dict[str, Any]) -> None:
    refusal = judge(asked, OWN)
    assert isinstance(refusal, Refusal)
    assert refusal.sentence.endswith(".")
    assert refusal.sentence.isprintable()
    start, *_ = talk(asked)
    assert start["type"] == ("websocket.close" if asked["type"] == "websocket" else "http.response.start")


def test_the_refusal_of_a_head_has_no_body() -> None:
    start, body = talk(scope("HEAD", headers=[]))
    assert (start["status"], body["body"]) == (400, b"")


def test_a_refused_method_says_which_is_right() -> None:
    start, _ = talk(scope("GET", "/graphql", query=b"query=a"))
    assert (b"allow", b"POST") in start["headers"]


def test_a_refused_websocket_is_answered_where_the_server_can() -> None:
    start, body = talk(websocket([HOME], extensions={"websocket.http.response": {}}))
    assert (start["type"], start["status"]) == ("websocket.http.response.start", 403)
    assert b"needs the header Origin" in body["body"]
    (closed,) = talk(websocket([HOME]))
    assert (closed["type"], closed["code"]) == ("websocket.close", 1008)
    (accepted,) = talk(websocket([HOME, ("origin", "http://localhost:3000")]))
    assert accepted["type"] == "websocket.accept"


def test_start_and_end_of_the_server_pass() -> None:
    begun = []

    async def app(asked: Scope, _: Receive, __: Send) -> None:
        begun.append(asked["type"])

    async def nothing(*_: Any) -> Message:
        return {}

    asyncio.run(UiGuard(app, OWN)({"type": "lifespan"}, nothing, nothing))  # type: ignore[arg-type]
    assert begun == ["lifespan"]
