"""The map of a project with a labelled sample, and with pictures that may not be passed on."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
import shapely
from playwright.sync_api import Browser, expect

from dagster_project.pages.server import address
from map_pages import PATIENCE, Watched, served_map
from minemap_assets.geo.vector import WGS84
from minemap_assets.lake.manifests import PartitionRef
from minemap_assets.publication.labelling.sitting import sit
from minemap_assets.publication.labelling.tasks import sample_task
from minemap_assets.publication.map.folder_copy import LEFT_OUT
from minemap_assets.publication.map.site_columns import years_of
from minemap_assets.validation.drawing_samples import Wanted, draw_design
from minemap_assets.validation.sample_files import register_sample
from rewritten import rewrite
from terminal import Terminal, fresh_terminal
from tiny import WORLD, YEARS, Chain

pytestmark = [pytest.mark.browser, pytest.mark.slow]

FIRST, LAST = YEARS[0], YEARS[-1]
REGION, RESTRICTED = "alder-basin", 2018


@pytest.fixture(scope="module")
def chain(finished: Chain, tmp_path_factory: pytest.TempPathFactory) -> Chain:
    """Somebody who knows the truth labelled 70 points, and a region's pictures of one year are only for us."""
    chain = finished.copied(tmp_path_factory.mktemp("evidence") / "copy")
    project = chain.project
    design = draw_design(project, tuple(project.active_regions()), Wanted(FIRST, LAST, 70, 3, 2, "neyman", 20.0))
    register_sample(project.lake.store, design)
    task = sample_task(chain.project, design.name)
    anna = sit(chain.project, task, "anna")
    for year in (FIRST, LAST):
        mines = shapely.union_all(WORLD.truth(year).to_crs(WGS84).geometry.to_numpy())
        for point, known in zip(task.points, design.points, strict=True):
            mine = shapely.intersects_xy(mines, known.longitude, known.latitude)
            anna.give({"point_id": point.point_id, "year": year, "answer": "mine" if mine else "not mine"})
    assert not chain.run("validation/area_estimates").failures
    terms = {"redistributable": False, "terms": "only for us"}
    imagery = PartitionRef("imagery", "imagery", (REGION, str(RESTRICTED)))
    rewrite(chain, imagery, lambda index: index.assign(**terms))
    assert not chain.run("map").failures
    return chain


@pytest.fixture(scope="module")
def port(chain: Chain) -> Iterator[int]:
    with served_map(chain, "a-token") as port:
        yield port


def test_a_country_has_the_interval_of_its_labelled_sample(chain: Chain, port: int, browser: Browser) -> None:
    estimates = pd.read_parquet(chain.open("validation", "area_estimates").file("area_estimates.parquet"))
    areas = estimates[(estimates["quantity"] == "area") & (estimates["ground"] == "all") & estimates["low_km2"].notna()]
    row = areas[areas["iso3"].notna() & (areas["year"] == LAST)].iloc[0]
    shown = Watched(browser.new_page(viewport={"width": 1280, "height": 800}))
    page = shown.opened(f"{address(port)}#country={row['iso3']}").page
    panel = page.locator("#details")
    low, high = (f"{row[name]:.2f} km²" for name in ("low_km2", "high_km2"))
    year = panel.get_by_role("row").filter(has=page.get_by_role("rowheader", name=str(LAST)))
    expect(year).to_contain_text(f"{low} to {high} ({row['labelled']} points)")
    expect(panel.locator(".chart .whisker")).to_have_count(2)
    expect(panel).not_to_contain_text("There is no interval")
    expect(panel).to_contain_text("whose middle differs from the mapped area where the map is biased")
    middle = panel.get_by_role("row").filter(has=page.get_by_role("rowheader", name=str(RESTRICTED)))
    expect(middle).to_contain_text("none")
    assert not shown.complaints
    page.close()


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Terminal]:
    with fresh_terminal(tmp_path, monkeypatch, capsys) as opened:
        yield opened


def test_pictures_that_may_not_be_passed_on_are_shown_here_and_in_no_copy(
    chain: Chain, port: int, browser: Browser, terminal: Terminal, tmp_path: Path
) -> None:
    sites = list(chain.frame("sites", "sites", REGION, file="sites.parquet")["site_id"])
    shown = Watched(browser.new_page(viewport={"width": 1280, "height": 800}))
    with shown.page.expect_response(re.compile(rf"/{RESTRICTED}\.webp"), timeout=PATIENCE) as answer:
        shown.opened(f"{address(port)}#year={RESTRICTED}&imagery=1&site={sites[0]}")
    assert answer.value.status == 200
    expect(shown.page.locator("#details")).to_contain_text("only for us")
    shown.page.close()
    terminal.setenv(MINEMAP_HOME=chain.environment.home, MINEMAP_STATE=str(chain.environment.state))
    copied = terminal("map", "--to", str(tmp_path / "free"))
    assert copied.code == 0, copied.err
    assert f"{len(sites)} pictures left out" in copied.out
    assert not [path for path in (tmp_path / "free").rglob(f"{RESTRICTED}.webp") if path.parent.name in sites]
    told = json.loads((tmp_path / "free/data/sites.json").read_text())
    pictured = dict(zip(told["id"], years_of(told, "pictures"), strict=True))
    assert {site: RESTRICTED in years for site, years in pictured.items()} == {
        one: one not in sites for one in pictured
    }
    assert LEFT_OUT in json.loads((tmp_path / "free/data/map.json").read_text())["pictures"]["note"]
    assert terminal("map", "--to", str(tmp_path / "whole"), "--with-restricted").code == 0
    assert all((tmp_path / "whole/pictures" / site / f"{RESTRICTED}.webp").is_file() for site in sites)
