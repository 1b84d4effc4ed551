"""The asset `map` on the tiny world: its figures are those of the tables, its size is bounded, its copies are whole."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from minemap_assets.geo.vector import read_geoparquet
from minemap_assets.lake.partitions import Partition
from minemap_assets.project.settings import SETTINGS_PATH
from minemap_assets.publication.map.site_columns import years_of
from minemap_assets.publication.map_assets import MAP
from tiny import YEARS, Chain

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def chain(finished: Chain, tmp_path_factory: pytest.TempPathFactory) -> Chain:
    chain = finished.copied(tmp_path_factory.mktemp("map") / "copy")
    assert not chain.run("map").failures
    return chain


@pytest.fixture(scope="module")
def partition(chain: Chain) -> Partition:
    return chain.project.lake.open(MAP.ref())


def read(partition: Partition, name: str) -> Any:
    return json.loads(partition.file(name).read_text())


def test_a_plain_run_does_not_make_it(finished: Chain) -> None:
    assert not list(finished.project.lake.manifests(MAP.room, MAP.name))


def test_areas_are_those_of_the_tables(chain: Chain, partition: Partition) -> None:
    told, sites = read(partition, "data/map.json"), read(partition, "data/sites.json")
    details = read(partition, "data/details/0.json")
    for place, year in enumerate(YEARS):
        countries = chain.table("country_summary", year).set_index("iso3")["area_km2"]
        shown = {one["iso3"]: one["rows"][place]["km2"] for one in told["countries"]}
        assert shown == pytest.approx({code: countries[code] for code in shown}, abs=1e-3)
        panel = chain.table("site_panel", year).set_index("site_id")["area_km2"]
        assert dict(zip(sites["id"], sites["km2"][place], strict=True)) == pytest.approx(panel.to_dict(), abs=1e-4)
        ids = {one["id"] for detail in details.values() for one in detail["years"][place]["outlines"]}
        assert ids == set(chain.table("polygons", year)["polygon_id"])
    assert told["polygons"] == sum(len(chain.table("polygons", year)) for year in YEARS)
    assert told["provisional"] == list(YEARS)


def test_provenance_is_that_of_the_imagery(chain: Chain, partition: Partition) -> None:
    details = read(partition, "data/details/0.json")
    for region in chain.project.active_regions():
        index = read_geoparquet(chain.open("imagery", "imagery", region, "2018").file("index.parquet"))
        for row in index.itertuples():
            year = details[row.site_id]["years"][1]
            assert year["scenes"] == list(row.acquisitions)
            assert (year["source"], year["product"]) == (row.source, row.product)
            assert (year["first_date"], year["last_date"]) == (row.first_date, row.last_date)
            assert year["clear"] == pytest.approx(row.clear_fraction, abs=1e-3)


def test_the_verdict_and_what_is_missing_are_told(partition: Partition) -> None:
    told = read(partition, "data/map.json")
    assert told["standing"]["grade"] == "cannot be judged"
    assert told["standing"]["free"]
    assert all(not one["estimates"] and "There is no interval" in one["no_interval"] for one in told["countries"])
    assert read(partition, "data/session.json") == {"served": False, "writable": False, "user": ""}


def test_every_site_has_a_picture_of_every_year(partition: Partition) -> None:
    sites = read(partition, "data/sites.json")
    assert years_of(sites, "pictures") == [list(YEARS)] * len(sites["id"])
    for site in sites["id"]:
        assert Image.open(partition.file(f"pictures/{site}/2018.webp")).size == (512, 512)
    drawn = {one["properties"]["id"] for one in read(partition, "data/windows.json")["features"]}
    assert drawn == set(sites["id"])


def test_simulated_ground_has_no_towns_of_the_real_world(partition: Partition) -> None:
    assert read(partition, "data/places.json") == {"credit": "", "places": []}
    assert "GeoNames" not in partition.file("NOTICE.txt").read_text()


def test_its_picture_is_small_and_shows_something(partition: Partition) -> None:
    assert MAP.picture is not None
    data = MAP.picture(partition, None)  # type: ignore[arg-type]
    picture = Image.open(io.BytesIO(data))
    assert picture.format == "WEBP"
    assert len(data) < 60_000
    assert len(picture.convert("RGB").getcolors(200_000) or ()) > 20


def test_made_again_it_is_the_same_and_a_small_one_says_what_it_lacks(chain: Chain, tmp_path: Path) -> None:
    small = chain.copied(tmp_path / "small")
    before = small.project.lake.open(MAP.ref()).manifest
    small.run("map", forced=frozenset({MAP.ref()}))
    assert small.project.lake.open(MAP.ref()).manifest.content == before.content
    store = small.project.lake.store
    text = store.read_bytes(SETTINGS_PATH).decode()
    store.write_bytes(SETTINGS_PATH, f"{text}\n[map]\nmax_megabytes = 1.5\n".encode())
    assert not small.run("map").failures
    made = small.project.lake.open(MAP.ref())
    assert sum(f.bytes for f in made.manifest.files) <= 1_500_000 < sum(f.bytes for f in before.files)
    assert made.manifest.summary["picture_pixels"] < 512
    note = read(made, "data/map.json")["pictures"]["note"]
    assert note.startswith("To keep the folder small, pictures have ")
    assert made.manifest.summary["note"] == note
