"""Lists of sites: the largest first, few on the report's page, many by region, and none without a place in a list."""

from types import SimpleNamespace
from typing import Any, cast

import pandas as pd
import pytest

from minemap_assets.publication.report.document import Link, Links, Section, Table
from minemap_assets.publication.report.material import Material
from minemap_assets.publication.report.site_list import MOST_LISTED, SiteList, ranked_sites, region_file, sheet_file


def panel(sites: int) -> pd.DataFrame:
    rows: list[dict[str, Any]] = []
    for number in range(sites):
        place = {"site_id": f"s{number:05}", "region": f"r{number % 3}", "country_iso3": "XAA"}
        for year, area in ((2018, number / 10.0), (2019, number / 20.0)):
            rows.append({**place, "year": year, "area_km2": area, "longitude": 1.0, "latitude": -2.0})
    return pd.DataFrame(rows)


def listed(sites: int, pages: int) -> SiteList:
    countries = pd.DataFrame({"iso3": ["XAA"], "name": ["Aurelia"]})
    regions = {f"r{n}": f"Region {n}" for n in range(3)}
    return SiteList(cast(Material, SimpleNamespace(panel=panel(sites), countries=countries, regions=regions)), pages)


def links(section: Section) -> list[Link]:
    return [link for block in section.blocks if isinstance(block, Links) for link in block.links]


def test_the_largest_of_any_year_comes_first_and_what_was_never_seen_last() -> None:
    rows = panel(3)
    rows.loc[rows["site_id"] == "s00001", "area_km2"] = None
    found = ranked_sites(rows)
    assert [(one.site_id, one.largest_km2) for one in found] == [("s00002", 0.2), ("s00000", 0.0), ("s00001", None)]
    assert ranked_sites(rows.sample(frac=1.0, random_state=1)) == found


def test_few_sites_are_all_on_the_page_those_without_a_page_in_a_table() -> None:
    sites = listed(5, 2)
    section = sites.section()
    assert [link.words for link in links(section)] == ["s00004", "s00003"]
    (table,) = section.tables()
    assert [row["site_id"] for row in table.rows] == ["s00002", "s00001", "s00000"]
    assert list(sites.region_pages()) == []


@pytest.mark.parametrize("pages", [0, 50, 5_000])
def test_many_sites_have_a_list_for_each_region_that_names_every_one(pages: int) -> None:
    sites = listed(900, pages)
    section = sites.section()
    assert section.tables() == []
    shown = links(section)
    assert len(shown) == min(pages, MOST_LISTED) + 3
    assert [link.address for link in shown[-3:]] == [region_file(f"r{n}") for n in range(3)]
    lists = list(sites.region_pages())
    assert [page.file for page in lists] == [link.address for link in shown[-3:]]
    named = [link for page in lists for block in page.blocks if isinstance(block, Links) for link in block.links]
    assert sorted(link.words for link in named) == sorted(one.site_id for one in sites.ranked)
    with_page = {f"../{sheet_file(one.site_id)}" for one in sites.chosen}
    assert {link.address for link in named if link.address} == with_page
    table: Table = sites.table()
    assert len(table.rows) == 900
    assert table.cells[0][-1].text == "2.00000° S"
