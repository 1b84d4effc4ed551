"""The Dagster UI in a real browser, on the instance of a finished run of the `tiny` world."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PATIENCE = 30_000


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
