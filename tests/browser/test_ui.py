"""The Dagster UI in a real browser, on the instance of a finished run of the `tiny` world."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tiny import Chain

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE = 30_000


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


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
def address(finished: Chain, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("ui") / "copy"
    finished.copied(folder)
    environment = os.environ | {"MINEMAP_HOME": str(folder / "lake"), "MINEMAP_STATE": str(folder / "state")}
    minemap = [sys.executable, "-m", "dagster_project.cli.main"]
    port = free_port()
    with (folder / "ui.log").open("wb") as log:
        command = [*minemap, "ui", "--port", str(port)]
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
        try:
            wait_for(f"http://127.0.0.1:{port}", server)
            yield f"http://127.0.0.1:{port}"
        finally:
            os.killpg(server.pid, signal.SIGINT)
            try:
                server.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(server.pid, signal.SIGKILL)
                server.wait(10)


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    if CHROMIUM is None:
        pytest.fail("no Chromium on this machine: install the package chromium to run the browser tests")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser.new_page(viewport={"width": 1600, "height": 1000})
        browser.close()


def test_every_partition_of_the_run_is_there(page: Page, address: str) -> None:
    page.goto(f"{address}/assets/polygons/mining_polygons?view=partitions")
    expect(page.get_by_text("Materialized (6)")).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_text("Failed (0)")).to_be_visible()
    for region in ("alder-basin", "birch-delta"):
        expect(page.get_by_text(region, exact=True).first).to_be_visible()


def test_a_partition_shows_its_picture_and_its_facts(page: Page, address: str, tmp_path: Path) -> None:
    page.goto(f"{address}/assets/imagery/imagery?view=partitions&partition=birch-delta%7C2019")
    expect(page.get_by_text("clear fraction mean")).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_text("planet-nicfi").first).to_be_visible()
    page.screenshot(path=tmp_path / "partition.png")
    assert (tmp_path / "partition.png").stat().st_size > 10_000


def test_the_lineage_shows_every_room(page: Page, address: str) -> None:
    page.goto(f"{address}/asset-groups/")
    for room in ("reference", "sites", "imagery", "chips", "segmentation", "polygons", "tables", "validation"):
        expect(page.get_by_text(room, exact=True).first).to_be_visible(timeout=PATIENCE)
