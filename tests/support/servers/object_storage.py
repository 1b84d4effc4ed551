"""An object store for tests: a stand-in of S3 that answers one request at a time, and badly when told to.

A process of its own, which `storage` starts. One request at a time, so that what it compares for a
conditional write is still so when it writes. How badly it answers is said with POST /-/set: {"fault", "times",
"methods", "only"}; `times` requests by these methods to paths that contain `only` meet the fault:

- "500", "503", "501": this status, and nothing is done.
- "lost": it is done, and answered with 503.
- "stall": ten seconds of silence, and nothing is done.
- "cut": the answer breaks off in the middle of its body.
- "conditions are ignored": what it should compare before a write is taken no notice of.
"""

import json
import os
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from servers.processes import free_port, running

STALL = 10.0
START = "import sys; sys.path.insert(0, '{folder}'); from servers.object_storage import serve; serve({port})"
REFUSALS = {"500": "500 Internal Server Error", "501": "501 Not Implemented", "503": "503 Service Unavailable"}

Environ = dict[str, Any]
Start = Callable[..., Any]


@dataclass(frozen=True)
class Storage:
    """A running one, with an empty bucket."""

    address: str
    url: str
    environment: dict[str, str]

    def set(
        self, fault: str, times: int = 1_000_000, methods: str = "PUT GET HEAD POST DELETE", only: str = ""
    ) -> None:
        """Tell it how to behave."""
        data = json.dumps({"fault": fault, "times": times, "methods": methods.split(), "only": only}).encode()
        urllib.request.urlopen(urllib.request.Request(f"{self.address}/-/set", data=data, method="POST")).close()


@contextmanager
def storage() -> Iterator[Storage]:
    """An object store on this machine, to which the environment leads as long as it runs."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    environment = {"AWS_ENDPOINT_URL": address, "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
    # as a script, it finds its own package beside its folder
    server = [sys.executable, "-c", START.format(folder=Path(__file__).parents[1], port=port)]
    with mock.patch.dict(os.environ, environment), running(server, port):
        urllib.request.urlopen(urllib.request.Request(f"{address}/bucket", method="PUT")).close()
        yield Storage(address, "s3://bucket", environment)


class Serial:
    """The application behind a lock, with faults before and after it."""

    def __init__(self, application: Callable[[Environ, Start], Iterable[bytes]]) -> None:
        self._application = application
        self._lock = threading.Lock()
        self._orders: dict[str, Any] = {"fault": "", "times": 0, "methods": [], "only": ""}

    def __call__(self, environ: Environ, start: Start) -> list[bytes]:
        """One request."""
        if environ["PATH_INFO"] == "/-/set":
            self._orders = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
            return _answer(start, "200 OK", b"")
        with self._lock:
            fault = self._fault(environ)
            if fault != "stall" and fault not in REFUSALS:
                return self._pass_on(environ, start, fault)
        if fault == "stall":
            time.sleep(STALL)
        return _answer(start, REFUSALS.get(fault, REFUSALS["503"]), b"<Error/>")

    def _fault(self, environ: Environ) -> str:
        orders = self._orders
        meant = environ["REQUEST_METHOD"] in orders["methods"] and orders["only"] in environ["PATH_INFO"]
        if not meant or orders["times"] <= 0:
            return ""
        orders["times"] -= 1
        return str(orders["fault"])

    def _pass_on(self, environ: Environ, start: Start, fault: str) -> list[bytes]:
        if fault == "conditions are ignored":
            for name in ("HTTP_IF_MATCH", "HTTP_IF_NONE_MATCH"):
                environ.pop(name, None)
        if not fault:
            return [b"".join(self._application(environ, start))]
        said: list[Any] = []
        body = b"".join(self._application(environ, lambda *words: said.extend(words)))
        if fault == "lost":
            return _answer(start, REFUSALS["503"], b"<Error/>")
        start(*said)
        return [body[: len(body) // 2] if fault == "cut" else body]


def _answer(start: Start, status: str, body: bytes) -> list[bytes]:
    start(status, [("Content-Length", str(len(body)))])
    return [body]


def serve(port: int) -> None:
    """Serve until killed."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import run_simple

    run_simple("127.0.0.1", port, Serial(DomainDispatcherApplication(create_backend_app)), threaded=True)
