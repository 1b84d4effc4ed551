"""The Dagster UI in a real browser, on the instance of a finished run of the `tiny` world."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from dagster_project.definitions import build_definitions
from dagster_project.first_promotion import user
from tiny import Chain

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PATIENCE = 30_000

SHOWN = """image => {
  const place = image.getBoundingClientRect();
  return image.complete && image.naturalWidth > 0 && place.width > 0
    && place.top >= 0 && place.bottom <= window.innerHeight && place.left >= 0 && place.right <= window.innerWidth;
}"""
"""Whether an image has been loaded and lies in the viewport as a whole."""


def see(page: Page, folder: Path, name: str) -> None:
    """Keep what is on the screen."""
    page.screenshot(path=folder / f"{name}.png")


def test_the_first_page_shows_what_was_made(page: Page, address: str, tmp_path: Path) -> None:
    page.goto(address)
    expect(page).to_have_url(f"{address}/assets")
    row = page.get_by_text("Mining polygons of a region and year, confirmed by neighbouring years")
    expect(row).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_text("Materialized").first).to_be_visible(timeout=PATIENCE)
    see(page, tmp_path, "first page")


def test_every_partition_of_the_run_is_there(page: Page, address: str) -> None:
    page.goto(f"{address}/assets/polygons/mining_polygons?view=partitions")
    expect(page.get_by_text("Materialized (6)")).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_text("Failed (0)")).to_be_visible()
    for region in ("alder-basin", "birch-delta"):
        expect(page.get_by_text(region, exact=True).first).to_be_visible()


@pytest.mark.parametrize("asset", ["imagery/imagery", "segmentation/raw_masks", "polygons/mining_polygons"])
def test_a_partition_shows_its_picture_at_once(page: Page, address: str, tmp_path: Path, asset: str) -> None:
    page.goto(f"{address}/assets/{asset}?view=partitions&partition=birch-delta%7C2019")
    picture = page.locator("img[src^='/pictures/']")
    expect(picture).to_have_count(1, timeout=PATIENCE)
    element = picture.element_handle()
    page.wait_for_function(SHOWN, arg=element, timeout=PATIENCE)
    see(page, tmp_path, asset.replace("/", " "))


def test_a_partition_shows_its_facts_the_important_ones_first(page: Page, address: str) -> None:
    page.goto(f"{address}/assets/imagery/imagery?view=partitions&partition=birch-delta%7C2019")
    clear, size = page.get_by_text("clear ground, mean (%)"), page.get_by_text("size (bytes)")
    expect(clear).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_text("planet-nicfi").first).to_be_visible()
    assert clear.bounding_box()["y"] < size.bounding_box()["y"]  # type: ignore[index]
    page.goto(f"{address}/assets/polygons/mining_polygons?view=partitions&partition=birch-delta%7C2019")
    verdict, area = page.get_by_text("verdict on the model"), page.get_by_text("area (km²)")
    expect(verdict).to_be_visible(timeout=PATIENCE)
    assert verdict.bounding_box()["y"] < area.bounding_box()["y"]  # type: ignore[index]


def test_the_lineage_shows_every_room(page: Page, address: str, tmp_path: Path) -> None:
    page.goto(f"{address}/asset-groups/")
    for room in ("reference", "sites", "imagery", "chips", "segmentation", "polygons", "tables", "validation"):
        expect(page.get_by_text(room, exact=True).first).to_be_visible(timeout=PATIENCE)
    see(page, tmp_path, "lineage")


def hint_of(page: Page, about: Locator) -> str:
    """What is shown over an icon; the list is drawn again while it loads, which takes the hint away."""
    hint = page.get_by_role("tooltip")
    for _ in range(20):
        page.mouse.move(0, 0)
        about.hover()
        page.wait_for_timeout(500)
        if hint.count() == 1:
            return hint.inner_text().strip()
    raise AssertionError("no hint comes")


def test_automation_says_what_it_does_before_it_is_turned_on(
    page: Page, address: str, finished: Chain, tmp_path: Path
) -> None:
    definitions = build_definitions(finished.environment, finished.project_home)
    described = [one.description or "" for one in (*(definitions.schedules or ()), *(definitions.sensors or ()))]
    page.goto(f"{address}/automation")
    expect(page.get_by_text("annual_update")).to_be_visible(timeout=PATIENCE)
    about = page.locator("[aria-label=info]")
    expect(about).to_have_count(len(described))
    said = [hint_of(page, about.nth(number)) for number in range(len(described))]
    assert sorted(said) == sorted(described)
    assert sum("off until you turn it on" in one for one in said) == len(said) - 1, "regions are listed always"
    see(page, tmp_path, "automation")


def test_runs_say_who_started_them_and_no_path(page: Page, address: str, tmp_path: Path) -> None:
    page.goto(f"{address}/runs")
    expect(page.get_by_text("minemap/step: tables 2019")).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_text(f"user: {user()}").first).to_be_visible()
    assert not re.search(r"[:\s]/\w+/", page.locator("body").inner_text())
    see(page, tmp_path, "runs")


def test_a_step_launched_here_turns_green_and_tells_what_it_did(page: Page, address: str, tmp_path: Path) -> None:
    page.goto(f"{address}/assets/tables/database")
    page.get_by_role("button", name="Materialize").first.click(timeout=PATIENCE)
    page.get_by_text("View", exact=True).click(timeout=PATIENCE)
    expect(page.get_by_text("Success", exact=True)).to_be_visible(timeout=2 * PATIENCE)
    expect(page.get_by_text("kept: nothing it depends on has changed").first).to_be_visible(timeout=PATIENCE)
    see(page, tmp_path, "a launched step")


def test_a_step_launched_too_early_fails_in_one_sentence(page: Page, address: str, tmp_path: Path) -> None:
    page.goto(f"{address}/assets/segmentation/raw_masks?view=partitions&partition=birch-delta%7C2020")
    page.get_by_role("button", name="Materialize").first.click(timeout=PATIENCE)
    page.get_by_role("button", name="Launch 1 run").click(timeout=PATIENCE)
    page.get_by_text("View", exact=True).click(timeout=PATIENCE)
    expect(page.get_by_text("Failure", exact=True)).to_be_visible(timeout=2 * PATIENCE)
    said = "needs chips[birch-delta|2020], which has not been made; make it with `minemap run --select +chips"
    expect(page.get_by_text(said).first).to_be_visible(timeout=PATIENCE)
    assert page.get_by_text("Stack Trace").count() == 0
    see(page, tmp_path, "a step launched too early")
