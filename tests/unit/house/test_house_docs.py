"""The documentation builds without any network, asks for nothing from elsewhere, and can be searched."""

import html.parser
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from house import ROOT, Project, normalised

LOADED = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src"}
"""What a browser fetches by itself: the tag and the attribute with the address."""

LINKS_ONLY = {"canonical", "next", "prev"}
"""`<link>` of these kinds is not fetched."""


class Addresses(html.parser.HTMLParser):
    """What a page makes a browser fetch, and its links."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        address = said.get(LOADED.get(tag, ""))
        if address and said.get("rel") not in LINKS_ONLY:
            self.loaded.append(address)


def external(text: str) -> list[str]:
    """Addresses on other machines that a page makes a browser fetch."""
    return [a for a in Addresses(text).loaded if a.startswith(("http:", "https:", "//"))]


def test_what_is_fetched_from_elsewhere_is_found() -> None:
    page = (
        '<script src="https://a.example/x.js"></script><img src="//b.example/y.png"><a href="https://c.example">c</a>'
    )
    assert external(page) == ["https://a.example/x.js", "//b.example/y.png"]
    assert external('<link rel="next" href="https://d.example/"><img src="pictures/years.png">') == []


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built strictly: a broken link or anchor fails."""
    if importlib.util.find_spec("material") is None:
        pytest.fail("the packages of the extra `docs` are not installed; `make setup` installs them")
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)],
        cwd=ROOT,
        env=os.environ
        | {"NO_MKDOCS_2_WARNING": "1", "http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_no_page_fetches_anything_from_elsewhere(site: Path) -> None:
    pages = sorted(site.rglob("*.html"))
    assert len(pages) >= 20
    assert {p.relative_to(site).as_posix(): found for p in pages if (found := external(p.read_text("utf-8")))} == {}
    styles = [path for path in site.rglob("*.css") if "url(http" in path.read_text("utf-8")]
    assert not styles


def test_every_page_can_be_searched(site: Path) -> None:
    index = json.loads((site / "search" / "search_index.json").read_text("utf-8"))
    found = {entry["location"].split("#")[0] for entry in index["docs"]}
    pages = {p.relative_to(site).as_posix() for p in site.rglob("*.html")} - {"404.html"}
    assert pages <= found | {"index.html"}
    assert any("promotion" in entry["text"].lower() for entry in index["docs"])


def test_every_page_is_in_the_menu(site: Path) -> None:
    written = {p.relative_to(ROOT / "docs").with_suffix(".html").as_posix() for p in (ROOT / "docs").rglob("*.md")}
    menu = (site / "index.html").read_text("utf-8")
    assert not [page for page in sorted(written) if f'href="{page}"' not in menu and page != "index.html"]


def test_the_packages_of_the_documentation_are_locked(project: Project) -> None:
    named = project.pyproject["project"]["optional-dependencies"]["docs"]
    assert {normalised(line.split(">")[0]) for line in named} <= set(project.locked)


def test_ci_builds_the_documentation(project: Project) -> None:
    assert "step docs make site" in project.text(".ci/run")
    assert "mkdocs build" in project.text("Makefile").split("\nsite: ")[1]
