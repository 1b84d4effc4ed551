"""What the HTTP libraries may log."""

import logging
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from minemap_assets.net.client import Client


@pytest.mark.parametrize(
    ("transport", "loggers"),
    [(None, {"urllib3.connectionpool"}), (httpx.HTTPTransport, {"httpcore.http11", "httpcore.connection"})],
    ids=["ours", "behind a proxy"],
)
def test_logs_hold_neither_queries_nor_accounts(
    caplog: pytest.LogCaptureFixture, transport: type[httpx.HTTPTransport] | None, loggers: set[str]
) -> None:
    """Not even at the level at which httpcore logs the headers of answers, where a redirect leads among them."""
    sends = transport and transport()

    class Redirecting(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            to_file = self.path.startswith("/file")
            self.send_response(200 if to_file else 302)
            self.send_header("Location", "/file?signature=s3cret-b")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="urllib3")  # the client of Kubernetes quiets it for a whole process
    with ThreadingHTTPServer(("127.0.0.1", 0), Redirecting) as web, Client("service", transport=sends) as asking:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        asking.request("GET", f"http://me:s3cret-a@127.0.0.1:{web.server_port}/start?key=s3cret-c")
        web.shutdown()
    assert "/start?..." in caplog.text
    assert "/file?..." in caplog.text
    assert {record.name for record in caplog.records} >= {"httpx"} | loggers
    assert "s3cret" not in caplog.text
    assert "me:" not in caplog.text
