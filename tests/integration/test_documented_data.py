"""The data dictionary and the figures on disk are those of a finished project."""

import re
from collections import defaultdict

import pytest

from dagster_project.reference_pages.tables import tables_page
from dagster_project.registry import Registry
from house import ROOT
from tiny import Chain

pytestmark = pytest.mark.integration

SIZING = {
    "composite of `planet-nicfi`, 4 bands at 5 m": ("imagery/imagery",),
    "chips of the model, of `planet-nicfi`": ("chips/chips",),
    "masks": ("segmentation/raw_masks",),
    "polygons, raw and final": ("polygons/raw_polygons", "polygons/mining_polygons"),
}
"""Rows of the page on sizing, and the assets whose files they count."""

NEAR = 0.3
"""How far a rounded figure may be from the measured one, as a share."""


def test_the_data_dictionary_is_what_the_small_world_gives(finished: Chain) -> None:
    written = (ROOT / "docs/reference/tables.md").read_text(encoding="utf-8")
    assert written == tables_page(Registry().rooms, finished.project), "write it again with `make docs`"


def test_every_column_of_every_table_has_a_meaning() -> None:
    written = (ROOT / "docs/reference/tables.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| ([^|]*) \| ([^|]*) \| (.*) \|$", written, flags=re.MULTILINE)
    assert len(rows) > 200
    assert not [name for name, kind, _, meaning in rows if not kind.strip() or not meaning.strip()]


def test_megabytes_a_site_and_year_are_those_of_the_small_world(finished: Chain) -> None:
    project, sizes = finished.project, defaultdict(float)
    for manifest in finished.manifests():
        sizes[f"{manifest.room}/{manifest.asset}"] += sum(file.bytes for file in manifest.files) / 1e6
    years = len(list(project.lake.manifests("tables", "site_panel")))
    sites = sum(len(finished.frame("sites", "sites", slug, file="sites.parquet")) for slug in project.active_regions())
    page = (ROOT / "docs/sizing.md").read_text(encoding="utf-8")
    for row, assets in SIZING.items():
        written = float(page.split(f"| {row} | ")[1].split(" |")[0])
        measured = sum(sizes[asset] for asset in assets) / (sites * years)
        assert abs(written - measured) <= NEAR * measured, (row, written, measured)


def test_megabytes_of_a_coarser_product_are_those_of_the_reference_year(finished: Chain) -> None:
    row, product = "composite of `sentinel-2-l2a`, 6 bands at 10 m", "sentinel-2-l2a"
    made = [m for m in finished.manifests() if m.asset == "reference_imagery" and product in m.ref.keys]
    measured = sum(file.bytes for m in made for file in m.files) / 1e6 / sum(m.summary["sites"] for m in made)
    written = float((ROOT / "docs/sizing.md").read_text(encoding="utf-8").split(f"| {row} | ")[1].split(" |")[0])
    assert abs(written - measured) <= NEAR * measured, (written, measured)
