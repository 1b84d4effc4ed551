"""The report in a browser: printed it is whole, it asks no host for anything, and a narrow screen shows all of it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from minemap_assets.lake.inputs import Inputs
from minemap_assets.project.settings import SETTINGS_PATH
from minemap_assets.publication.report_assets import REPORT
from tiny import Chain

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PAGES = re.compile(rb"/Type\s*/Page[^s]")
"""An object of a PDF that is a page."""

A4 = re.compile(rb"/MediaBox\s*\[\s*0 0 (\d+(?:\.\d+)?) (\d+(?:\.\d+)?)\s*\]")

OVERFLOW = """() => [...document.querySelectorAll('body *')].filter(e => {
  const box = e.getBoundingClientRect(), held = e.closest('.table, .frame');
  return !(held && e !== held) && box.width > 0 && box.right > document.documentElement.clientWidth + 1;
}).map(e => e.tagName + '.' + e.className)"""
"""Elements that reach beyond the screen, but for tables and charts, which scroll within their frame."""

SMALL = (
    """() => [...document.querySelectorAll('.chart img')].filter(i => i.getBoundingClientRect().width < 500).length"""
)
"""Charts so small that their words cannot be read."""

DRAWN = "() => [...document.images].every(i => i.complete && i.naturalWidth > 50)"

HIDDEN_ROWS = """() => [...document.querySelectorAll('.table')].filter(e => e.scrollWidth > e.clientWidth + 1)
  .map(e => e.querySelector('table').id)"""
"""Tables wider than the page, which paper would cut off."""

CONTRAST = """() => [...document.querySelectorAll('p, td, th, figcaption, a, span, li, code')].map(e => {
  const rgb = getComputedStyle(e).color.match(/[\\d.]+/g).map(Number).slice(0, 3);
  const [r, g, b] = rgb.map(v => v / 255).map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  return 1.05 / (0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05);
}).reduce((a, b) => Math.min(a, b), 21)"""
"""The least contrast of words against white."""


@dataclass
class Heard:
    """What a page asked for and complained of."""

    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def listen(self, page: Page) -> None:
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))


@pytest.fixture(scope="module")
def folder(finished: Chain, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the report of the tiny world, with a page for one site."""
    chain = finished.copied(tmp_path_factory.mktemp("report") / "project")
    Inputs(chain.project.lake.store).change(SETTINGS_PATH, lambda data: (data or b"") + b"\n[report]\nsheets = 1\n")
    assert not chain.run("report").failures
    return chain.project.lake.open(REPORT.ref()).file("report.html").parent


@pytest.fixture
def heard(browser: Browser) -> Iterator[tuple[Page, Heard]]:
    page, heard = browser.new_page(viewport={"width": 1200, "height": 900}), Heard()
    heard.listen(page)
    yield page, heard
    page.close()


def files(folder: Path) -> tuple[Path, Path]:
    (site,) = (folder / "sites").glob("*.html")
    return folder / "report.html", site


def test_pages_ask_nobody_draw_all_figures_and_complain_of_nothing(folder: Path, heard: tuple[Page, Heard]) -> None:
    page, told = heard
    for path in files(folder):
        page.goto(path.as_uri())
        assert page.evaluate(DRAWN), path
        assert page.evaluate(CONTRAST) >= 4.5
    asked = {url.split(":", 1)[0] for url in told.requests}
    assert asked <= {"file", "data"}
    assert {url for url in told.requests if url.startswith("file")} == {path.as_uri() for path in files(folder)}
    assert told.complaints == []


def test_the_links_lead_to_the_page_of_a_site_and_back(folder: Path, heard: tuple[Page, Heard]) -> None:
    page, _ = heard
    report, site = files(folder)
    page.goto(report.as_uri())
    page.get_by_role("link", name="What failed and what is missing").click()
    assert page.url.endswith("#missing")
    page.get_by_role("link", name=site.stem).click()
    assert page.get_by_role("heading", level=1).inner_text() == f"Site {site.stem}"
    page.get_by_role("link", name="Mining areas").click()
    assert page.url == f"{report.as_uri()}#sites"


def test_a_narrow_screen_shows_everything(folder: Path, heard: tuple[Page, Heard]) -> None:
    page, _ = heard
    page.set_viewport_size({"width": 390, "height": 844})
    for path in files(folder):
        page.goto(path.as_uri())
        assert page.evaluate(OVERFLOW) == []
        assert page.evaluate(SMALL) == 0


def test_printed_on_a4_no_table_is_cut_off_and_a_site_has_one_page(folder: Path, heard: tuple[Page, Heard]) -> None:
    page, _ = heard
    counts = []
    for path in files(folder):
        page.set_viewport_size({"width": 680, "height": 1000})  # A4 between its margins, at 96 dots an inch
        page.goto(path.as_uri())
        page.emulate_media(media="print")
        assert page.evaluate(HIDDEN_ROWS) == []
        pdf = page.pdf(prefer_css_page_size=True, print_background=True)
        counts.append(len(PAGES.findall(pdf)))
        sizes = {(round(float(w)), round(float(h))) for w, h in A4.findall(pdf)}
        assert sizes <= {(595, 842), (842, 595)}
        assert sizes
    assert 8 <= counts[0] <= 20
    assert counts[1] == 1
