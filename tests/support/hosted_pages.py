"""Pages of this project served in this process, which tests may stop and start again, and what axe says of a page."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from axe_core_python.sync_playwright import Axe
from playwright.sync_api import Page

from dagster_project.pages.server import Page as Served
from dagster_project.pages.server import address, page_application
from servers.processes import free_port

TOKEN = "a-token-of-the-tests"
WRONG = ("serious", "critical")


class Running:
    """A page on a port of its own, which can be stopped and started again."""

    def __init__(self, page: Served) -> None:
        self.port = free_port()
        self._page = page
        self._server: uvicorn.Server | None = None

    @property
    def address(self) -> str:
        return address(self.port, TOKEN)

    def start(self) -> None:
        app = page_application(self._page, self.port, TOKEN, "minemap label")
        self._server = uvicorn.Server(
            uvicorn.Config(app, port=self.port, log_level="warning", timeout_graceful_shutdown=1)
        )
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)

    def stop(self) -> None:
        assert self._server is not None
        self._server.should_exit = True
        self._thread.join()


@contextmanager
def hosted(page: Served) -> Iterator[Running]:
    server = Running(page)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def violations(page: Page) -> list[str]:
    """What axe finds wrong with a page, as far as it keeps somebody from using it."""
    found = Axe().run(page)["violations"]
    return [f"{one['id']}: {one['nodes'][0]['html']}" for one in found if one["impact"] in WRONG]
