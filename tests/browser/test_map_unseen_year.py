"""The map of a project whose last year nobody has seen yet."""

import functools
import http.server
import threading
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from minemap_assets.publication.map.folder_copy import copy_folder
from minemap_assets.publication.map_assets import MAP
from tiny import YEARS, Chain

pytestmark = [pytest.mark.browser, pytest.mark.slow]


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def test_it_opens_at_the_last_year_that_was_seen_and_says_which_were_not(
    finished: Chain, browser: Browser, tmp_path: Path
) -> None:
    chain = finished.copied(tmp_path / "copy")
    later = YEARS[-1] + 1
    assert chain.run("imagery+", years=(later,)).failures, "the world has no such year"
    assert not chain.run("map").failures
    folder = tmp_path / "map"
    copy_folder(chain.project.lake.open(MAP.ref()), folder, restricted=True)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{server.server_port}/")
        page.wait_for_selector("html[data-ready=yes]", timeout=15_000)
        expect(page.locator("#year-told")).to_have_text(f"{YEARS[-1]} provisional")
        page.locator("#year").press("ArrowRight")
        expect(page.locator("#year-told")).to_have_text(f"{later} not observed")
        expect(page.locator("#announce")).to_have_text(f"{later}, not observed")
        page.close()
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
