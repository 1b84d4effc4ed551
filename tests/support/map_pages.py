"""The map of a project as people open it: served as `minemap map` does, on a page that tells whom it asked."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import uvicorn
from playwright.sync_api import Page

from dagster_project.commands.context import Session
from dagster_project.commands.mapping import map_page
from dagster_project.pages.server import LOOPBACK, page_application
from dagster_project.registry import Registry
from minemap_assets.publication.map_assets import MAP
from servers.processes import free_port
from tiny import Chain

PATIENCE = 15_000


@dataclass
class Watched:
    """A page, and what it asked for and complained of."""

    page: Page
    asked: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def opened(self, url: str) -> "Watched":
        """At an address, once the page is ready."""
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", lambda told: self.complaints.append(told.text) if told.type == "error" else None)
        self.page.goto(url)
        self.page.wait_for_selector("html[data-ready=yes]", timeout=PATIENCE)
        return self

    def hosts(self) -> set[str]:
        """Whom it asked."""
        parts = [urlsplit(url) for url in self.asked]
        return {part.netloc for part in parts if part.scheme not in ("blob", "data")}


@contextmanager
def served_map(chain: Chain, token: str) -> Iterator[int]:
    """The port on which the made map of a project is served."""
    session = Session(chain.environment, Registry(), chain.project_home)
    page = map_page(session, chain.project.lake.open(MAP.ref()))
    port = free_port()
    app = page_application(page, port, token, "minemap map")
    server = uvicorn.Server(uvicorn.Config(app, host=LOOPBACK, port=port, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    yield port
    server.should_exit = True
    thread.join(20)
