"""The map in a real browser, on the tiny world: what people see, write and share; nothing of it from elsewhere."""

import functools
import http.server
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from axe_core_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from dagster_project.pages.server import LOOPBACK, address
from map_pages import PATIENCE, Watched, served_map
from minemap_assets.polygons.correction_file import CORRECTIONS_PATH
from minemap_assets.project.regions import REGIONS_PATH
from minemap_assets.publication.map.folder_copy import copy_folder
from minemap_assets.publication.map_assets import MAP
from tiny import YEARS, Chain

pytestmark = [pytest.mark.browser, pytest.mark.slow]

TOKEN = "a-token-of-the-test"
ATTACK = "<img src=x onerror=\"document.title='attacked'\">"
WIDE, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
SITE = "mebrbrwyhkn"
IDLE = "() => window.minemap.map.loaded() && !window.minemap.map.isMoving()"


@dataclass(frozen=True)
class Map:
    """The map of a chain, served with a token."""

    chain: Chain
    port: int

    @property
    def url(self) -> str:
        return address(self.port, TOKEN)


@pytest.fixture(scope="module")
def the_map(finished: Chain, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Map]:
    chain = finished.copied(tmp_path_factory.mktemp("map") / "copy")
    store = chain.project.lake.store
    regions = json.loads(store.read_bytes(REGIONS_PATH))
    regions["features"][0]["properties"]["title"] = ATTACK
    store.write_bytes(REGIONS_PATH, json.dumps(regions).encode())
    assert not chain.run("map").failures
    with served_map(chain, TOKEN) as port:
        yield Map(chain, port)


@pytest.fixture(scope="module")
def shown(browser: Browser, the_map: Map) -> Watched:
    return Watched(browser.new_page(viewport=WIDE)).opened(the_map.url)


@pytest.fixture
def page(shown: Watched) -> Page:
    """The page, with nothing selected and no window open."""
    shown.page.keyboard.press("Escape")
    shown.page.keyboard.press("Escape")
    return shown.page


def settled(page: Page) -> None:
    page.wait_for_function(IDLE, timeout=PATIENCE)


def sought(page: Page, words: str) -> None:
    page.keyboard.press("/")
    page.keyboard.type(words)
    page.keyboard.press("Enter")


def accessible(page: Page) -> list[str]:
    found = Axe().run(page)["violations"]
    return [f"{one['id']}: {one['nodes'][0]['html']}" for one in found if one["impact"] in ("serious", "critical")]


def test_the_verdict_comes_first_and_titles_are_text(page: Page) -> None:
    expect(page.locator("#standing")).to_contain_text("Verdict on the model: cannot be judged.")
    expect(page.locator("#standing")).to_contain_text("Review:")
    expect(page.locator("#details")).to_contain_text(ATTACK)
    assert page.locator("img").count() == 0
    assert page.title() == f"Mining areas {YEARS[0]} to {YEARS[-1]}"


def test_years_are_chosen_by_hand_and_by_keys_and_play(page: Page) -> None:
    slider, told = page.get_by_role("slider", name="Year", exact=True), page.locator("#year-told")
    slider.focus()
    page.keyboard.press("Home")
    expect(told).to_contain_text("2017")
    page.keyboard.press("ArrowRight")
    expect(told).to_contain_text("2018")
    assert slider.get_attribute("aria-valuetext") == "2018, provisional"
    expect(page.locator("#details .lead")).to_contain_text("2018")
    slider.click(position={"x": 3, "y": 5})
    expect(told).to_contain_text("2017")
    play = page.get_by_role("button", name="Play")
    play.click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    expect(told).to_contain_text("2019", timeout=PATIENCE)
    expect(play).to_be_visible(timeout=PATIENCE)


def test_outlines_are_drawn_by_first_year_and_by_change(page: Page) -> None:
    drawn = "layers => window.minemap.map.queryRenderedFeatures({ layers }).length"
    settled(page)
    assert page.evaluate(drawn, ["mines"]) >= 4
    page.get_by_label("change since the year before").check()
    expect(page.locator("#legend")).to_contain_text("no longer mapped")
    settled(page)
    assert page.evaluate(drawn, ["gain", "loss"]) > 0
    assert page.evaluate(drawn, ["mines"]) == 0
    page.get_by_label("first year").check()
    expect(page.locator("#legend")).to_contain_text("2017 or before")


def test_two_years_of_imagery_stand_side_by_side(shown: Watched, page: Page) -> None:
    page.get_by_label("Imagery of the year").check()
    settled(page)
    alone = page.locator("#map").screenshot()
    with page.expect_response(lambda answer: "/2017.webp" in answer.url, timeout=PATIENCE):
        page.locator("#compare").check()
    bar = page.get_by_role("slider", name="Border between the two years")
    expect(bar).to_be_visible()
    page.wait_for_selector("#before canvas")
    bar.focus()
    page.keyboard.press("PageUp")
    assert bar.get_attribute("aria-valuenow") == "60"
    place = bar.bounding_box()
    assert place is not None
    page.mouse.move(place["x"] + 2, place["y"] + 300)
    page.mouse.down()
    page.mouse.move(place["x"] + 200, place["y"] + 300, steps=4)
    page.mouse.up()
    assert float(bar.get_attribute("aria-valuenow") or 0) > 75
    assert page.locator("#map").screenshot() != alone
    assert {url.rsplit("/", 1)[-1] for url in shown.asked if "/pictures/" in url} >= {"2017.webp", "2019.webp"}
    page.locator("#compare").uncheck()
    page.get_by_label("Imagery of the year").uncheck()
    expect(bar).to_be_hidden()


def test_a_site_tells_its_story_where_it_is_clicked(the_map: Map, page: Page) -> None:
    settled(page)
    at = page.evaluate("() => window.minemap.map.project([-0.01355, 1.48804])")
    page.locator("#map canvas").click(position={"x": at["x"], "y": at["y"]})
    panel = page.locator("#details")
    expect(panel.get_by_role("heading", level=2)).to_contain_text(SITE)
    area = the_map.chain.table("site_panel", 2019).set_index("site_id").loc[SITE, "area_km2"]
    expect(panel.locator(".lead")).to_contain_text(f"{area:.2f} km²")
    expect(panel.get_by_role("img")).to_have_count(1)
    for told in ("simulated", "planet-nicfi", "2019-06-01 to 2019-11-30", "or earlier", "Model"):
        expect(panel).to_contain_text(told)
    page.keyboard.press("Escape")
    expect(panel.get_by_role("heading", level=2)).to_contain_text("Overview")


def test_an_outline_is_rejected_with_a_reason_that_stays_text(the_map: Map, shown: Watched, page: Page) -> None:
    page.get_by_role("button", name=SITE).click()
    panel = page.locator("#details")
    outline = panel.locator(".outlines li").first.locator("button").first.inner_text()
    panel.get_by_role("button", name=f"Reject {outline}").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_role("alert")).to_contain_text("Say why")
    dialog.get_by_label("Why").fill(ATTACK)
    dialog.get_by_label("Who says so").fill("Ada <b>Lovelace</b>")
    dialog.get_by_label("only 2019").check()
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_be_hidden()
    expect(panel.locator(".outlines")).to_contain_text("Rejected by Ada <b>Lovelace</b> on 20")
    expect(panel.locator(".outlines")).to_contain_text(ATTACK)
    assert page.locator("img, b").count() == 0
    kept = json.loads(the_map.chain.project.lake.store.read_bytes(CORRECTIONS_PATH))["features"]
    assert len(kept) == 1
    said = kept[0]["properties"]
    assert (said["polygon_id"], said["reason"], said["action"], said["years"]) == (outline, ATTACK, "reject", [2019])
    assert not shown.complaints


def test_what_is_wrong_is_refused_in_a_sentence(the_map: Map, page: Page) -> None:
    post = """async value => {
      const headers = { "Content-Type": "application/json" };
      const answer = await fetch("corrections/reject", { method: "POST", headers, body: JSON.stringify(value) });
      return { status: answer.status, ...(await answer.json()) };
    }"""
    before = the_map.chain.project.lake.store.read_bytes(CORRECTIONS_PATH)
    good: dict[str, Any] = {"polygon_id": "nowhere-2019-x", "reason": "r", "author": "a", "years": []}
    wrong = [good, {**good, "reason": " "}, {**good, "years": [1492]}, {**good, "author": "a" * 500}, {"years": "all"}]
    answers = [page.request.post(f"{address(the_map.port)}corrections/reject", data=one) for one in wrong]
    assert [one.status for one in answers] == [400] * len(wrong)
    assert "no polygon that is mapped now" in answers[0].json()["error"]
    assert page.evaluate(post, {**good, "reason": "  "})["status"] == 400
    assert the_map.chain.project.lake.store.read_bytes(CORRECTIONS_PATH) == before


def test_places_are_found_with_keys(page: Page) -> None:
    page.locator("#map canvas").focus()
    page.keyboard.press("/")
    page.keyboard.type("borv")
    expect(page.get_by_role("option", name="Borvia")).to_be_visible()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    panel = page.locator("#details")
    expect(panel.get_by_role("heading", level=2)).to_be_focused()
    expect(panel.get_by_role("heading", level=2)).to_contain_text("Borvia")
    expect(panel).to_contain_text("There is no interval: nobody has labelled a sample")
    expect(panel.get_by_role("row")).to_have_count(len(YEARS) + 1)
    page.keyboard.press("/")
    page.keyboard.type("1.5, 0.03")
    page.keyboard.press("Enter")
    settled(page)
    centre = page.evaluate("() => window.minemap.map.getCenter()")
    assert (round(centre["lng"], 3), round(centre["lat"], 3)) == (0.03, 1.5)


def test_a_link_shows_the_same(browser: Browser, page: Page) -> None:
    page.get_by_role("slider", name="Year", exact=True).focus()
    page.keyboard.press("Home")
    sought(page, SITE)
    settled(page)
    page.wait_for_function(f"() => location.hash.includes('site={SITE}')")
    link = page.evaluate("() => location.href")
    assert TOKEN not in link
    other = Watched(browser.new_page(viewport=WIDE)).opened(link)
    expect(other.page.locator("#year-told")).to_contain_text("2017")
    expect(other.page.locator("#details").get_by_role("heading", level=2)).to_contain_text(SITE)
    assert other.page.evaluate("() => window.minemap.map.getZoom()") == pytest.approx(
        page.evaluate("() => window.minemap.map.getZoom()"), abs=0.02
    )
    other.page.get_by_role("button", name="Reject").first.click()
    expect(other.page.get_by_role("dialog")).to_contain_text("with its token")
    other.page.close()


def test_how_to_read_it_is_a_window_that_escape_closes(page: Page) -> None:
    page.get_by_role("button", name="How to read this").click()
    dialog = page.get_by_role("dialog")
    for told in ("Sandbars", "no statement on legality", "No longer visible is not closed", "Not observed is not zero"):
        expect(dialog).to_contain_text(told)
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(page.get_by_role("button", name="How to read this")).to_be_focused()


def test_a_telephone_is_wide_enough(browser: Browser, the_map: Map) -> None:
    phone = Watched(browser.new_page(viewport=PHONE)).opened(address(the_map.port))
    page = phone.page
    page.locator("#layers summary").click()
    page.get_by_label("Imagery of the year").check()
    page.locator("#layers summary").click()
    page.get_by_role("button", name=SITE).click()
    expect(page.locator("#details").get_by_role("heading", level=2)).to_contain_text(SITE)
    settled(page)
    assert page.evaluate("() => document.documentElement.scrollWidth") <= PHONE["width"]
    for part in ("#standing", "#play", "#map", "#details"):
        box = page.locator(part).bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= PHONE["width"]
    assert accessible(page) == []
    assert (phone.complaints, phone.hosts()) == ([], {f"{LOOPBACK}:{the_map.port}"})
    page.close()


def test_everybody_can_use_it_and_nothing_comes_from_elsewhere(the_map: Map, shown: Watched, page: Page) -> None:
    assert accessible(page) == []
    sought(page, SITE)
    expect(page.locator("#details")).to_contain_text("What 20")
    assert accessible(page) == []
    assert shown.hosts() == {f"{LOOPBACK}:{the_map.port}"}
    refused = [one for one in shown.complaints if "status of 400" not in one]
    assert refused == []


@pytest.fixture
def plain_server(the_map: Map, tmp_path: Path) -> Iterator[str]:
    """A copy of the folder on a server that knows no ranges."""
    copy_folder(the_map.chain.project.lake.open(MAP.ref()), tmp_path / "copy", restricted=False)

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    handler: Callable[..., Any] = functools.partial(Quiet, directory=str(tmp_path / "copy"))
    server = http.server.ThreadingHTTPServer((LOOPBACK, 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://{LOOPBACK}:{server.server_port}/"
    server.shutdown()
    server.server_close()


def test_a_copy_on_any_server_tells_the_command(browser: Browser, plain_server: str) -> None:
    copy = Watched(browser.new_page(viewport=WIDE)).opened(f"{plain_server}#site={SITE}")
    assert copy.page.evaluate("() => window.minemap.map.queryRenderedFeatures({ layers: ['mines'] }).length") > 0
    copy.page.get_by_role("button", name="Reject").first.click()
    expect(copy.page.get_by_role("dialog")).to_contain_text("minemap corrections reject")
    assert (copy.complaints, copy.hosts()) == ([], {urlsplit(plain_server).netloc})
    copy.page.close()


def test_opened_from_disk_it_says_what_to_do(browser: Browser, the_map: Map) -> None:
    page = browser.new_page()
    page.goto(the_map.chain.project.lake.open(MAP.ref()).file("index.html").as_uri())
    expect(page.get_by_text("This page has to be served")).to_be_visible(timeout=PATIENCE)
    page.close()
