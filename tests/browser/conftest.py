"""A UI that serves a finished run, and a browser to look at it with."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import httpx
import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

from servers.processes import free_port
from tiny import Chain

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # a name that somebody else owns, and points to this machine
    "--host-resolver-rules=MAP evil.example 127.0.0.1",
]


REFUSING = ("/api/place?", "/api/outlines")
"""Where pages ask what may be refused, which the browser calls an error."""


@dataclass(frozen=True)
class Served:
    """A running `minemap ui`, and the project that it shows."""

    port: int
    chain: Chain

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(120):
        if process.poll() is not None:
            raise AssertionError(f"the server ended with {process.returncode}")
        try:
            httpx.get(f"{url}/server_info", timeout=2.0).raise_for_status()
            return
        except httpx.HTTPError:
            time.sleep(0.5)
    raise AssertionError("the server did not answer within a minute")


@pytest.fixture(scope="module")
def served(finished: Chain, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("ui") / "copy"
    chain = finished.copied(folder)
    environment = os.environ | {"MINEMAP_HOME": str(folder / "lake"), "MINEMAP_STATE": str(folder / "state")}
    minemap = [sys.executable, "-m", "dagster_project.cli.main"]
    ui = Served(free_port(), chain)
    with (folder / "ui.log").open("wb") as log:
        command = [*minemap, "ui", "--port", str(ui.port)]
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
        try:
            wait_for(ui.address, server)
            yield ui
        finally:
            os.killpg(server.pid, signal.SIGINT)
            try:
                server.wait(60)
            except subprocess.TimeoutExpired:
                os.killpg(server.pid, signal.SIGKILL)
                server.wait(10)


@pytest.fixture(scope="module")
def address(served: Served) -> str:
    return served.address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.fail("no Chromium on this machine: install the package chromium to run the browser tests")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def page(browser: Browser) -> Page:
    return browser.new_page(viewport={"width": 1600, "height": 1000})


@pytest.fixture
def opened(browser: Browser) -> Iterator[Callable[[str], Page]]:
    """Opens an address in a page of one browser; nothing may be asked of another host, or said on its console but that
    a server is gone, or refuses what was given.
    """
    said: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        expected = "ERR_CONNECTION_REFUSED" in message.text or any(part in message.location["url"] for part in REFUSING)
        if message.type == "error" and not expected:
            said.append(message.text)

    def ask(request: Request) -> None:
        if not request.url.startswith(("http://127.0.0.1:", "data:", "blob:")):
            said.append(request.url)

    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.on("console", hear)
    context.on("request", ask)
    context.on("weberror", lambda error: said.append(str(error.error)))

    def open_page(url: str) -> Page:
        page = context.new_page()
        page.goto(url)
        return page

    yield open_page
    context.close()
    assert not said
