"""How requests are sent, and by whom."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from minemap_assets.net.connection import is_unfound
from minemap_assets.net.plain_transport import PlainTransport, transport_for


@contextmanager
def answering(*answers: bytes) -> Iterator[str]:
    """A server that says these bytes, one connection each, and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            for answer in answers:
                connection, _ = server.accept()
                with connection:
                    connection.recv(65_536)
                    connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/a?b=c%20d"


def get(url: str, timeout: float = 5.0) -> httpx.Response:
    with httpx.Client(transport=PlainTransport(2), timeout=timeout) as client:
        return client.get(url, headers={"Accept-Encoding": "identity"})


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "https_proxy", "ALL_PROXY"])
def test_a_proxy_of_the_environment_is_left_to_httpx(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    assert isinstance(transport_for(2), PlainTransport)
    monkeypatch.setenv(variable, "http://127.0.0.1:9")
    assert transport_for(2) is None


def test_an_answer_comes_as_it_was_sent() -> None:
    head = b'HTTP/1.1 206 Partial Content\r\nContent-Length: 5\r\nETag: "x"\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n\r\n'
    with answering(head + b"hello") as url:
        answer = get(url)
    assert (answer.status_code, answer.content, answer.headers["ETag"]) == (206, b"hello", '"x"')
    assert answer.headers.get_list("Set-Cookie") == ["a", "b"]


def test_failures_are_httpx_s_own() -> None:
    with (
        answering(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort") as url,
        pytest.raises(httpx.RemoteProtocolError),
    ):
        get(url)
    with answering(b"no HTTP at all\r\n\r\n") as url, pytest.raises(httpx.RemoteProtocolError):
        get(url)
    with answering() as url, pytest.raises(httpx.ReadTimeout):
        get(url, timeout=0.2)
    with pytest.raises(httpx.ConnectError) as caught:
        get(url)
    assert not is_unfound(caught.value)
    with pytest.raises(httpx.ConnectError) as caught:
        get("http://nobody.invalid/")
    assert is_unfound(caught.value)
